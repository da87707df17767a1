"""dlcli predict: pictures -> a record each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.open_run import open_run
from dlcli.events import Reporter, StageAdvanced, StageEnded, StageStarted

if TYPE_CHECKING:
    from dlcli.runtime.classifier import Prediction

STAGE = "predicting"


@dataclass(frozen=True)
class PredictOptions:
    """`paths` may be endless: they are taken as they come. `top` is 1 or more."""

    paths: Iterable[str]
    runs_folder: Path
    run: str | None = None
    top: int = 3


@dataclass(frozen=True)
class RankedClass:
    """A class and its probability."""

    label: str
    probability: float


@dataclass(frozen=True)
class PredictionRecord:
    """One line of the answer; where `error` is a sentence the rest is None and `unknown` False."""

    path: str
    label: str | None
    probability: float | None
    top: tuple[RankedClass, ...] | None
    typicality: float | None
    unknown: bool
    error: str | None


def run(options: PredictOptions, reporter: Reporter) -> Iterator[PredictionRecord]:
    """One record an input, in input order, as soon as it is known.

    Raises:
        UsageError, DataError, ResourceError: if the run cannot be opened; before the first record.
    """
    opened = open_run(options.run, options.runs_folder, reporter)
    predictions = opened.classifier.predict_files(options.paths)
    class_names = opened.classifier.artifact.class_names
    return _records(predictions, class_names, options.top, reporter)


def _records(
    predictions: Iterable[Prediction],
    class_names: tuple[str, ...],
    top: int,
    reporter: Reporter,
) -> Iterator[PredictionRecord]:
    reporter.report(StageStarted(STAGE))
    for done, prediction in enumerate(predictions, 1):
        yield _record(prediction, class_names, top)
        reporter.report(StageAdvanced(STAGE, done))
    reporter.report(StageEnded(STAGE))


def _record(prediction: Prediction, class_names: tuple[str, ...], top: int) -> PredictionRecord:
    if prediction.probabilities is None:
        return PredictionRecord(prediction.path, None, None, None, None, False, prediction.error)
    ranking = (-prediction.probabilities).argsort(kind="stable")[:top]
    ranked = tuple(
        RankedClass(class_names[label], float(prediction.probabilities[label])) for label in ranking
    )
    return PredictionRecord(
        prediction.path,
        ranked[0].label,
        ranked[0].probability,
        ranked,
        prediction.typicality,
        prediction.unknown,
        None,
    )
