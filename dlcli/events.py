"""What a command tells while it works; who listens decides how it looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Said:
    """A line of information, for instance what was found in a folder."""

    text: str


@dataclass(frozen=True)
class Warned:
    """A line that the user must not miss."""

    text: str


@dataclass(frozen=True)
class StageStarted:
    """A stage of work begins; `total` counts its units, None where that is not known."""

    name: str
    total: int | None = None


@dataclass(frozen=True)
class StageAdvanced:
    """`done` units of the stage are behind us, counted from its start."""

    name: str
    done: int


@dataclass(frozen=True)
class StageEnded:
    """A stage is over; `detail` is its result in a few words, may be empty."""

    name: str
    detail: str = ""


Event = Said | Warned | StageStarted | StageAdvanced | StageEnded


class Reporter(Protocol):
    """Takes events; must be cheap, since the work waits for it."""

    def report(self, event: Event) -> None:
        """Shows or keeps `event`."""


class NullReporter:
    """Hears everything and says nothing."""

    def report(self, event: Event) -> None:
        """Drops `event`."""
