"""report.html: what is known of a run and of its answers, gathered and written as a page."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dlcli.commands.page_facts import (
    MOST_EXAMPLES,
    MOST_MISTAKES,
    MOST_PAIRS,
    PageFacts,
    PairExamples,
    WrongAnswer,
)
from dlcli.commands.run_facts import (
    describe_making,
    read_epochs,
    read_spec_text,
    take_census,
)
from dlcli.errors import DataError
from dlcli.events import Reporter, Warned

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dlcli.artifact import ModelFacts
    from dlcli.commands.open_run import OpenedRun
    from dlcli.commands.plan import Plan
    from dlcli.commands.train_result import TrainResult
    from dlcli.data.index import SkippedFile
    from dlcli.data.pixels import PixelFormat
    from dlcli.metrics.agreement import Agreement
    from dlcli.metrics.report import Report
    from dlcli.runs.run import Run
    from dlcli.training.trained import TrainedModel

MATPLOTLIB = "matplotlib"
"""Where matplotlib keeps what it knows of fonts, in the cache folder."""

_SEEN = {
    "crop": "the largest part from the middle",
    "pad": "the whole picture on grey",
    "stretch": "the whole picture, stretched",
}


@dataclass(frozen=True)
class Answers:
    """What a model said of labelled pictures: probabilities (N, K), labels (N,), the path of each,
    and how the model saw it (None where that can no longer be had). `source`, `part`,
    `num_trained` and `agreement` are those of `PageFacts`."""

    source: str
    part: str | None
    paths: Sequence[str]
    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    report: Report
    see: Callable[[int], NDArray[np.uint8] | None]
    skipped: tuple[SkippedFile, ...] = ()
    num_trained: int | None = None
    agreement: Agreement | None = None


@dataclass(frozen=True)
class MadeOf:
    """A model, how it sees pictures, and the rows (path, class, part, group, sha256) of those it
    was trained with; none where that is not known."""

    model: ModelFacts
    pixel_format: PixelFormat
    pictures: Iterable[Sequence[str]] = ()


def write_training_page(
    opened: Run, model: TrainedModel, plan: Plan, result: TrainResult, reporter: Reporter
) -> Path | None:
    """Writes report.html into a run whose numbers stand, and says where. That it cannot be is a
    warning and None: whatever the reason, it is not worth a training."""
    from dlcli.runs import files

    page = opened.folder / files.REPORT
    try:
        write_page(_training_facts(opened, model, plan, result), page)
    except Exception as error:  # noqa: BLE001 - the run stands, and must be told to
        said = str(error) or type(error).__name__
        again = "`dlcli evaluate --report FILE.html` makes it"
        reporter.report(Warned(f"{files.REPORT} could not be written: {said} ({again})"))
        return None
    return page


class AskedPictures(Protocol):
    """The pictures that an evaluation was about, below `folder`; `part` is which of the run's own
    they are."""

    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def folder(self) -> Path: ...  # noqa: D102
    @property
    def part(self) -> str | None: ...  # noqa: D102


class GivenAnswer(Protocol):
    """What a model said of one of them: its path, the name of its true class, probabilities."""

    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def probabilities(self) -> NDArray[np.float32]: ...  # noqa: D102


def evaluation_facts(
    opened: OpenedRun,
    asked: AskedPictures,
    given: Sequence[GivenAnswer],
    report: Report,
    *,
    skipped: Sequence[SkippedFile],
    num_trained: int | None,
    agreement: Agreement | None,
) -> PageFacts:
    """Everything on the page of an evaluation; `num_trained` and `agreement` are
    those of `PageFacts`.

    Raises:
        DataError: if a file of the run is damaged.
    """
    import numpy as np

    from dlcli.runs.run import IMAGENET, Run

    artifact = opened.classifier.artifact
    label_of = {name: label for label, name in enumerate(artifact.class_names)}
    paths = [one.path for one in given]
    answers = Answers(
        asked.source,
        asked.part,
        paths,
        np.stack([one.probabilities for one in given]),
        np.array([label_of[one.name] for one in given], np.int64),
        report,
        see_again(asked.folder, paths, artifact.pixel_format),
        tuple(skipped),
        num_trained,
        agreement,
    )
    own = Run(opened.folder).pictures()
    columns = ("path", "label", "split", "group", "sha256")
    rows = ([row.get(column, "") for column in columns] for row in (own.rows if own else ()))
    made_of = MadeOf(artifact.model, artifact.pixel_format, rows)
    name = IMAGENET if opened.name == IMAGENET else opened.folder.resolve().name
    return gather_facts(name, opened.folder.resolve(), answers, made_of)


def see_again(
    folder: Path, paths: Sequence[str], pixel_format: PixelFormat
) -> Callable[[int], NDArray[np.uint8] | None]:
    """Reads one of these files as a model sees it."""
    from dlcli.data.pixels import UnreadableImageError, read_image

    def see(number: int) -> NDArray[np.uint8] | None:
        try:
            return read_image(folder / paths[number], pixel_format)
        except UnreadableImageError:
            return None

    return see


def write_page(facts: PageFacts, path: Path) -> None:
    """Writes the page, whole or not at all."""
    from dlcli.cache import cache_folder
    from dlcli.runs.files import write_atomic
    from dlcli.ui import plots
    from dlcli.ui.report_page import report_page

    plots.load(cache_folder() / MATPLOTLIB)
    write_atomic(path, report_page(facts).encode("utf-8"))


def place_of(report: Path | None, run_folder: Path) -> Path:
    """Where the page of an evaluation goes: where it was asked for, else beside what the run has
    already, else, as for an artefact that stands alone, into a folder for temporary files."""
    from dlcli.runs import files
    from dlcli.runs.run import is_run

    if report is not None:
        return report
    if is_run(run_folder.resolve()) and os.access(run_folder, os.W_OK):
        return run_folder / files.EVALUATION
    return Path(tempfile.mkdtemp(prefix="dlcli-")) / files.EVALUATION


def gather_facts(name: str, folder: Path, answers: Answers, made_of: MadeOf) -> PageFacts:
    """Everything on the page of an evaluation of the model in `folder`, a run or an artefact.

    Raises:
        DataError: if a file of the run is damaged.
    """
    from dlcli.metrics.mistakes import rank_mistakes
    from dlcli.metrics.reliability import reliability_bins
    from dlcli.runs.run import Run, is_run

    wrong = rank_mistakes(answers.probabilities, answers.labels)
    run = Run(folder) if is_run(folder) else None
    about = run.describe() if run else {}
    return PageFacts(
        run=name,
        source=answers.source,
        part=answers.part,
        report=answers.report,
        bins=reliability_bins(answers.probabilities, answers.labels),
        mistakes=_wrong_answers(answers, wrong[:MOST_MISTAKES].tolist()),
        confused=_confused(answers, wrong),
        seen_as=_seen_as(made_of.pixel_format),
        skipped=answers.skipped,
        num_trained=answers.num_trained,
        census=take_census(made_of.pictures, [scores.name for scores in answers.report.classes]),
        epochs=read_epochs(run) if run else (),
        agreement=answers.agreement,
        spec=read_spec_text(run) if run else None,
        environment=describe_making(about, made_of.model, made_of.pixel_format),
        refit=made_of.model.refit and answers.part is not None,
    )


def _training_facts(opened: Run, model: TrainedModel, plan: Plan, result: TrainResult) -> PageFacts:
    """The test pictures, or those of val where there are none."""
    import numpy as np

    dataset = model.dataset
    part, report = ("test", result.test) if result.test else ("val", result.val)
    rows = dataset.rows(part)
    probabilities, labels = model.answers(part)

    def see(number: int) -> NDArray[np.uint8] | None:
        try:
            return np.asarray(dataset.store.read([int(rows[number])])[0])
        except DataError:  # the pixels are read from the files, and this one has changed
            return None

    answers = Answers(
        f"{part} of {dataset.index.source}",
        part,
        [dataset.index.files[row].path for row in rows],
        probabilities,
        labels,
        report,
        see,
        dataset.skipped,
        agreement=result.agreement,
    )
    made_of = MadeOf(result.model, plan.pixel_format, dataset.split_rows())
    return gather_facts(opened.folder.name, opened.folder, answers, made_of)


def _wrong_answers(answers: Answers, rows: Sequence[int]) -> tuple[WrongAnswer, ...]:
    from dlcli.data.thumbnails import thumbnail_of

    shown = []
    for row in rows:
        own, true = answers.probabilities[row], int(answers.labels[row])
        predicted = int(own.argmax())
        pixels = answers.see(row)
        shown.append(
            WrongAnswer(
                answers.paths[row],
                answers.report.classes[true].name,
                answers.report.classes[predicted].name,
                float(own[predicted]),
                float(own[true]),
                None if pixels is None else thumbnail_of(pixels),
            )
        )
    return tuple(shown)


def _confused(answers: Answers, wrong: NDArray[np.int64]) -> tuple[PairExamples, ...]:
    label_of = {scores.name: label for label, scores in enumerate(answers.report.classes)}
    true, predicted = answers.labels[wrong], answers.probabilities[wrong].argmax(axis=1)
    found = []
    for pair in answers.report.most_confused[:MOST_PAIRS]:
        own = (true == label_of[pair.true]) & (predicted == label_of[pair.predicted])
        rows = wrong[own][:MOST_EXAMPLES].tolist()
        found.append(PairExamples(pair, _wrong_answers(answers, rows)))
    return tuple(found)


def _seen_as(pixel_format: PixelFormat) -> str:
    height, width = pixel_format.image_size
    return (
        f"Pictures are shown as the model sees them: {_SEEN[pixel_format.resize]}, in "
        f"{width} × {height} pixels{'' if pixel_format.color == 'rgb' else ', grey'}."
    )
