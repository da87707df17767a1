"""What the page of a report is made of: plain values, bounded whatever the data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlcli.data.index import SkippedFile
    from dlcli.metrics.agreement import Agreement
    from dlcli.metrics.classification import ConfusedPair
    from dlcli.metrics.reliability import ReliabilityBin
    from dlcli.metrics.report import Report

MOST_MISTAKES, MOST_PAIRS, MOST_EXAMPLES = 24, 6, 3
"""Pictures of mistakes, most confused pairs of classes, and pictures of each pair."""


@dataclass(frozen=True)
class WrongAnswer:
    """A picture that a model was wrong on: the true class and the one it took it for, with their
    probabilities. `thumbnail` is a JPEG, None where the picture can no longer be read."""

    path: str
    true: str
    predicted: str
    probability: float
    true_probability: float
    thumbnail: bytes | None


@dataclass(frozen=True)
class PairExamples:
    """Two classes that are confused, and some of the pictures, the surest mistakes first."""

    pair: ConfusedPair
    pictures: tuple[WrongAnswer, ...]


@dataclass(frozen=True)
class Epoch:
    """A row of history.csv."""

    stage: str
    loss: float | None
    accuracy: float | None
    val_loss: float
    val_accuracy: float
    kept: bool


@dataclass(frozen=True)
class ClassCounts:
    """How many pictures of a class lie in each part."""

    name: str
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Census:
    """The pictures of a training: `parts` name the counts of each class. `num_copies` are those
    that are the same, to the byte, as one that is counted already; `num_related` belong to one of
    `num_groups` groups of pictures that resemble each other or are put together by a manifest, and
    `num_straddling` of these groups lie in more than one part."""

    parts: tuple[str, ...]
    classes: tuple[ClassCounts, ...]
    num_copies: int = 0
    num_related: int = 0
    num_groups: int = 0
    num_straddling: int = 0

    @property
    def num_images(self) -> int:
        """In all parts."""
        return sum(sum(own.counts) for own in self.classes)


@dataclass(frozen=True)
class PageFacts:
    """Everything on the page of one evaluation.

    `run` is the run's name. `source` says which pictures it was asked about, and `part` which part
    of the run's own they are: "val", "test", or None for others, of which `num_trained` were
    trained on, None where that is not known. `bins` are those of the reliability diagram.
    `seen_as` says how a model sees a picture, as the thumbnails show it. `skipped` could not be
    used. `census`, `epochs` and `spec` are those of the training, None or empty where
    they are not known. `agreement` says how val compares with these pictures where they are the
    test part. `environment` is what it was made with. `refit` says that the model was trained once
    more, on these pictures as well, when the numbers had been taken.
    """

    run: str
    source: str
    part: str | None
    report: Report
    bins: tuple[ReliabilityBin, ...]
    mistakes: tuple[WrongAnswer, ...]
    confused: tuple[PairExamples, ...]
    seen_as: str
    skipped: tuple[SkippedFile, ...] = ()
    num_trained: int | None = None
    census: Census | None = None
    epochs: tuple[Epoch, ...] = ()
    agreement: Agreement | None = None
    spec: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    refit: bool = False
