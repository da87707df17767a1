"""An evaluation as Markdown, for the summary of a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dlcli.ui.console import printable
from dlcli.ui.report_lines import (
    agreement_line,
    comparison_text,
    gate_numbers,
    headline,
    sets_text,
    shown_classes,
    verdict_on,
)

if TYPE_CHECKING:
    from dlcli.commands.evaluate import EvaluateResult
    from dlcli.metrics.classification import ClassScores
    from dlcli.metrics.gates import Gate
    from dlcli.metrics.paired import Comparison
    from dlcli.metrics.report import Report

_PAIRS = 5
_MARKUP = re.compile(r"[&<>|*_`\[\]\\@#~$!^{}\"']")


def markdown_text(result: EvaluateResult) -> str:
    """Headline, gates, comparison, and a table of the classes, folded in."""
    report = result.report
    lines = [
        f"### {_verdict(result.gates)}{headline(report)}",
        "",
        f"{_code(result.run)} on {_code(result.source)}",
        "",
        *_gate_table(result.gates),
        *(_comparison(result.comparison) if result.comparison else ()),
        *((f"{agreement_line(result.agreement)}", "") if result.agreement else ()),
        *((sets_text(result.sets), "") if result.sets else ()),
        *_number_table(report),
        *_class_table(report),
        *_confused(report),
    ]
    if result.skipped:
        lines += [f"Pictures that could not be used: {len(result.skipped):,}.", ""]
    return "\n".join(lines)


def _verdict(gates: Sequence[Gate]) -> str:
    if not gates:
        return ""
    missed = sum(not gate.passed for gate in gates)
    return f"{missed} of {len(gates)} gates not met: " if missed else "Gates passed: "


def _gate_table(gates: Sequence[Gate]) -> Iterator[str]:
    if not gates:
        return
    yield "| gate | value | asked for | |"
    yield "|---|--:|--:|---|"
    for gate in gates:
        value, sign, bound = gate_numbers(gate)
        verdict = "passed" if gate.passed else "**not met**"
        detail = f" ({gate.detail})" if gate.detail else ""
        yield f"| {_code(gate.metric)} | {value}{detail} | {_escaped(sign)} {bound} | {verdict} |"
    yield ""


def _comparison(comparison: Comparison) -> Iterator[str]:
    yield f"{_escaped(comparison_text(comparison))} {_escaped(verdict_on(comparison))}"
    yield ""


def _number_table(report: Report) -> Iterator[str]:
    numbers = {
        "balanced accuracy": report.balanced_accuracy,
        **{f"top {k} accuracy": value for k, value in report.top_k_accuracy.items()},
        "log loss": report.log_loss,
        "expected calibration error": report.expected_calibration_error,
        "always guessing the commonest class": report.majority_baseline,
    }
    yield "| | |"
    yield "|---|--:|"
    for name, value in numbers.items():
        yield f"| {name} | {_number(value)} |"
    yield ""


def _class_table(report: Report) -> Iterator[str]:
    shown, total = shown_classes(report), len(report.classes)
    title = f"{total} classes" if len(shown) == total else f"The {len(shown)} worst of {total}"
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield "| class | precision | recall | F1 | pictures |"
    yield "|---|--:|--:|--:|--:|"
    for scores in shown:
        yield _class_row(scores)
    yield ""
    yield "</details>"
    yield ""


def _class_row(scores: ClassScores) -> str:
    numbers = (scores.precision, scores.recall, scores.f1_score)
    return f"| {_code(scores.name)} | {' | '.join(map(_number, numbers))} | {scores.support:,} |"


def _confused(report: Report) -> Iterator[str]:
    if not report.most_confused:
        return
    pairs = [
        f"{_code(pair.true)} taken for {_code(pair.predicted)} ({pair.count})"
        for pair in report.most_confused[:_PAIRS]
    ]
    yield f"Most confused: {', '.join(pairs)}."
    yield ""


def _code(name: str) -> str:
    """A name as it is, whatever it holds: markup, a mention, the end of a table's cell."""
    return f"<code>{_escaped(printable(name))}</code>"


def _escaped(text: str) -> str:
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", text)


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
