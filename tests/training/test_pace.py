"""How much of a stage fits into the time that is left."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcli import backend
from dlcli.events import Said
from dlcli.training.keeper import Keeper
from dlcli.training.stages import Stage
from tests.training.pictures import ArrayBatches
from tests.training.small_fits import small_fit
from tests.training.test_whole import Recorder


@pytest.fixture(autouse=True)
def keras() -> Any:
    backend.prepare()
    return backend.keras


def source(num_batches: int) -> ArrayBatches:
    return ArrayBatches.noise(8 * num_batches, 8, seed=0)


@pytest.mark.parametrize(
    ("seconds", "epochs", "steps"),
    [
        (1_000, 20, 100),  # all of it
        (2 + 3 * (100 + 10 * 0.4) + 1, 3, 100),
        (2 + 4 + 50, 1, 50),  # not even one epoch
        (2 + 4 + 0.5, 1, 1),
        (-5, 1, 1),
    ],
)
def test_epochs_are_left_out_and_then_steps(seconds: float, epochs: int, steps: int) -> None:
    from dlcli.training.pace import Limits, Pace

    stage = Stage("all layers", "all", epochs=20 if seconds < 1_000 else 9, batch_size=8)
    limits = Pace(first=2, step=1).limit(stage, source(100), source(10), seconds)
    assert limits == Limits(min(epochs, stage.epochs or 0), steps)


def test_a_shortened_epoch_is_the_beginning_of_the_whole_one() -> None:
    from dlcli.training.pace import Shortened

    whole, short = source(5), Shortened(source(5), 2)
    dealt = list(islice(whole.shuffled(0), 10))
    expected = [dealt[number] for number in (0, 1, 5, 6)]
    found = list(islice(short.shuffled(0), 4))
    for (x, _), (other, _) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(x, other)
    (went_on,) = islice(short.shuffled(0, 1, 1), 1)
    np.testing.assert_array_equal(went_on[0], expected[3][0])
    assert (short.num_images, short.num_batches) == (16, 2)


def test_measuring_leaves_no_trace(tmp_path: Path) -> None:
    train, val = source(6), source(2)
    settings = ("train.epochs=2",)
    free = small_fit(settings, train, val)
    keeper = Keeper(tmp_path, lambda _: None, deadline=time.monotonic() + 3_600)
    limited = small_fit(settings, train, val, keeper=keeper)
    for one, other in zip(free.weights, limited.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_there_is_time_for_is_said_and_trained(tmp_path: Path) -> None:
    recorder = Recorder()
    keeper = Keeper(tmp_path, lambda _: None, deadline=time.monotonic() - 1)
    fitted = small_fit(("train.epochs=50",), source(6), source(2), reporter=recorder, keeper=keeper)
    assert len(fitted.rows) == 1
    said = [event.text for event in recorder.events if isinstance(event, Said)]
    assert any("there is time for 1 of the 6 steps of an epoch" in text for text in said)


def test_without_a_limit_there_is_no_end() -> None:
    keeper = Keeper(Path("nowhere"), lambda _: None)
    assert not keeper.is_limited
    assert keeper.seconds_to_train == float("inf")
