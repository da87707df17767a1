"""A twin of a network that is trained in its place: with half the bits (mixed precision,
Micikevicius 2018), on many devices, or both.

The network itself stays float32 and on one device, and so do the twin's weights float32: what is
saved and converted knows nothing of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from dlcli import backend
from dlcli.backend import Model, keras
from dlcli.processor import silenced_stderr

FLOAT32, FLOAT16 = "float32", "mixed_float16"


@contextlib.contextmanager
def in_precision(
    model: Model,
    precision: str,
    spread: Callable[[], AbstractContextManager[None]] | None = None,
) -> Iterator[Model]:
    """What to train in place of `model`, which has its weights when the block ends. What is built
    inside `spread` belongs to many devices.

    The last layer stays float32: probabilities of float16 end at 6e-8, and their loss with them.
    """
    if precision == FLOAT32 and spread is None:
        yield model
        return
    began_with = _values(model)
    with spread() if spread else contextlib.nullcontext():
        with silenced_stderr():  # to clone Keras imports TensorFlow, and that talks
            twin = _twin(model, precision, is_spread=spread is not None)
        _assign(twin, began_with)
        yield twin
        ended_with = _values(twin)
    _assign(model, ended_with)


def _twin(model: Model, precision: str, *, is_spread: bool) -> Model:
    last = model.output._keras_history.operation
    synchronizes = is_spread and backend.device().backend == "tensorflow"

    def clone(operation: Any) -> Any:
        config = operation.get_config()
        if "dtype" in config:
            config["dtype"] = FLOAT32 if operation is last else precision
        if synchronizes and "synchronized" in config:  # BatchNormalization: over all devices
            config["synchronized"] = True
        return operation.__class__.from_config(config)

    return keras.models.clone_model(model, clone_function=clone)


def scale_loss(optimizer: Any, precision: str) -> Any:
    """The optimizer for a precision: gradients of float16 vanish unless the loss is scaled up."""
    return keras.optimizers.LossScaleOptimizer(optimizer) if precision == FLOAT16 else optimizer


def _values(model: Model) -> list[Any]:
    """Of all variables, those of the random layers included."""
    return [variable.numpy() for variable in _variables(model)]


def _assign(model: Model, values: list[Any]) -> None:
    for variable, value in zip(_variables(model), values, strict=True):
        variable.assign(value)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it keeps what it makes of its weights


def _variables(model: Model) -> list[Any]:
    """Without what a compiled model adds."""
    return [variable for layer in model.layers for variable in layer.variables]
