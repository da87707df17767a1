"""What a command tells while it works; who listens decides how it looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


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
class EpochStarted:
    """Epoch `epoch`, counted from 1, of at most `num_epochs` of a stage begins."""

    name: str
    epoch: int
    num_epochs: int


@dataclass(frozen=True)
class EpochEnded:
    """Epoch `epoch` of at most `num_epochs` of a stage is over, with these numbers; `accuracy` is
    that on the training pictures, `learning_rate` the one the epoch ended with. Those of val are
    None where val is trained on, too."""

    name: str
    epoch: int
    num_epochs: int
    loss: float
    val_loss: float | None
    val_accuracy: float | None
    accuracy: float | None = None
    learning_rate: float | None = None


@dataclass(frozen=True)
class HeadFitted:
    """A head was fitted to convergence, with these numbers."""

    name: str
    val_loss: float
    val_accuracy: float


@dataclass(frozen=True)
class StageEnded:
    """A stage is over; `detail` is its result in a few words, may be empty."""

    name: str
    detail: str = ""


@dataclass(frozen=True)
class LayerRow:
    """One layer, or one item of a spec's list: the shape of one picture's output, and how many
    parameters it has, of which the training changes some."""

    name: str
    output_shape: tuple[int, ...]
    parameters: int
    trainable_parameters: int


@dataclass(frozen=True)
class ModelShown:
    """The model that is about to be trained; `memory_bytes` is roughly what a step on
    `batch_size` pictures needs."""

    rows: tuple[LayerRow, ...]
    batch_size: int
    memory_bytes: int

    @property
    def parameters(self) -> int:
        """All weights and biases, and the moving averages of batch normalization."""
        return sum(row.parameters for row in self.rows)

    @property
    def trainable_parameters(self) -> int:
        """Those that the training changes."""
        return sum(row.trainable_parameters for row in self.rows)


@dataclass(frozen=True)
class RunOpened:
    """A run's folder stands and its training begins, or goes on: folder and `started`, the time in
    run.json, are the same then. `settings` are those parts of the resolved spec that say what is
    trained and how."""

    folder: Path
    started: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunClosed:
    """A training is over; `status` is that in run.json, `numbers` what a completed one has."""

    status: str
    numbers: Mapping[str, float] = field(default_factory=dict)


Event = (
    Said
    | Warned
    | ModelShown
    | StageStarted
    | StageAdvanced
    | EpochStarted
    | EpochEnded
    | HeadFitted
    | StageEnded
    | RunOpened
    | RunClosed
)


class Reporter(Protocol):
    """Takes events; must be cheap, since the work waits for it."""

    def report(self, event: Event) -> None:
        """Shows or keeps `event`."""


class NullReporter:
    """Hears everything and says nothing."""

    def report(self, event: Event) -> None:
        """Drops `event`."""
