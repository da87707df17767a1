"""dlcli evaluate: how good a run is, on its own test pictures or on a labelled folder."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.open_run import OpenedRun, open_run
from dlcli.errors import DataError, UsageError
from dlcli.events import Reporter, StageAdvanced, StageEnded, StageStarted, Warned

if TYPE_CHECKING:
    from dlcli.data.index import SkippedFile
    from dlcli.metrics.report import Report

STAGE = "evaluating"


@dataclass(frozen=True)
class EvaluateOptions:
    """`target` is a labelled folder, None for the run's own pictures; `split` "val" or "test"."""

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
    """Pictures with the names of their classes."""

    source: str
    paths: list[Path]
    names: list[str]
    skipped: tuple[SkippedFile, ...] = ()


def run(options: EvaluateOptions, reporter: Reporter) -> EvaluateResult:
    """Runs the model over labelled pictures and reports.

    Raises:
        UsageError: if there is no such run or folder, or the split asked for does not exist.
        DataError: if the pictures are gone, or the folder holds a class the run does not know.
    """
    from dlcli.data.index import SkippedFile
    from dlcli.metrics.report import make_report

    opened = open_run(options.run, options.runs_folder, reporter)
    if options.target is None:
        labelled = _own_pictures(opened, options.split, reporter)
    else:
        labelled = _folder_pictures(opened, options.target, options.split)
    import numpy as np

    class_names = opened.classifier.artifact.class_names
    label_of = {name: label for label, name in enumerate(class_names)}
    probabilities, labels, skipped = [], [], list(labelled.skipped)
    reporter.report(StageStarted(STAGE, len(labelled.paths)))
    predictions = opened.classifier.predict_files(labelled.paths)
    for done, (prediction, name) in enumerate(zip(predictions, labelled.names, strict=True), 1):
        if prediction.probabilities is None:
            skipped.append(SkippedFile(prediction.path, prediction.error or ""))
        else:
            probabilities.append(prediction.probabilities)
            labels.append(label_of[name])
        reporter.report(StageAdvanced(STAGE, done))
    reporter.report(StageEnded(STAGE))
    _report_skipped(labelled.source, skipped, len(labels), reporter)
    report = make_report(np.stack(probabilities), np.array(labels, np.int64), class_names)
    return EvaluateResult(opened.name, labelled.source, report, tuple(skipped))


def _own_pictures(opened: OpenedRun, split: str | None, reporter: Reporter) -> _Labelled:
    """The pictures of a split as split.csv lists them."""
    from dlcli.runs import files
    from dlcli.runs.run import Run

    listing = opened.folder / files.SPLIT
    if not listing.is_file():
        raise UsageError(
            "this model has no pictures of its own.",
            where=opened.name,
            fix="Name a labelled folder: dlcli evaluate FOLDER --run ...",
        )
    rows = files.read_csv(listing)
    splits = {row["split"] for row in rows}
    if split is None and "test" not in splits:
        reporter.report(Warned("this run has no test part: val is used, which chose the model"))
    wanted = split or ("test" if "test" in splits else "val")
    if wanted not in splits:
        raise UsageError(
            f"this run has no {wanted} part.", where="--split", fix=f"It has {_list(splits)}."
        )
    folder = Path(Run(opened.folder).describe()["data"]["folder"])
    chosen = [row for row in rows if row["split"] == wanted]
    paths = [folder / row["path"] for row in chosen]
    if not any(path.exists() for path in paths):
        raise DataError(
            "the pictures of this run are no longer there.",
            where=str(folder),
            fix="Name the folder they are in now: dlcli evaluate FOLDER",
        )
    return _Labelled(f"{wanted} of {folder}", paths, [row["label"] for row in chosen])


def _folder_pictures(opened: OpenedRun, folder: Path, split: str | None) -> _Labelled:
    """The pictures of a labelled folder, or of one part of a folder that is split."""
    from dlcli.data.index import index_folder

    index = index_folder(folder)
    _require_known(folder, index.class_names, opened.classifier.artifact.class_names)
    files, source = index.files, str(folder)
    if index.is_split:
        splits = {file.split for file in files if file.split}
        wanted = split or ("test" if "test" in splits else "val")
        files = tuple(file for file in files if file.split == wanted)
        source = f"{wanted} of {folder}"
        if not files:
            raise UsageError(
                f"this folder has no {wanted} part.", where=str(folder), fix="Name it with --split."
            )
    elif split:
        raise UsageError(
            "this folder is not split.",
            where=str(folder),
            fix="Leave --split out to use all of it.",
        )
    return _Labelled(
        source,
        [folder / file.path for file in files],
        [index.class_names[file.label] for file in files],
        index.skipped,
    )


def _require_known(folder: Path, found: tuple[str, ...], known: tuple[str, ...]) -> None:
    unknown = [name for name in found if name not in known]
    if not unknown:
        return
    near = difflib.get_close_matches(unknown[0], known, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise DataError(
        f"the run does not know {_list(unknown)}.{hint}",
        where=str(folder),
        fix=f"Its classes are {_list(known)}.",
    )


def _list(names: object, most: int = 8) -> str:
    texts = sorted(str(name) for name in names)  # type: ignore[attr-defined]
    return ", ".join(texts[:most]) + (", ..." if len(texts) > most else "")


def _report_skipped(
    source: str, skipped: list[SkippedFile], num_used: int, reporter: Reporter
) -> None:
    from dlcli.data.dataset import list_skipped

    if not num_used:
        raise DataError(f"none of the pictures can be used: {list_skipped(skipped)}.", where=source)
    if skipped:
        reporter.report(Warned(f"skipped {len(skipped)}: {list_skipped(skipped)}"))
