"""A report as lines of text for a person, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dlcli.ui.columns import fit, width_of, wrapped
from dlcli.ui.console import bold, printable

if TYPE_CHECKING:
    from dlcli.metrics.agreement import Agreement
    from dlcli.metrics.classification import ClassScores
    from dlcli.metrics.conformal import SetCoverage
    from dlcli.metrics.gates import Gate
    from dlcli.metrics.paired import Comparison
    from dlcli.metrics.report import Report

MOST_CLASSES = 20
"""Beyond this many classes the worst are shown; the JSON holds all."""

SIGNIFICANT = 0.05
"""What chance does less often than this, it does not explain."""

_WORST = 10
_CONFUSED = 3
_LEAST_NAME, _MOST_NAME = 12, 41
_MOST_METRIC = 30


def report_lines(title: str, report: Report) -> Iterator[str]:
    """Headline, a row a class, averages, what is confused most, and how far to trust a
    probability."""
    yield bold(f" {title}: {headline(report)}")
    if report.num_images:
        yield from wrapped(_baselines(report))
    yield from _class_table(report)
    if report.most_confused:
        yield from wrapped(f"Most confused: {_pairs(report)}.")
    if report.num_images:
        yield from wrapped(_other_numbers(report))
    if report.expected_calibration_error is not None:
        yield f" {_calibration(report)}"
    if report.risk_coverage:
        yield from wrapped(_surest(report))


def headline(report: Report) -> str:
    """The accuracy and how sure it is."""
    if report.accuracy is None or report.accuracy_interval is None:
        return "no pictures."
    low, high = report.accuracy_interval
    return (
        f"{report.accuracy:.3f} right ({report.num_correct:,} of {report.num_images:,}), "
        f"95 % interval {low:.3f} to {high:.3f}."
    )


def shown_classes(report: Report) -> Sequence[ClassScores]:
    """All classes in their order, or of many those that were tested and came out worst, by F1."""
    if len(report.classes) <= MOST_CLASSES:
        return report.classes
    tested = [scores for scores in report.classes if scores.support]
    return sorted(tested, key=lambda scores: scores.f1_score or 0.0)[:_WORST]


def gate_lines(gates: Sequence[Gate]) -> Iterator[str]:
    """A row a gate: metric, value, bound, verdict."""
    names = [printable(gate.metric) for gate in gates]
    width = min(_MOST_METRIC, max(map(width_of, names), default=0))
    for number, (gate, name) in enumerate(zip(gates, names, strict=True)):
        value, sign, bound = gate_numbers(gate)
        verdict = "passed" if gate.passed else bold("NOT MET")
        detail = f" ({gate.detail})" if gate.detail and not gate.passed else ""
        heading = "" if number else "gates"
        yield f" {heading:<6} {fit(name, width)}  {value:>6}  {sign} {bound:<6}  {verdict}{detail}"


def gate_numbers(gate: Gate) -> tuple[str, str, str]:
    """Value, sign and bound, with as many digits as it takes to tell the two numbers apart."""
    sign, bound = ("<=", gate.maximum) if gate.minimum is None else (">=", gate.minimum)
    if bound is None:
        raise ValueError("a gate has a bound")
    if gate.metric == "num_images":
        return f"{gate.value:,.0f}", sign, f"{bound:,.0f}"
    if gate.value is None:
        return "n/a", sign, f"{bound:.3f}"
    digits = 3
    while f"{gate.value:.{digits}f}" == f"{bound:.{digits}f}" and gate.value != bound:
        digits += 1
    return f"{gate.value:.{digits}f}", sign, f"{bound:.{digits}f}"


def comparison_text(comparison: Comparison) -> str:
    """How a run compares with its baseline on the same pictures."""
    return (
        f"{printable(comparison.run)} against {printable(comparison.baseline)} on the same "
        f"{comparison.num_images:,} pictures: {comparison.accuracy:.3f} and "
        f"{comparison.baseline_accuracy:.3f} ({comparison.difference:+.3f})."
    )


def verdict_on(comparison: Comparison) -> str:
    """Whether chance explains the difference of two runs."""
    here, there = comparison.only_run_right, comparison.only_baseline_right
    if not here + there:
        return "Both are right and wrong on the same pictures."
    p_value = comparison.p_value_adjusted
    explains = "does not explain" if p_value < SIGNIFICANT else "can explain"
    return (
        f"Right where the other is wrong: {printable(comparison.run)} {_times(here)}, "
        f"{printable(comparison.baseline)} {_times(there)}. Chance {explains} that (McNemar's "
        f"exact test, p = {p_value:.2g})."
    )


def agreement_line(agreement: Agreement) -> str:
    """How val and test agree."""
    difference = agreement.difference
    if not difference:
        return f"Val, which chose the model, had {agreement.val_accuracy:.3f} as well."
    more = "more" if difference > 0 else "less"
    explained = "more than chance explains: val flattered" if agreement.val_flattered else ""
    low, high = agreement.difference_interval
    if not explained:
        explained = "which chance can explain" if low <= 0 <= high else "more than chance explains"
    return (
        f"Val, which chose the model, had {agreement.val_accuracy:.3f}: "
        f"{abs(difference):.3f} {more}, {explained}."
    )


def sets_text(sets: SetCoverage) -> str:
    """How sets of classes do that are to hold the true one."""
    if sets.coverage is None or sets.coverage_interval is None:
        return f"Sets that hold the true class in {100 * sets.asked:g} %: no pictures."
    low, high = sets.coverage_interval
    return (
        f"Sets that are to hold the true class in {100 * sets.asked:g} %: {sets.coverage:.3f} do "
        f"({sets.num_covered:,} of {sets.num_images:,}), 95 % interval {low:.3f} to {high:.3f}; "
        f"{sets.mean_size:.2f} classes on average, at most {sets.largest:,}."
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _baselines(report: Report) -> str:
    majority = max(report.classes, key=lambda scores: scores.support).name
    told = f'Always guessing "{printable(majority)}" would give {report.majority_baseline:.3f}'
    if report.chance_baseline is not None:
        told += f", guessing at random {report.chance_baseline:.3f}"
    return f"{told}."


def _pairs(report: Report) -> str:
    return ", ".join(
        f"{printable(pair.true)} taken for {printable(pair.predicted)} ({pair.count})"
        for pair in report.most_confused[:_CONFUSED]
    )


def _other_numbers(report: Report) -> str:
    tops = [f"top {k} {_number(value)}" for k, value in report.top_k_accuracy.items()]
    numbers = [
        f"Balanced accuracy {_number(report.balanced_accuracy)}",
        *([", ".join(tops)] if tops else []),
        f"log loss {_number(report.log_loss)}",
    ]
    return " · ".join(numbers)


def _calibration(report: Report) -> str:
    before = report.calibration_error_before
    told = f"Calibration: expected error {report.expected_calibration_error:.3f}"
    return f"{told} ({before:.3f} before the temperature)." if before is not None else f"{told}."


def _surest(report: Report) -> str:
    points = [
        f"{point.accuracy:.3f} of {100 * point.coverage:.0f} %"
        for point in report.risk_coverage or ()
        if point.coverage < 1
    ]
    return f"Right where it is surest: {', '.join(points)} of the answers."


def _class_table(report: Report) -> Iterator[str]:
    # Names are measured as shown: a control character in one must not break the table.
    classes = [(printable(scores.name), scores) for scores in shown_classes(report)]
    longest = max([_LEAST_NAME, *(width_of(name) for name, _ in classes)])
    width = min(longest, _MOST_NAME)
    yield f"   {'class':<{width}}  precision  recall     f1  pictures"
    for name, scores in classes:
        numbers = (scores.precision, scores.recall, scores.f1_score)
        yield _row(name, width, numbers, scores.support)
    if len(classes) < len(report.classes):
        yield f"   the {len(classes)} worst of {len(report.classes)}; all of them: --json"
    for name, average in (("macro avg", report.macro_avg), ("weighted avg", report.weighted_avg)):
        numbers = (average.precision, average.recall, average.f1_score)
        yield _row(name, width, numbers, report.num_images)


def _row(name: str, width: int, numbers: tuple[float | None, ...], support: int) -> str:
    precision, recall, f1_score = map(_number, numbers)
    return f"   {fit(name, width)}  {precision:>9}  {recall:>6}  {f1_score:>5}  {support:>8,}"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
