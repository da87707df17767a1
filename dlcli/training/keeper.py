"""When a training saves what it has, and when it is to end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dlcli.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from dlcli.training.trained import HistoryRow

SECONDS_BETWEEN = 120.0
_LEAST_SHARE = 50
"""Of the time between two checkpoints at most one part in so many is spent on saving."""


class Keeper:
    """Saves checkpoints into a folder, as often as that costs little.

    `facts`, `arrays` and `rows` are what the stages before have left, saved along with each
    checkpoint. `on_saved` is given all rows of the history each time. `deadline` is the moment, as
    `time.monotonic` counts, at which the command is to end; None for no such moment. `finishing`
    is how many seconds what comes after a fit will take.
    """

    def __init__(
        self,
        folder: Path,
        on_saved: Callable[[Sequence[HistoryRow]], None],
        seconds_between: float = SECONDS_BETWEEN,
        *,
        deadline: float | None = None,
    ) -> None:
        self._folder, self._on_saved = folder, on_saved
        self._seconds_between = seconds_between
        self._saved_at, self._cost = time.monotonic(), 0.0
        self._deadline = deadline
        self.finishing = 0.0
        self.facts: dict[str, Any] = {}
        self.arrays: dict[str, Any] = {}
        self.rows: tuple[HistoryRow, ...] = ()

    def load(self) -> Checkpoint | None:
        """What an earlier process saved last.

        Raises:
            DataError: if it is damaged.
        """
        return load_checkpoint(self._folder)

    @property
    def is_limited(self) -> bool:
        """Whether the command is to end at some moment."""
        return self._deadline is not None

    @property
    def seconds_left(self) -> float:
        """Until then; without end where there is no such moment."""
        return math.inf if self._deadline is None else self._deadline - time.monotonic()

    @property
    def seconds_to_train(self) -> float:
        """What is left for a fit."""
        return self.seconds_left - self.finishing

    def is_due(self, *, within_epoch: bool) -> bool:
        """Whether it is time to save: within an epoch only every few minutes, and at the end of one
        unless that would take more than a fiftieth of the time."""
        since = time.monotonic() - self._saved_at
        least = self._seconds_between if within_epoch else 0.0
        return since >= max(least, self._cost * _LEAST_SHARE)

    def save(
        self, facts: dict[str, Any], arrays: dict[str, Any], rows: Sequence[HistoryRow]
    ) -> None:
        """Saves now, with what the stages before have left."""
        began = time.monotonic()
        save_checkpoint(self._folder, {**self.facts, **facts}, {**self.arrays, **arrays})
        self._on_saved((*self.rows, *rows))
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - began
