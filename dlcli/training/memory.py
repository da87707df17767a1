"""Batches that do not fit into the memory of the device are made smaller."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

from dlcli import backend
from dlcli.backend import Model
from dlcli.errors import ResourceError
from dlcli.events import Reporter, Warned

_T = TypeVar("_T")


def with_batches_that_fit(
    fit: Callable[[int], _T], batch_size: int, model: Model, reporter: Reporter
) -> _T:
    """`fit(batch_size)`; where that is too much for the memory, again from the beginning with half
    as many pictures a step, down to one. `model` is what is trained.

    Raises:
        ResourceError: if not even one picture fits.
    """
    began_with = [variable.numpy() for variable in model.variables]
    while True:
        try:
            return fit(batch_size)
        except Exception as error:
            if not backend.is_out_of_memory(error):
                raise
            if batch_size == 1:
                raise ResourceError(
                    "not even 1 picture a step fits into the memory.",
                    fix="Lower data.image_size, or take a smaller network.",
                ) from error
        # Out of the handler: what failed is held by its traceback until here.
        gc.collect()
        smaller = max(1, batch_size // 2)
        reporter.report(
            Warned(
                f"{batch_size} pictures a step do not fit into the memory: "
                f"the stage begins anew with {smaller}"
            )
        )
        batch_size = smaller
        for variable, value in zip(model.variables, began_with, strict=True):
            variable.assign(value)
