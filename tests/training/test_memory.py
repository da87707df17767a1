"""Batches that do not fit: smaller ones, from the beginning, and a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dlcli import backend
from dlcli.errors import ResourceError
from dlcli.events import Warned
from tests.training.test_whole import Recorder

TOO_MUCH = 2**22
"""Rows and columns of a matrix that no machine has the memory for: 64 TB."""


@pytest.fixture(scope="module")
def model() -> Any:
    backend.prepare()
    keras = backend.keras
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])


def of_tensorflow() -> None:
    backend.tensorflow().zeros([TOO_MUCH, TOO_MUCH]).numpy()


def of_numpy() -> None:
    np.empty((TOO_MUCH, TOO_MUCH, 2**10))


def run(
    model: Any, batch_size: int, fits: int, allocate: Callable[[], None]
) -> tuple[int, list[int], list[str]]:
    """The batch size that was trained with, those that were tried, and what was said. Each try
    changes the weights before it fails."""
    from dlcli.training.memory import with_batches_that_fit

    began_with = model.get_weights()
    tried: list[int] = []

    def fit(size: int) -> int:
        for value, expected in zip(model.get_weights(), began_with, strict=True):
            np.testing.assert_array_equal(value, expected)
        tried.append(size)
        model.set_weights([value + 1 for value in model.get_weights()])
        if size > fits:
            allocate()
        return size

    recorder = Recorder()
    try:
        taken = with_batches_that_fit(fit, batch_size, model, recorder)
    except ResourceError:
        taken = 0
    finally:
        model.set_weights(began_with)
    return taken, tried, [event.text for event in recorder.events if isinstance(event, Warned)]


@pytest.mark.parametrize("allocate", [of_tensorflow, of_numpy])
def test_the_batch_is_halved_until_it_fits(model: Any, allocate: Callable[[], None]) -> None:
    taken, tried, said = run(model, 12, 4, allocate)
    assert (taken, tried) == (3, [12, 6, 3])
    assert said == [
        "12 pictures a step do not fit into the memory: the stage begins anew with 6",
        "6 pictures a step do not fit into the memory: the stage begins anew with 3",
    ]


def test_what_fits_is_trained_once(model: Any) -> None:
    assert run(model, 8, 8, of_tensorflow) == (8, [8], [])


def test_where_not_even_one_fits_it_is_an_error(model: Any) -> None:
    from dlcli.training.memory import with_batches_that_fit

    taken, tried, said = run(model, 5, 0, of_tensorflow)
    assert (taken, tried, len(said)) == (0, [5, 2, 1], 2)
    with pytest.raises(ResourceError, match="not even 1 picture a step fits") as caught:
        with_batches_that_fit(lambda _: of_tensorflow(), 1, model, Recorder())
    assert caught.value.exit_code == 7
    assert "Lower data.image_size" in str(caught.value)


def test_another_failure_is_not_tried_again(model: Any) -> None:
    from dlcli.training.memory import with_batches_that_fit

    recorder = Recorder()
    with pytest.raises(backend.tensorflow().errors.InvalidArgumentError):
        with_batches_that_fit(
            lambda _: backend.tensorflow().reshape([1.0, 2.0], [3]), 8, model, recorder
        )
    assert recorder.events == []
