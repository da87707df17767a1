"""How much of a stage fits into the time that is left, from its speed as it is measured."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from dlcli.backend import Model, keras
from dlcli.training.batches import Batch, BatchSource
from dlcli.training.stages import Stage

_MEASURED_STEPS = 4
_CONVERSION = 8.0
_VAL_SHARE = 0.4
"""A picture of val takes less than half of a training one: it goes forward alone."""


@dataclass(frozen=True)
class Pace:
    """Seconds: until the first step is over, with all that is built for it, and of each other."""

    first: float
    step: float

    def finishing(self, train: BatchSource, val: BatchSource) -> float:
        """What comes after a fit: the conversion of the network, and all pictures (as many again
        as val for test) through it once."""
        num_batches = train.num_batches + 2 * val.num_batches
        return _CONVERSION + num_batches * self.step * _VAL_SHARE

    def limit(self, stage: Stage, train: BatchSource, val: BatchSource, seconds: float) -> Limits:
        """What of a stage `seconds` are enough for: fewer epochs, and if not even one is, fewer
        steps of it."""
        epochs = stage.epochs or 1
        val_seconds = val.num_batches * self.step * _VAL_SHARE
        left = seconds - self.first
        each = train.num_batches * self.step + val_seconds
        fitting = int(left / each)
        if fitting >= 1:
            return Limits(min(epochs, fitting), train.num_batches)
        steps = int((left - val_seconds) / self.step)
        return Limits(1, max(1, min(steps, train.num_batches)))


@dataclass(frozen=True)
class Limits:
    """The epochs of a stage, and the steps of each."""

    epochs: int
    steps: int


class _Timer(keras.callbacks.Callback):  # type: ignore[misc]
    """Notes when each step is over."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Waits for the step, as looking at its loss does."""
        float((logs or {}).get("loss", 0.0))
        self.ends.append(time.monotonic())


@contextlib.contextmanager
def left_as_it_was(model: Model) -> Iterator[None]:
    """Gives all variables of a model, those of its random layers and metrics too, the values back
    that they have now. What its optimizer holds is not among them: compile it anew."""
    began_with = [variable.numpy() for variable in model.variables]
    yield
    for variable, value in zip(model.variables, began_with, strict=True):
        variable.assign(value)


def measure_pace(model: Model, steps: Callable[[], Iterator[Any]]) -> Pace:
    """Takes a few steps with a compiled model, and leaves it with the weights it had."""
    timer = _Timer()
    with left_as_it_was(model):
        began = time.monotonic()
        model.fit(
            steps(),
            steps_per_epoch=_MEASURED_STEPS,
            epochs=1,
            callbacks=[timer],
            shuffle=False,
            verbose=0,
        )
    ends = timer.ends
    return Pace(ends[0] - began, (ends[-1] - ends[0]) / max(1, len(ends) - 1))


@dataclass(frozen=True)
class Shortened:
    """A `BatchSource` of whose epochs only the first `num_batches` count."""

    source: BatchSource
    num_batches: int

    @property
    def num_images(self) -> int:
        """The pictures of an epoch."""
        return min(self.source.num_images, self.num_batches * self.batch_size)

    @property
    def batch_size(self) -> int:
        """Of the source."""
        return self.source.batch_size

    @property
    def is_dealt(self) -> bool:
        """As the source's are."""
        return self.source.is_dealt

    @property
    def num_bytes(self) -> int:
        """Of all that the source has."""
        return self.source.num_bytes

    def shuffled(self, seed: int, first_epoch: int = 0, first_batch: int = 0) -> Iterator[Batch]:
        """The first batches of each epoch of the source."""
        while True:
            left = self.num_batches - first_batch
            yield from islice(self.source.shuffled(seed, first_epoch, first_batch), left)
            first_epoch, first_batch = first_epoch + 1, 0

    def in_turn(self, number: int) -> Batch:
        """As the source gives it."""
        return self.source.in_turn(number)

    def at_once(self) -> Batch:
        """As the source gives it."""
        return self.source.at_once()


def shortened(stage: Stage, train: BatchSource, limits: Limits) -> tuple[Stage, BatchSource]:
    """A stage and what it is trained on within these limits."""
    if limits.steps < train.num_batches:
        train = Shortened(train, limits.steps)
    return replace(stage, epochs=limits.epochs), train
