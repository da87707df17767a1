"""dlcli evaluate: how good a run is, on its own test pictures or on others with labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.answer_rules import answers_on_val, least_of_sets, require_share
from dlcli.commands.answers import (
    Answer,
    ask,
    open_engine,
    report_on,
    stacked,
    warn_of_training_pictures,
)
from dlcli.commands.engines import AUTO
from dlcli.commands.flattery import tell_of_flattery
from dlcli.commands.labelled import Labelled, labelled_pictures, own_pictures, require_known
from dlcli.commands.open_run import OpenedRun, open_run
from dlcli.commands.pairing import Asked, compare_asked
from dlcli.errors import DataError, GateError, UsageError
from dlcli.events import Reporter, Warned
from dlcli.metrics.gates import Gate, judge, read_bounds, read_share, require_measurable

if TYPE_CHECKING:
    from dlcli.commands.page_facts import PageFacts
    from dlcli.data.index import SkippedFile
    from dlcli.metrics.agreement import Agreement
    from dlcli.metrics.conformal import SetCoverage
    from dlcli.metrics.paired import Comparison
    from dlcli.metrics.report import Report

DROP = "accuracy_drop"


@dataclass(frozen=True)
class EvaluateOptions:
    """`target` is a labelled folder or a manifest, None for the run's own pictures; `split` is
    "val" or "test". `minima` and `maxima` are gates as typed, `METRIC=VALUE`; `max_drop` is one on
    the accuracy lost against `baseline`, another run. `coverage` is how often sets of classes are
    to hold the true one. `junit`, `markdown` and `report`, which is a
    page, are files to write."""

    target: Path | None
    runs_folder: Path
    run: str | None = None
    split: str | None = None
    engine: str = AUTO
    minima: tuple[str, ...] = ()
    maxima: tuple[str, ...] = ()
    baseline: str | None = None
    max_drop: str | None = None
    coverage: float | None = None
    junit: Path | None = None
    markdown: Path | None = None
    report: Path | None = None
    opens: bool = False
    force: bool = False

    @property
    def wants_page(self) -> bool:
        """Whether a page is to be written, into `report` or, to be opened, elsewhere."""
        return self.opens or self.report is not None

    @property
    def has_gates(self) -> bool:
        """Whether anything is to be kept to."""
        return bool(self.minima or self.maxima or self.max_drop is not None)


@dataclass(frozen=True)
class EvaluateResult:
    """The report, on which pictures (`source`), and what could not be used; whether the gates are
    met, how the run compares with a baseline, and its test pictures with those of val, and how
    sets of classes do that are to hold the true one. `page` and
    where it goes, `page_file`, are there where a page is wanted."""

    run: str
    source: str
    report: Report
    skipped: tuple[SkippedFile, ...]
    gates: tuple[Gate, ...] = ()
    comparison: Comparison | None = None
    agreement: Agreement | None = None
    sets: SetCoverage | None = None
    page: PageFacts | None = None
    page_file: Path | None = None


def run(options: EvaluateOptions, reporter: Reporter) -> EvaluateResult:
    """Runs the model over labelled pictures and reports.

    Raises:
        UsageError: if there is no such run or target, the split asked for does not exist, a gate
            asks for what there is not, or a file may not be written where it is wanted.
        DataError: if the pictures are gone, the manifest is faulty, or the run does not know a
            class.
    """
    from dlcli.runs.run import Run

    bounds, max_drop = read_bounds(options.minima, options.maxima), _read_drop(options)
    require_share("--coverage", options.coverage)
    opened = open_run(options.run, options.runs_folder, reporter)
    require_measurable(bounds, opened.classifier.artifact.class_names)
    baseline = None
    if options.baseline is not None:
        baseline = open_run(options.baseline, options.runs_folder, reporter, "baseline: ")
    if options.target is None:
        own = Run(opened.folder).pictures()
        labelled = own_pictures(opened, own, options.split, reporter)
    else:
        labelled = labelled_pictures(options.target, options.split, reporter)
    for one in (opened, baseline) if baseline else (opened,):
        who = "the run" if one is opened else f"the baseline {one.name}"
        require_known(labelled, one.classifier.artifact.class_names, who)
    _require_places(options, labelled)
    engine = open_engine(opened, options.engine, reporter)
    answers, skipped = ask(opened, engine, labelled, reporter)
    num_trained = None
    if options.target is not None:
        num_trained = warn_of_training_pictures(opened, answers, reporter)
    report = report_on(opened, answers)
    gates = judge(bounds, report)
    comparison = None
    if baseline is not None:
        comparison = _compare(Asked(opened, answers), baseline, labelled, options, reporter)
        if max_drop is not None:
            gates += (_judge_drop(comparison, max_drop),)
    result = EvaluateResult(
        opened.name,
        labelled.source,
        report,
        tuple(skipped),
        gates,
        comparison,
        _agreement(opened, labelled, report, reporter),
        _check_sets(opened, answers, options.coverage, reporter),
    )
    if not options.wants_page:
        return result
    from dlcli.commands.report_page import evaluation_facts, place_of

    page = evaluation_facts(
        opened,
        labelled,
        answers,
        report,
        skipped=skipped,
        num_trained=num_trained,
        agreement=result.agreement,
    )
    return replace(result, page=page, page_file=place_of(options.report, opened.folder))


def write_files(result: EvaluateResult, options: EvaluateOptions) -> None:
    """Writes the files that were asked for, each whole or not at all."""
    from dlcli.runs.files import write_text

    if options.junit is not None:
        from dlcli.ui.junit import junit_text

        write_text(options.junit, junit_text(result))
    if options.markdown is not None:
        from dlcli.ui.markdown import markdown_text

        write_text(options.markdown, markdown_text(result))


def require_gates(result: EvaluateResult) -> None:
    """To be called when the answer has been given.

    Raises:
        GateError: if a gate is not met.
    """
    missed = [gate.metric for gate in result.gates if not gate.passed]
    if missed:
        raise GateError(
            f"{len(missed)} of {len(result.gates)} gates are not met: {', '.join(missed)}.",
            where=result.run,
            fix="The report says where it fails.",
        )


def _read_drop(options: EvaluateOptions) -> float | None:
    if options.max_drop is None:
        return None
    if options.baseline is None:
        raise UsageError(
            "says how much may be lost, but not against which run.",
            where="--max-drop",
            fix="Name the run with --baseline.",
        )
    where = f"--max-drop {options.max_drop}"
    drop = read_share(options.max_drop, where)
    if drop > 1:
        raise UsageError(
            "no accuracy can drop by more than 1.", where=where, fix="Write 0.005 or 0.5%."
        )
    return drop


def _require_places(options: EvaluateOptions, labelled: Labelled) -> None:
    from dlcli.commands.report_place import require_place

    if options.junit is not None and not options.has_gates:
        raise UsageError(
            "there is no gate to write of.",
            where=f"--junit {options.junit}",
            fix="Name one, e.g. --min accuracy=0.95",
        )
    wanted = (options.junit, options.markdown, options.report)
    files = [file for file in wanted if file is not None]
    if len(files) > len({file.resolve() for file in files}):
        raise UsageError("this is to be two files at once.", where=str(files[0]), fix="Name two.")
    for file in files:
        require_place(file, labelled.kept_clean, options.target, force=options.force)


def _compare(
    asked: Asked,
    baseline: OpenedRun,
    labelled: Labelled,
    options: EvaluateOptions,
    reporter: Reporter,
) -> Comparison:
    """The baseline is asked about what the run has answered."""
    engine = open_engine(baseline, options.engine, reporter)
    rows = [answer.row for answer in asked.answers]
    answers, _ = ask(baseline, engine, labelled, reporter, rows)
    warn_of_training_pictures(baseline, answers, reporter, baseline.name)
    return compare_asked(asked, Asked(baseline, answers))


def _judge_drop(comparison: Comparison, most: float) -> Gate:
    drop = 0 - comparison.difference
    detail = f"{comparison.only_baseline_right} lost, {comparison.only_run_right} gained"
    return Gate(DROP, None, most, drop, drop <= most, detail)


def _check_sets(
    opened: OpenedRun, answers: Sequence[Answer], coverage: float | None, reporter: Reporter
) -> SetCoverage | None:
    """How the sets do that `predict --coverage` gives."""
    if coverage is None:
        return None
    from dlcli.metrics.conformal import check_sets

    val = answers_on_val(opened.classifier, "--coverage", opened.name)
    least = least_of_sets(val, coverage, reporter)
    return check_sets(*stacked(opened, answers), coverage, least)


def _agreement(
    opened: OpenedRun, labelled: Labelled, report: Report, reporter: Reporter
) -> Agreement | None:
    """How the run's own test pictures agree with what it says of val; None for all others, and
    where its numbers are gone."""
    from dlcli.metrics.agreement import agreement_of
    from dlcli.runs.run import Run

    if labelled.part != "test":
        return None
    try:
        val, _ = Run(opened.folder).reports()
    except DataError as error:
        reporter.report(Warned(f"val and test cannot be compared: {error.what}"))
        return None
    agreement = agreement_of(val, report)
    tell_of_flattery(agreement, reporter)
    return agreement
