"""dlcli compare: runs side by side on the same pictures, and whether a difference is real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.commands.answers import ask, open_engine, report_on, warn_of_training_pictures
from dlcli.commands.engines import AUTO
from dlcli.commands.labelled import Labelled, labelled_pictures, own_pictures, require_known
from dlcli.commands.open_run import OpenedRun, open_run
from dlcli.commands.pairing import Asked, compare_asked
from dlcli.errors import SpecError, UsageError
from dlcli.events import NullReporter, Reporter, Said, Warned

if TYPE_CHECKING:
    from dlcli.data.index import SkippedFile
    from dlcli.metrics.paired import Comparison
    from dlcli.metrics.report import Report
    from dlcli.runs.run import OwnPictures

LEAST_RUNS = 2


@dataclass(frozen=True)
class CompareOptions:
    """`runs` as they were named, the first is what the others are compared with; `target` is a
    labelled folder or a manifest, None for the test pictures that all runs have in common."""

    runs: tuple[str, ...]
    runs_folder: Path
    target: Path | None = None
    split: str | None = None


@dataclass(frozen=True)
class RunReport:
    """A run and its report on the common pictures."""

    run: str
    report: Report


@dataclass(frozen=True)
class Setting:
    """A key of the spec and its value in each run, None where a run has no such key."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class CompareResult:
    """The runs in the order they were named; each but the first is compared with the first.
    `settings` are those that are not the same in all specs, None where a run has none."""

    source: str
    num_images: int
    runs: tuple[RunReport, ...]
    comparisons: tuple[Comparison, ...]
    settings: tuple[Setting, ...] | None
    skipped: tuple[SkippedFile, ...] = ()


def run(options: CompareOptions, reporter: Reporter) -> CompareResult:
    """Asks every run about the same pictures.

    Raises:
        UsageError: for fewer than two runs, one that there is not, or runs that have no test
            picture in common.
        DataError: if the pictures are gone, or a run does not know a class of theirs.
    """
    from dlcli.metrics.paired import adjusted

    opened = _open_runs(options, reporter)
    if options.target is None:
        labelled, rows = _common_pictures(opened, options.split, reporter)
    else:
        labelled, rows = labelled_pictures(options.target, options.split, reporter), None
    for one in opened:
        require_known(labelled, one.classifier.artifact.class_names, one.name)
    asked: list[Asked] = []
    skipped: list[SkippedFile] = []
    for one in opened:
        answers, missing = ask(one, open_engine(one, AUTO, reporter), labelled, reporter, rows)
        asked.append(Asked(one, answers))
        skipped += missing
        rows = [answer.row for answer in answers]
        if options.target is not None:
            warn_of_training_pictures(one, answers, reporter, one.name)
    common = [_only(one, set(rows or ())) for one in asked]
    first, *others = common
    return CompareResult(
        labelled.source,
        len(first.answers),
        tuple(RunReport(one.opened.name, report_on(one.opened, one.answers)) for one in common),
        adjusted([compare_asked(other, first) for other in others]),
        _settings(opened, reporter),
        tuple(skipped),
    )


def flattened(values: Any, key: str = "") -> dict[str, Any]:
    """A spec's values by their dotted keys; lists are values."""
    if not isinstance(values, dict) or not values:
        return {key: values}
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flattened(value, f"{key}.{name}" if key else str(name))
    return found


def _open_runs(options: CompareOptions, reporter: Reporter) -> list[OpenedRun]:
    if len(options.runs) < LEAST_RUNS:
        raise UsageError(
            "one run alone cannot be compared.",
            where=" ".join(options.runs),
            fix="Name two or more; `dlcli runs` lists them.",
        )
    opened = [open_run(name, options.runs_folder, reporter) for name in options.runs]
    folders = [one.folder.resolve() for one in opened]
    for one, folder in zip(opened, folders, strict=True):
        if folders.count(folder) > 1:
            raise UsageError("this run is named twice.", where=one.name, fix="Name another.")
    return opened


def _only(asked: Asked, rows: set[int]) -> Asked:
    return Asked(asked.opened, [answer for answer in asked.answers if answer.row in rows])


def _common_pictures(
    opened: Sequence[OpenedRun], split: str | None, reporter: Reporter
) -> tuple[Labelled, list[int]]:
    """The pictures of the first run's test part that are, to the byte, in that of every other run
    under the same class: no run was trained on them. Of val, where not all have a test part."""
    owns = [_require_own(one) for one in opened]
    wanted = split
    if wanted is None:
        wanted = "test" if all("test" in own.splits for own in owns) else "val"
        if wanted == "val":
            reporter.report(
                Warned("not every run has a test part: val is used, which chose the models")
            )
    labelled = own_pictures(opened[0], owns[0], wanted, NullReporter())
    rows = list(range(len(labelled.paths)))
    for one, own in zip(opened[1:], owns[1:], strict=True):
        labels = {row["sha256"]: row["label"] for row in own.of(wanted)}
        rows = [row for row in rows if labelled.sha256s[row] in labels]
        agreed = [row for row in rows if labels[str(labelled.sha256s[row])] == labelled.names[row]]
        if len(agreed) < len(rows):
            reporter.report(
                Warned(
                    f"pictures that have another label in {one.name}, and are left out: "
                    f"{len(rows) - len(agreed)}"
                )
            )
        rows = agreed
    if not rows:
        raise UsageError(
            f"these runs have no {wanted} picture in common.",
            where=", ".join(one.name for one in opened),
            fix="Name labelled pictures that none of them was trained on with --on, or train with "
            f"--split-from {opened[0].name}.",
        )
    if len(rows) < len(labelled.paths):
        reporter.report(
            Said(
                f"{len(rows)} of the {len(labelled.paths)} {wanted} pictures of {opened[0].name} "
                "are in that part of every run: these are compared"
            )
        )
    return labelled, rows


def _require_own(opened: OpenedRun) -> OwnPictures:
    from dlcli.runs.run import Run

    own = Run(opened.folder).pictures()
    if own is None:
        raise UsageError(
            "this model has no pictures of its own.",
            where=opened.name,
            fix="Name a labelled folder or a manifest with --on.",
        )
    return own


def _settings(opened: Sequence[OpenedRun], reporter: Reporter) -> tuple[Setting, ...] | None:
    """What the resolved specs do not have in common, key by key."""
    from dlcli.runs import files
    from dlcli.spec.reader import read_spec_text

    specs = []
    for one in opened:
        try:
            specs.append(flattened(read_spec_text(one.folder / files.SPEC).values))
        except (SpecError, UsageError):
            reporter.report(Warned(f"{one.name} has no spec: settings are not compared"))
            return None
    keys = list(dict.fromkeys(key for spec in specs for key in spec))
    found = [Setting(key, tuple(spec.get(key) for spec in specs)) for key in keys]
    return tuple(one for one in found if any(value != one.values[0] for value in one.values))
