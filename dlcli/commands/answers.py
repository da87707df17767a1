"""What a run says of labelled pictures, by LiteRT or by Keras."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from dlcli.commands.engines import KERAS, start_keras
from dlcli.errors import DataError
from dlcli.events import Reporter, StageAdvanced, StageEnded, StageStarted, Warned

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dlcli.backend import Model
    from dlcli.commands.labelled import Labelled
    from dlcli.commands.open_run import OpenedRun
    from dlcli.data.index import SkippedFile
    from dlcli.metrics.report import Report
    from dlcli.runtime.classifier import Classifier

STAGE = "evaluating"
_BATCH = 32


@dataclass(frozen=True)
class Answer:
    """What the model said of the picture in a row of what it was asked, and what is true."""

    row: int
    name: str
    sha256: str
    probabilities: NDArray[np.float32]
    path: str


class Engine(Protocol):
    """What gives probabilities for pixels: a step for each picture on one of several threads, then
    one for a batch of pictures."""

    def begin(self, pixels: NDArray[np.uint8]) -> NDArray[np.generic]:
        """uint8 (H, W, C), 0-255 -> what `end` takes."""

    def end(self, begun: Sequence[NDArray[np.generic]]) -> Sequence[NDArray[np.float32]]:
        """Probabilities float32 (K,) for each of a batch."""


@dataclass(frozen=True)
class LiteRtEngine:
    """As `predict` does it: all of it on the threads."""

    classifier: Classifier

    def begin(self, pixels: NDArray[np.uint8]) -> NDArray[np.generic]:
        """float32 (K,)"""
        (answer,) = self.classifier.predict_pixels(pixels[None])
        found: NDArray[np.float32] = answer
        return found

    def end(self, begun: Sequence[NDArray[np.generic]]) -> Sequence[NDArray[np.float32]]:
        """The same."""
        import numpy as np

        return [np.asarray(one, np.float32) for one in begun]


@dataclass(frozen=True)
class KerasEngine:
    """The whole network in Keras, the temperature in it, a batch at a time."""

    model: Model

    def begin(self, pixels: NDArray[np.uint8]) -> NDArray[np.generic]:
        """The pixels themselves."""
        return pixels

    def end(self, begun: Sequence[NDArray[np.generic]]) -> Sequence[NDArray[np.float32]]:
        """Of a batch of pixels."""
        import numpy as np

        answers = self.model.predict_on_batch(np.stack(begun).astype(np.float32))
        return list(np.asarray(answers, np.float32))


def open_engine(opened: OpenedRun, named: str, reporter: Reporter) -> Engine:
    """The engine called `named`; `auto` is LiteRT.

    Raises:
        DataError: if the Keras model of the run is damaged.
        ResourceError: if the weights of its backbone are missing.
    """
    classifier = opened.classifier
    if named != KERAS:
        return LiteRtEngine(classifier)
    start_keras(classifier.artifact, reporter)
    from dlcli.models.model import open_model

    return KerasEngine(open_model(classifier.artifact, classifier.head))


def ask(
    opened: OpenedRun,
    engine: Engine,
    labelled: Labelled,
    reporter: Reporter,
    rows: Sequence[int] | None = None,
) -> tuple[list[Answer], list[SkippedFile]]:
    """Answers in order; a picture that is unreadable or no longer the same is skipped. With `rows`
    only those pictures are asked about.

    Raises:
        DataError: if none of them can be used.
    """
    from dlcli.data.announce import announce_skipped, list_skipped
    from dlcli.data.index import SkippedFile

    answers: list[Answer] = []
    skipped = list(labelled.skipped) if rows is None else []
    rows = range(len(labelled.paths)) if rows is None else rows
    waiting: list[_Read] = []
    reporter.report(StageStarted(STAGE, len(rows)))
    for done, found in enumerate(_read_all(opened, engine, labelled, rows), 1):
        if isinstance(found, str):
            skipped.append(SkippedFile(labelled.paths[rows[done - 1]], found))
        else:
            waiting.append(found)
        if len(waiting) == _BATCH or done == len(rows):
            answers += _end(engine, waiting, labelled)
            waiting = []
        reporter.report(StageAdvanced(STAGE, done))
    reporter.report(StageEnded(STAGE))
    if not answers:
        raise DataError(
            f"none of the pictures can be used: {list_skipped(skipped)}.", where=labelled.source
        )
    announce_skipped(skipped, reporter)
    return answers, skipped


def report_on(opened: OpenedRun, answers: Sequence[Answer]) -> Report:
    """The report on the answers of a run."""
    from dlcli.metrics.report import make_report

    class_names = opened.classifier.artifact.class_names
    return make_report(*stacked(opened, answers), class_names, opened.classifier.head.temperature)


def stacked(
    opened: OpenedRun, answers: Sequence[Answer]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Probabilities (N, K) and true labels (N,)."""
    import numpy as np

    names = opened.classifier.artifact.class_names
    label_of = {name: label for label, name in enumerate(names)}
    return (
        np.stack([answer.probabilities for answer in answers]),
        np.array([label_of[answer.name] for answer in answers], np.int64),
    )


def warn_of_training_pictures(
    opened: OpenedRun, answers: Sequence[Answer], reporter: Reporter, who: str = ""
) -> int | None:
    """How many of the pictures the run was trained on, which is told; None where that is not
    known. `who` names the run where there are several."""
    from dlcli.runs.run import Run

    own = Run(opened.folder).pictures()
    if own is None:
        return None
    rows = own.rows if opened.classifier.artifact.model.refit else own.of("train")
    trained = {row["sha256"] for row in rows}
    seen = sum(answer.sha256 in trained for answer in answers)
    if seen:
        flatter = f"{who}: its numbers flatter" if who else ": the numbers flatter"
        by = " by " if who else ""
        told = f"{seen} of these {len(answers)} pictures were trained on{by}{flatter}"
        reporter.report(Warned(told))
    return seen


@dataclass(frozen=True)
class _Read:
    """A picture that could be read, and what the engine has begun with it."""

    row: int
    sha256: str
    begun: NDArray[np.generic]


def _read_all(
    opened: OpenedRun, engine: Engine, labelled: Labelled, rows: Sequence[int]
) -> Iterator[_Read | str]:
    """Each of these pictures in order, or why it cannot be used."""
    from dlcli.data.pixels import UnreadableImageError, decode_image, read_file
    from dlcli.processor import num_threads
    from dlcli.workers import in_order

    pixel_format = opened.classifier.artifact.pixel_format

    def read(row: int) -> _Read | str:
        try:
            content = read_file(str(labelled.folder / labelled.paths[row]))
            sha256 = hashlib.sha256(content).hexdigest()
            if labelled.sha256s[row] not in (None, sha256):
                return "changed since the training"
            return _Read(row, sha256, engine.begin(decode_image(content, pixel_format)))
        except UnreadableImageError as error:
            return str(error)

    return in_order(read, rows, num_threads())


def _end(engine: Engine, waiting: Sequence[_Read], labelled: Labelled) -> list[Answer]:
    if not waiting:
        return []
    return [
        Answer(one.row, labelled.names[one.row], one.sha256, probabilities, labelled.paths[one.row])
        for one, probabilities in zip(
            waiting, engine.end([one.begun for one in waiting]), strict=True
        )
    ]
