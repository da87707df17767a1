"""A report as a page that stands alone: how far to trust a model, and where it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlcli import __version__
from dlcli.ui import plots
from dlcli.ui.html import data_uri, render_page, short, text
from dlcli.ui.matrix_table import matrix_table

if TYPE_CHECKING:
    from markupsafe import Markup

    from dlcli.commands.page_facts import Epoch, PageFacts, PairExamples, WrongAnswer
    from dlcli.metrics.agreement import Agreement
    from dlcli.metrics.coverage import CoveragePoint
    from dlcli.metrics.reliability import ReliabilityBin
    from dlcli.metrics.report import Report

FEW_IMAGES = 30
MOST_CLASSES, MOST_COUNTED, MOST_SKIPPED, MOST_STAGES = 50, 100, 40, 40
"""Rows of the tables of scores, of pictures, of what was skipped and of stages."""

MOST_SPEC_LETTERS = 20_000
_NAME_LETTERS = 60
_SCALES = (100, 1000, 10_000)


@dataclass(frozen=True)
class _Picture:
    """A mistake as it is shown."""

    uri: str | None
    true: str
    predicted: str
    probability: str
    true_probability: str
    path: str


def report_page(facts: PageFacts) -> str:
    """The HTML document."""
    report = facts.report
    has_curves = any(row.loss is not None for row in facts.epochs)
    return render_page(
        "report.html",
        run=short(facts.run),
        source=short(facts.source),
        report=report,
        headline=_headline(facts),
        baseline=_baseline(report),
        notes=list(_notes(facts)),
        numbers=list(_numbers(facts)),
        curves=_curves(facts.epochs) if has_curves else (),
        stages=[_stage(rows) for _, rows in plots.stages_of(facts.epochs)[:MOST_STAGES]],
        matrix=matrix_table(report),
        classes=_class_rows(report),
        reliability=_reliability(facts) if facts.bins else None,
        bins=[_bin(one) for one in facts.bins],
        surest=[_surest(one) for one in report.risk_coverage or ()],
        num_mistakes=report.num_images - report.num_correct,
        mistakes=[_picture(one) for one in facts.mistakes],
        confused=[_pair(one) for one in facts.confused],
        seen_as=facts.seen_as,
        census=_census(facts),
        skipped=[(short(one.path), short(one.reason)) for one in facts.skipped[:MOST_SKIPPED]],
        num_skipped=len(facts.skipped),
        spec=_spec(facts.spec),
        environment=[(name, short(value, 600)) for name, value in facts.environment.items()],
        version=__version__,
    )


def _headline(facts: PageFacts) -> str:
    """What anyone understands."""
    report = facts.report
    if report.accuracy_interval is None:
        return "There was no picture to judge it by."
    pictures = _count(report.num_images, "picture", "pictures")
    which = {"test": " it had never seen", "val": " it was chosen by"}.get(facts.part or "", "")
    if facts.part is None and facts.num_trained == 0:
        which = " it had never seen"
    low, high = report.accuracy_interval
    said = f"Right on {report.num_correct:,} of {pictures}{which}"
    return f"{said}: between {_in_so_many(low, high)}."


def _in_so_many(low: float, high: float) -> str:
    """`92 and 99 in 100`, in finer steps where the two would be one number."""
    told = [(round(low * scale), round(high * scale), scale) for scale in _SCALES]
    lower, upper, scale = next((one for one in told if one[0] < one[1]), told[-1])
    return f"{lower:,} and {upper:,} in {scale:,}"


def _baseline(report: Report) -> str:
    if report.majority_baseline is None:
        return ""
    majority = max(report.classes, key=lambda scores: scores.support)
    named = _name(majority.name)
    told = f"Always guessing “{named}” would be right on {majority.support:,} of them"
    if report.chance_baseline is not None:
        told += f", guessing at random on about {report.chance_baseline * report.num_images:,.0f}"
    return f"{told}."


def _notes(facts: PageFacts) -> Iterator[str]:
    """What makes the numbers worth less."""
    count = facts.report.num_images
    if 0 < count < FEW_IMAGES:
        yield f"{_count(count, 'picture is', 'pictures are')} too few for a number to trust."
    if facts.part == "val":
        yield "These pictures also chose the model: the numbers flatter it."
    if facts.agreement is not None and facts.agreement.val_flattered:
        low, high = facts.agreement.difference_interval
        yield (
            f"Val, which chose the model, flattered it: {_percent(facts.agreement.val_accuracy)} "
            f"right there, and the difference is more than chance explains (95 % interval "
            f"{low:.3f} to {high:.3f}). The numbers here are the honest ones."
        )
    if facts.refit:
        yield (
            "These are the numbers of the model before it was trained once more, on train, val and "
            "test alike (--refit): how right it is since, no picture of this folder can tell."
        )
    if facts.num_trained:
        were = _count(facts.num_trained, "of them was", "of them were")
        yield f"{were} trained on: the numbers flatter it."
    if facts.census and facts.census.num_straddling:
        groups = _count(facts.census.num_straddling, "group", "groups")
        yield (
            f"{groups} of pictures that belong together lie in more than one part, as the folder "
            "was split: the numbers may flatter it."
        )


def _numbers(facts: PageFacts) -> Iterator[tuple[str, str, str]]:
    """(name, value, what it means)"""
    report = facts.report
    interval = report.accuracy_interval
    within = (
        "" if interval is None else f"95\N{NO-BREAK SPACE}% interval {_percent(interval[0])} to "
    )
    yield "Accuracy", _percent(report.accuracy), within + _percent(interval and interval[1])
    if facts.agreement is not None:
        yield "On val", _percent(facts.agreement.val_accuracy), _against_val(facts.agreement)
    yield "Always the commonest class", _percent(report.majority_baseline), "the number to beat"
    yield "Balanced accuracy", _percent(report.balanced_accuracy), "each class counts the same"
    for k, value in report.top_k_accuracy.items():
        yield f"Among the first {k}", _percent(value), "of its answers is the right one"
    before = report.calibration_error_before
    was = "" if before is None else f", {_number(before)} before the temperature"
    error = _number(report.expected_calibration_error)
    yield "Calibration error", error, f"probabilities are off by that on average{was}"
    yield "Log loss", _number(report.log_loss), "smaller is better; counts sure mistakes most"


def _against_val(agreement: Agreement) -> str:
    if not agreement.difference:
        return "which chose the model: as on test"
    low, high = agreement.difference_interval
    explained = "chance can explain that" if low <= 0 <= high else "more than chance explains"
    more = "more" if agreement.difference > 0 else "less"
    points = f"{100 * abs(agreement.difference):.1f} points"
    return f"which chose the model: {points} {more}; {explained}"


def _surest(one: CoveragePoint) -> tuple[str, str, int, str]:
    """(share of all answers, their least probability, how many they are, share that is right)"""
    share = f"{100 * one.coverage:.0f}\N{NO-BREAK SPACE}%"
    return share, f"{one.threshold:.2f}", one.num_images, _percent(one.accuracy)


def _curves(epochs: Sequence[Epoch]) -> tuple[tuple[str, Markup], ...]:
    best = next((at for at, row in enumerate(epochs, 1) if row.kept), None)
    first, last = epochs[0], epochs[-1]
    kept = f"; the weights of epoch {best} are kept" if best else ""
    right = (
        f"Accuracy on val by epoch: {_percent(first.val_accuracy)} in the first, "
        f"{_percent(last.val_accuracy)} in the last of {len(epochs)}{kept}."
    )
    loss = (
        f"Loss on val by epoch: {_number(first.val_loss)} in the first, "
        f"{_number(last.val_loss)} in the last of {len(epochs)}{kept}."
    )
    return (
        ("Accuracy", plots.curves(epochs, "accuracy", right)),
        ("Loss", plots.curves(epochs, "loss", loss)),
    )


def _stage(rows: Sequence[Epoch]) -> tuple[str, int, str, str, bool]:
    """(name, epochs, accuracy and loss on val of its best epoch, whether that is kept)"""
    best = next((row for row in rows if row.kept), max(rows, key=lambda row: row.val_accuracy))
    right, loss = _percent(best.val_accuracy), _number(best.val_loss)
    return short(best.stage), len(rows), right, loss, best.kept


def _class_rows(report: Report) -> list[tuple[str, list[tuple[str, float]], int]]:
    """(name, [(words, share)] of precision, recall and f1, pictures); beyond `MOST_CLASSES` those
    with the worst f1."""
    chosen = list(report.classes)
    if len(chosen) > MOST_CLASSES:
        tested = [scores for scores in chosen if scores.support]
        chosen = sorted(tested, key=lambda scores: scores.f1_score or 0.0)[:MOST_CLASSES]
    return [
        (
            short(own.name),
            [
                (_percent(score), score or 0.0)
                for score in (own.precision, own.recall, own.f1_score)
            ],
            own.support,
        )
        for own in chosen
    ]


def _reliability(facts: PageFacts) -> Markup:
    error = _number(facts.report.expected_calibration_error)
    words = (
        f"How often answers of each probability are right, in {len(facts.bins)} steps; off by "
        f"{error} on average. The table has the numbers."
    )
    return plots.reliability(facts.bins, words)


def _bin(one: ReliabilityBin) -> tuple[str, str, str, int]:
    """(probabilities, mean probability, share that is right, answers)"""
    span = f"{100 * one.low:.0f} to {100 * one.high:.0f}\N{NO-BREAK SPACE}%"
    return span, _percent(one.confidence), _percent(one.accuracy), one.num_images


def _picture(one: WrongAnswer) -> _Picture:
    return _Picture(
        data_uri(one.thumbnail),
        _name(one.true),
        _name(one.predicted),
        f"{one.probability:.2f}",
        f"{one.true_probability:.2f}",
        short(one.path, 80),
    )


def _pair(one: PairExamples) -> tuple[str, str, int, list[_Picture]]:
    """(true class, predicted class, how many, some of them)"""
    shown = [_picture(own) for own in one.pictures]
    return _name(one.pair.true), _name(one.pair.predicted), one.pair.count, shown


def _census(facts: PageFacts) -> dict[str, Any] | None:
    census = facts.census
    if census is None:
        return None
    ranked = sorted(census.classes, key=lambda own: -sum(own.counts))
    shown = census.classes if len(ranked) <= MOST_COUNTED else ranked[:MOST_COUNTED]
    largest = max((sum(own.counts) for own in ranked), default=0) or 1
    totals = [sum(own.counts[part] for own in ranked) for part in range(len(census.parts))]
    return {
        "facts": census,
        "rows": [
            (_name(own.name), own.counts, sum(own.counts), sum(own.counts) / largest)
            for own in shown
        ],
        "totals": totals,
    }


def _spec(spec: str | None) -> str | None:
    if spec is None or len(spec) <= MOST_SPEC_LETTERS:
        return spec and text(spec)
    return (
        f"{text(spec)[:MOST_SPEC_LETTERS]}\n…\n# and {len(spec) - MOST_SPEC_LETTERS:,} letters more"
    )


def _name(class_name: str) -> str:
    return short(class_name, _NAME_LETTERS)


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
