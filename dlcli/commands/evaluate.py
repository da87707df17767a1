"""dlcli evaluate: how good a run is, on its own test pictures or on others with labels."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.open_run import OpenedRun, open_run
from dlcli.errors import DataError, UsageError
from dlcli.events import Reporter, StageAdvanced, StageEnded, StageStarted, Warned

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dlcli.data.index import SkippedFile
    from dlcli.metrics.report import Report
    from dlcli.runs.run import OwnPictures

STAGE = "evaluating"


@dataclass(frozen=True)
class EvaluateOptions:
    """`target` is a labelled folder or a manifest, None for the run's own pictures; `split` is
    "val" or "test"."""

    target: Path | None
    runs_folder: Path
    run: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class EvaluateResult:
    """The report, on which pictures (`source`), and what could not be used."""

    run: str
    source: str
    report: Report
    skipped: tuple[SkippedFile, ...]


@dataclass(frozen=True)
class _Labelled:
    """Pictures below `folder` with the names of their classes; `sha256s` where they are known."""

    source: str
    folder: Path
    paths: list[str]
    names: list[str]
    sha256s: list[str | None]
    skipped: tuple[SkippedFile, ...] = ()


def run(options: EvaluateOptions, reporter: Reporter) -> EvaluateResult:
    """Runs the model over labelled pictures and reports.

    Raises:
        UsageError: if there is no such run or target, or the split asked for does not exist.
        DataError: if the pictures are gone, the manifest is faulty, or the run does not know a
            class.
    """
    import numpy as np

    from dlcli.metrics.report import make_report
    from dlcli.runs.run import Run

    opened = open_run(options.run, options.runs_folder, reporter)
    own = Run(opened.folder).pictures()
    is_refit = opened.classifier.artifact.model.refit
    if options.target is None:
        _require_measurable(opened, is_refit=is_refit)
        labelled = _own_pictures(opened, own, options.split, reporter)
    else:
        labelled = _labelled_pictures(options.target, options.split, reporter)
    class_names = opened.classifier.artifact.class_names
    _require_known(labelled, class_names)
    answers, skipped = _ask(opened, labelled, reporter)
    _tell_of_skipped(labelled, skipped, answers, reporter)
    if options.target is not None and own is not None:
        trained = own.rows if is_refit else own.of("train")
        _warn_of_training_pictures(answers, {row["sha256"] for row in trained}, reporter)
    label_of = {name: label for label, name in enumerate(class_names)}
    labels = np.array([label_of[answer.name] for answer in answers], np.int64)
    probabilities = np.stack([answer.probabilities for answer in answers])
    report = make_report(probabilities, labels, class_names)
    return EvaluateResult(opened.name, labelled.source, report, tuple(skipped))


@dataclass(frozen=True)
class _Answer:
    """What the model said of one picture, and what is true."""

    name: str
    sha256: str
    probabilities: NDArray[np.float32]


def _ask(
    opened: OpenedRun, labelled: _Labelled, reporter: Reporter
) -> tuple[list[_Answer], list[SkippedFile]]:
    """Answers in order; a picture that is unreadable or no longer the same is skipped."""
    from dlcli.data.index import SkippedFile
    from dlcli.data.pixels import UnreadableImageError, read_file
    from dlcli.processor import num_threads
    from dlcli.workers import in_order

    def ask(number: int) -> _Answer | str:
        path = str(labelled.folder / labelled.paths[number])
        try:
            content = read_file(path)
        except UnreadableImageError as error:
            return str(error)
        sha256 = hashlib.sha256(content).hexdigest()
        if labelled.sha256s[number] not in (None, sha256):
            return "changed since the training"
        prediction = opened.classifier.predict_content(path, content)
        if prediction.probabilities is None:
            return prediction.error or "unreadable"
        return _Answer(labelled.names[number], sha256, prediction.probabilities)

    answers, skipped = [], list(labelled.skipped)
    reporter.report(StageStarted(STAGE, len(labelled.paths)))
    for number, answer in enumerate(in_order(ask, range(len(labelled.paths)), num_threads())):
        if isinstance(answer, str):
            skipped.append(SkippedFile(labelled.paths[number], answer))
        else:
            answers.append(answer)
        reporter.report(StageAdvanced(STAGE, number + 1))
    reporter.report(StageEnded(STAGE))
    return answers, skipped


def _require_measurable(opened: OpenedRun, *, is_refit: bool) -> None:
    """A model that has seen its test pictures cannot be measured with them."""
    from dlcli.runs import files

    if is_refit:
        raise UsageError(
            "this model was trained once more on all of its pictures (--refit), test among them.",
            where=opened.name,
            fix="Name pictures that it has not seen: dlcli evaluate FOLDER. The numbers that were "
            f"taken before are in {files.METRICS}.",
        )


def _own_pictures(
    opened: OpenedRun, own: OwnPictures | None, split: str | None, reporter: Reporter
) -> _Labelled:
    """The pictures of a split as split.csv lists them."""
    if own is None:
        raise UsageError(
            "this model has no pictures of its own.",
            where=opened.name,
            fix="Name a labelled folder or a manifest: dlcli evaluate FOLDER --run ...",
        )
    if split is None and "test" not in own.splits:
        reporter.report(Warned("this run has no test part: val is used, which chose the model"))
    wanted = split or ("test" if "test" in own.splits else "val")
    rows = own.of(wanted)
    if not rows:
        raise UsageError(
            f"this run has no {wanted} part.", where="--split", fix=f"It has {_list(own.splits)}."
        )
    if not any((own.folder / row["path"]).exists() for row in rows):
        raise DataError(
            "the pictures of this run are no longer there.",
            where=str(own.folder),
            fix="Name the folder they are in now: dlcli evaluate FOLDER",
        )
    return _Labelled(
        f"{wanted} of {own.folder}",
        own.folder,
        [row["path"] for row in rows],
        [row["label"] for row in rows],
        [row["sha256"] for row in rows],
    )


def _labelled_pictures(target: Path, split: str | None, reporter: Reporter) -> _Labelled:
    """The pictures of a labelled folder or manifest, or of one part of what is split."""
    from dlcli.data.announce import announce_columns
    from dlcli.data.index import index_dataset

    index = index_dataset(target)
    announce_columns(index, reporter)
    files, source = index.files, str(target)
    if index.is_split:
        splits = {file.split for file in files if file.split}
        wanted = split or ("test" if "test" in splits else "val")
        files = tuple(file for file in files if file.split == wanted)
        source = f"{wanted} of {target}"
        if not files:
            raise UsageError(
                f"there is no {wanted} part here.",
                where=str(target),
                fix=_other_parts(splits),
            )
    elif split:
        raise UsageError(
            "these pictures are not split.",
            where=str(target),
            fix="Leave --split out to use all of it.",
        )
    return _Labelled(
        source,
        index.folder,
        [file.path for file in files],
        [index.class_names[file.label] for file in files],
        [None] * len(files),
        index.skipped,
    )


def _other_parts(splits: set[str]) -> str:
    others = splits - {"train"}
    if others:
        return f"It has {_list(others)}: name one with --split."
    return "All of it is for training: name a folder or manifest that is not split to use it."


def _require_known(labelled: _Labelled, known: tuple[str, ...]) -> None:
    unknown = sorted(set(labelled.names) - set(known))
    if not unknown:
        return
    near = difflib.get_close_matches(unknown[0], known, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise DataError(
        f"the run does not know {_list(unknown)}.{hint}",
        where=labelled.source,
        fix=f"Its classes are {_list(known)}.",
    )


def _warn_of_training_pictures(
    answers: list[_Answer], trained: set[str], reporter: Reporter
) -> None:
    seen = sum(answer.sha256 in trained for answer in answers)
    if seen:
        reporter.report(
            Warned(f"{seen} of these {len(answers)} pictures were trained on: the numbers flatter")
        )


def _tell_of_skipped(
    labelled: _Labelled, skipped: list[SkippedFile], answers: list[_Answer], reporter: Reporter
) -> None:
    from dlcli.data.announce import announce_skipped, list_skipped

    if not answers:
        raise DataError(
            f"none of the pictures can be used: {list_skipped(skipped)}.", where=labelled.source
        )
    announce_skipped(skipped, reporter)


def _list(names: Iterable[str], most: int = 8) -> str:
    texts = sorted(names)
    return ", ".join(texts[:most]) + (", ..." if len(texts) > most else "")
