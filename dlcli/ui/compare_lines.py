"""Runs side by side, as lines for a person and as a document for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dlcli.ui.columns import fit, width_of, wrapped
from dlcli.ui.console import bold, printable
from dlcli.ui.formats import opening
from dlcli.ui.report_lines import comparison_text, verdict_on

if TYPE_CHECKING:
    from dlcli.commands.compare import CompareResult, RunReport, Setting
    from dlcli.metrics.paired import ClassChange, Comparison

_MOST_NAME, _MOST_CLASS = 30, 30
_MOST_CHANGES = 10
_MOST_VALUE = 40


def compare_document(result: CompareResult) -> dict[str, Any]:
    """`compare --json`"""
    settings = None
    if result.settings is not None:
        settings = [{"key": one.key, "values": list(one.values)} for one in result.settings]
    return {
        **opening("compare"),
        "source": result.source,
        "num_images": result.num_images,
        "runs": [{"run": one.run, "report": one.report.to_json()} for one in result.runs],
        "comparisons": [asdict(one) for one in result.comparisons],
        "settings": settings,
        "skipped": [asdict(file) for file in result.skipped],
    }


def compare_lines(result: CompareResult) -> Iterator[str]:
    """The accuracies, what of their differences is real, which classes change, and what the specs
    do not have in common."""
    yield f" {result.num_images:,} pictures, {printable(result.source)}"
    yield from _run_table(result.runs)
    for comparison in result.comparisons:
        yield ""
        first, *rest = wrapped(comparison_text(comparison))
        yield bold(first)
        yield from map(bold, rest)
        yield from wrapped(verdict_on(comparison))
        yield from _class_table(comparison)
    if len(result.comparisons) > 1:
        yield ""
        yield f" These values of p are corrected for {len(result.comparisons)} comparisons (Holm)."
    if result.settings is not None:
        yield ""
        yield from _setting_lines(result.settings)


def _run_table(runs: Sequence[RunReport]) -> Iterator[str]:
    names = [printable(one.run) for one in runs]
    width = min(_MOST_NAME, max(map(width_of, names)))
    yield f"   {'run':<{width}}  accuracy  95 % interval   balanced  log loss  cal. error"
    for one, name in zip(runs, names, strict=True):
        report = one.report
        low, high = report.accuracy_interval or (0.0, 1.0)
        yield (
            f"   {fit(name, width)}  {_number(report.accuracy):>8}  {low:.3f} to {high:.3f}  "
            f"{_number(report.balanced_accuracy):>8}  {_number(report.log_loss):>8}  "
            f"{_number(report.expected_calibration_error):>10}"
        )


def _class_table(comparison: Comparison) -> Iterator[str]:
    changed = [one for one in comparison.classes if one.gained or one.lost]
    if not changed:
        return
    shown = sorted(changed, key=_weight)[:_MOST_CHANGES]
    names = [printable(one.name) for one in shown]
    width = min(_MOST_CLASS, max(5, *map(width_of, names)))
    yield f"   {'class':<{width}}  pictures  gained  lost"
    for one, name in zip(shown, names, strict=True):
        yield f"   {fit(name, width)}  {one.support:>8,}  {one.gained:>6,}  {one.lost:>4,}"
    if len(shown) < len(changed):
        yield f"   the {len(shown)} that change most of {len(changed)}; all of them: --json"


def _weight(change: ClassChange) -> tuple[int, int]:
    """The largest net change first, then the most changes."""
    return -abs(change.gained - change.lost), -(change.gained + change.lost)


def _setting_lines(settings: Sequence[Setting]) -> Iterator[str]:
    if not settings:
        yield " Their specs are the same."
        return
    yield " What their specs do not have in common, in the order of the runs:"
    for setting in settings:
        values = " | ".join(_shown(value) for value in setting.values)
        first, *rest = wrapped(f"{setting.key}: {values}")
        yield f"  {first}"
        yield from (f"  {line}" for line in rest)


def _shown(value: Any) -> str:
    if value is None:
        return "(not set)"
    text = printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return text if width_of(text) <= _MOST_VALUE else fit(text, _MOST_VALUE).rstrip()


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
