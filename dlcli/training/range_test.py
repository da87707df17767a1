"""A learning rate that suits a network and its pictures, found by trying many (Smith 2017)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dlcli.backend import Model, keras
from dlcli.training.pace import left_as_it_was
from dlcli.training.stages import TESTED_RATES

_LOWEST, _HIGHEST = 1e-6, 1e-1
_MEMORY = 0.9
"""How much of the smoothed loss is what was seen before the step."""

_FEWEST_SEEN = 10
"""The mean of fewer steps says more about their pictures than about their rates."""

_LOST = 4.0
"""A smoothed loss of so many times the lowest one does not come back."""

_BELOW_LOWEST = 10
_FROM_USUAL = 4
"""Where the loss is lowest the rate begins to be too high: a tenth of it is taken, and never more
or less than four times what is usual, since a few steps tell little."""


class _KeepLosses(keras.callbacks.Callback):  # type: ignore[misc]
    """The loss of each step; ends where it is lost. Keras gives the mean of all steps so far."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []
        self._sum = 0.0

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Spares the steps after the loss is lost."""
        if is_lost(self.losses):
            self.model.stop_training = True

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Waits for the step, as looking at its loss does."""
        total = float((logs or {}).get("loss", math.nan)) * (batch + 1)
        self.losses.append(total - self._sum)
        self._sum = total


def rising_rate() -> Any:
    """A Keras schedule that takes the tested rates one after the other, each as many times the one
    before."""
    factor = (_HIGHEST / _LOWEST) ** (1 / (TESTED_RATES - 1))
    return keras.optimizers.schedules.ExponentialDecay(_LOWEST, 1, factor)


def losses_of(model: Model, steps: Callable[[], Iterator[Any]]) -> list[float]:
    """The loss of each step of a model compiled with a `rising_rate`, which is left as it was."""
    keeping = _KeepLosses()
    with left_as_it_was(model):
        model.fit(
            steps(),
            steps_per_epoch=TESTED_RATES,
            epochs=1,
            callbacks=[keeping],
            shuffle=False,
            verbose=0,
        )
    return keeping.losses


def rate_from(losses: Sequence[float], usual: float) -> float:
    """The learning rate that the losses of the rising rates speak for, to two digits."""
    known = [loss for loss in _smoothed(losses) if math.isfinite(loss)][_FEWEST_SEEN:]
    if not known:
        return usual / _FROM_USUAL
    lowest = _FEWEST_SEEN + known.index(min(known))
    tested = _LOWEST * (_HIGHEST / _LOWEST) ** (lowest / (TESTED_RATES - 1))
    bounded = min(max(tested / _BELOW_LOWEST, usual / _FROM_USUAL), usual * _FROM_USUAL)
    return float(f"{bounded:.2g}")


def is_lost(losses: Sequence[float]) -> bool:
    """Whether the loss will not come back at higher rates."""
    smoothed = _smoothed(losses)
    return bool(smoothed) and not smoothed[-1] <= _LOST * min(smoothed)


def _smoothed(losses: Sequence[float]) -> list[float]:
    """The mean of the losses up to each step, of which later ones count for more."""
    mean, found = 0.0, []
    for number, loss in enumerate(losses, 1):
        mean = _MEMORY * mean + (1 - _MEMORY) * loss
        found.append(mean / (1 - _MEMORY**number))
    return found
