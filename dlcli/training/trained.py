"""What every training gives: a body as LiteRT, a head, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcli.artifact import AVERAGE
from dlcli.data.dataset import Dataset
from dlcli.data.split import VAL
from dlcli.metrics.typicality import Typicality
from dlcli.runtime.head import Head


@dataclass(frozen=True)
class HistoryRow:
    """One epoch, or one fit of a head, counted from 1; None where a fit has no such number."""

    epoch: int
    stage: str
    loss: float | None
    accuracy: float | None
    val_loss: float
    val_accuracy: float
    learning_rate: float | None
    kept: bool


@dataclass(frozen=True)
class HeadChoice:
    """What val has chosen for a head: its penalty, and whether mirror images are trained on."""

    penalty: float
    mirrored: bool


@dataclass(frozen=True)
class TrainedModel:
    """A body and a head, the features (N, F) that the body gives for every picture of val, test
    and train, and what each epoch of its stage gave. `network_path` is the whole network in Keras'
    format, where Keras trained any of it; `keras_body_path` one that begins with the body, where
    the body is neither that nor a backbone with its ImageNet weights; `pooling` is what the body
    gives as features. `choice` is what was chosen for a head that was fitted alone."""

    dataset: Dataset
    body_path: Path
    features: NDArray[np.float16]
    head: Head
    typicality: Typicality
    history: tuple[HistoryRow, ...]
    network_path: Path | None = None
    keras_body_path: Path | None = None
    pooling: str = AVERAGE
    choice: HeadChoice | None = None

    def answers(self, split: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Probabilities (N, K) and labels (N,) of a split."""
        rows = self.dataset.rows(split)
        features = self.features[rows].astype(np.float32)
        return self.head.probabilities(features), self.dataset.labels(rows)

    @property
    def val_accuracy(self) -> float:
        """The share of val pictures that it is right on."""
        probabilities, labels = self.answers(VAL)
        return round(float((probabilities.argmax(axis=1) == labels).mean()), 6)

    @property
    def best(self) -> HistoryRow:
        """The epoch or fit that was kept."""
        return next(row for row in self.history if row.kept)


@dataclass(frozen=True)
class StageOutcome:
    """What a stage has come to, with a row for each of its epochs, of which one is kept. `model` is
    None where val says that what stood before is better, or where a later stage took its place.
    `learning_rate` is the highest of its schedule, None for a head. `share` is how far on the way
    from the weights before a stage below the head to those after it val was most content; None
    where it kept those before."""

    name: str
    history: tuple[HistoryRow, ...]
    model: TrainedModel | None
    trainable_parameters: int
    learning_rate: float | None = None
    share: float | None = None

    @property
    def best(self) -> HistoryRow:
        """The epoch or fit of the stage that is kept, whether the stage is or not."""
        return next(row for row in self.history if row.kept)
