"""dlcli check: the truth about a folder of pictures, before anything is trained on it."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.errors import DataError, GateError, UsageError
from dlcli.events import Reporter, StageEnded, StageStarted

if TYPE_CHECKING:
    from dlcli.data.findings import Finding
    from dlcli.data.full_census import FullCensus
    from dlcli.data.index import DatasetIndex, SkippedFile
    from dlcli.data.inspection import Inspection

STAGE = "comparing pictures"
SPEC_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class CheckOptions:
    """`target` is a folder, a manifest (.csv) or a spec (.yaml); `fail_on` are lists of kinds of
    findings, with commas, as typed; `report` is an HTML file to write, `labels` a run."""

    target: Path
    runs_folder: Path
    fail_on: tuple[str, ...] = ()
    report: Path | None = None
    force: bool = False
    labels: str | None = None
    strict: bool = False


@dataclass(frozen=True)
class ClassCount:
    """A class and how many of its pictures can be read."""

    name: str
    num_images: int


@dataclass(frozen=True)
class Gate:
    """A bound on the number of findings of a kind, `metric`, and whether it is kept."""

    metric: str
    minimum: float | None
    maximum: float | None
    value: float
    passed: bool


@dataclass(frozen=True)
class CheckResult:
    """What was found. `num_images` and the counts of `classes` and `splits` (empty where the folder
    is not split) are pictures that can be read; the other candidates and strays are in `skipped`,
    and `num_ignored` are files that are known to be no pictures. `thumbnails` are JPEGs of what the
    page shows."""

    target: Path
    num_images: int
    classes: tuple[ClassCount, ...]
    splits: dict[str, int]
    findings: tuple[Finding, ...]
    gates: tuple[Gate, ...]
    census: FullCensus
    skipped: tuple[SkippedFile, ...]
    num_ignored: int
    num_unreadable: int
    left_out: tuple[str, ...]
    uniform_classes: tuple[str, ...]
    thumbnails: Mapping[str, bytes] = field(default_factory=dict)


def run(options: CheckOptions, reporter: Reporter) -> CheckResult:
    """Reads every picture and says what is wrong with the data set; writes nothing.

    Raises:
        SpecError: with every fault of the spec.
        UsageError: if the folder or the run is not there, a kind is unknown, or the report may not
            be written where it is wanted.
        DataError: if there are no pictures in class folders, or the manifest is faulty.
    """
    from dlcli.commands.report_place import picture_folders, require_place
    from dlcli.data.announce import announce_columns
    from dlcli.data.full_census import take_full_census
    from dlcli.data.inspection import inspect_pictures
    from dlcli.data.quality import left_out
    from dlcli.data.thumbnails import make_thumbnails
    from dlcli.ui.check_page import shown_paths

    gated = read_kinds(options.fail_on)
    _require_run(options, gated)
    index = _list_pictures(options.target, reporter)
    if options.report is not None:
        folders = picture_folders(index)
        require_place(options.report, folders, options.target, force=options.force)
    announce_columns(index, reporter)
    inspection = inspect_pictures(index.folder, [file.path for file in index.files], reporter)
    findings, uniform_classes = _find(index, inspection, options, reporter)
    thumbnails = {}
    if options.report is not None:
        thumbnails = make_thumbnails(index.folder, shown_paths(findings), reporter)
    unreadable = _unreadable(index, inspection)
    return CheckResult(
        target=options.target,
        num_images=len(index.files) - len(unreadable),
        classes=_count_classes(index, inspection),
        splits=_count_splits(index, inspection),
        findings=findings,
        gates=_gates(gated, findings),
        census=take_full_census(inspection),
        skipped=(*index.skipped, *unreadable),
        num_ignored=index.num_ignored,
        num_unreadable=len(unreadable) + len(index.missing),
        left_out=left_out(findings),
        uniform_classes=uniform_classes,
        thumbnails=thumbnails,
    )


def write_report(result: CheckResult, path: Path) -> None:
    """Writes the page, whole or not at all."""
    from dlcli.runs.files import write_text
    from dlcli.ui.check_page import check_page

    write_text(path, check_page(result))


def require_gates(result: CheckResult, *, strict: bool) -> None:
    """To be called when the answer has been given.

    Raises:
        DataError: with `strict`, if a file cannot be read.
        GateError: if there are findings of a kind that was to fail.
    """
    if strict and result.num_unreadable:
        raise DataError(
            f"{result.num_unreadable:,} of the files cannot be read.",
            where=str(result.target),
            fix="Mend or remove them, or leave --strict out.",
        )
    missed = [gate for gate in result.gates if not gate.passed]
    if missed:
        found = ", ".join(f"{gate.metric} ({gate.value:g})" for gate in missed)
        raise GateError(
            f"found what was not to be there: {found}.",
            where="--fail-on",
            fix="Mend it, or leave the pictures out (data.exclude).",
        )


def read_kinds(lists: Sequence[str]) -> tuple[str, ...]:
    """The kinds of findings in lists with commas, each once.

    Raises:
        UsageError: for one that does not exist, with the nearest that does.
    """
    from dlcli.data.findings import KINDS

    kinds = [kind.strip() for text in lists for kind in text.split(",")]
    for kind in kinds:
        if kind not in KINDS:
            near = difflib.get_close_matches(kind, KINDS, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise UsageError(
                f'there is no kind of finding called "{kind}".{hint}',
                where="--fail-on",
                fix=f"There are {', '.join(KINDS)}.",
            )
    return tuple(dict.fromkeys(kinds))


def _require_run(options: CheckOptions, gated: Sequence[str]) -> None:
    """Before any work: what only a run can find needs one, and it must be there."""
    from dlcli.data.findings import FROM_A_RUN
    from dlcli.runs.run import IMAGENET, find_run

    if options.labels is not None:
        if options.labels != IMAGENET:
            find_run(options.labels, options.runs_folder)
        return
    unknowable = [kind for kind in gated if kind in FROM_A_RUN]
    if unknowable:
        raise UsageError(
            f"{' and '.join(unknowable)} can only be found by a trained model.",
            where="--fail-on",
            fix="Name one with --labels RUN.",
        )


def _list_pictures(target: Path, reporter: Reporter) -> DatasetIndex:
    from dlcli.data.exclusions import exclude
    from dlcli.data.index import index_dataset

    excluded = None
    if target.suffix.lower() in SPEC_SUFFIXES and not target.is_dir():
        target, excluded = _read_spec(target)
    index = index_dataset(target)
    return index if excluded is None else exclude(index, excluded, reporter)


def _read_spec(file: Path) -> tuple[Path, Path | None]:
    """data.folder and data.exclude of a spec."""
    from dlcli.spec.loader import load_spec

    data = load_spec(file).data
    if data.folder is None:
        raise UsageError(
            "this spec names no folder of pictures.",
            where=str(file),
            fix="Set data.folder in it, or name the folder itself.",
        )
    return data.folder, data.exclude


def _find(
    index: DatasetIndex,
    inspection: Inspection,
    options: CheckOptions,
    reporter: Reporter,
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """All findings in their order, and the uniform classes."""
    from dlcli.data.findings import Finding
    from dlcli.data.quality import diagnose, sort_findings

    reporter.report(StageStarted(STAGE))
    diagnosis = diagnose(index, inspection)
    reporter.report(StageEnded(STAGE))
    found = [
        *diagnosis.findings,
        *(Finding("corrupt", (file.path,), file.reason) for file in index.missing),
        *_label_findings(index, inspection, options, reporter),
    ]
    return sort_findings(found), diagnosis.uniform_classes


def _label_findings(
    index: DatasetIndex, inspection: Inspection, options: CheckOptions, reporter: Reporter
) -> list[Finding]:
    """What the run makes of the labels, the worst first."""
    if options.labels is None:
        return []
    import numpy as np

    from dlcli.commands.label_check import find_label_issues
    from dlcli.data.findings import Finding

    readable = np.flatnonzero(inspection.readable).tolist()
    issues = find_label_issues(index, readable, options.labels, options.runs_folder, reporter)
    findings = []
    for issue in issues:
        file = index.files[issue.row]
        name, paths = index.class_names[file.label], (file.path,)
        exclude = paths if issue.kind == "unlikely_label" else ()
        findings.append(Finding(issue.kind, paths, issue.detail, exclude, (name,)))
    return findings


def _gates(kinds: Sequence[str], findings: Sequence[Finding]) -> tuple[Gate, ...]:
    found = Counter(finding.kind for finding in findings)
    return tuple(Gate(kind, None, 0, found[kind], not found[kind]) for kind in kinds)


def _unreadable(index: DatasetIndex, inspection: Inspection) -> list[SkippedFile]:
    from dlcli.data.index import SkippedFile

    reasons = sorted(inspection.reasons.items())
    return [SkippedFile(index.files[row].path, reason) for row, reason in reasons]


def _count_classes(index: DatasetIndex, inspection: Inspection) -> tuple[ClassCount, ...]:
    found = Counter(
        file.label
        for file, readable in zip(index.files, inspection.readable, strict=True)
        if readable
    )
    return tuple(ClassCount(name, found[label]) for label, name in enumerate(index.class_names))


def _count_splits(index: DatasetIndex, inspection: Inspection) -> dict[str, int]:
    found = Counter(
        file.split
        for file, readable in zip(index.files, inspection.readable, strict=True)
        if readable and file.split
    )
    return {split: found[split] for split in ("train", "val", "test") if found[split]}
