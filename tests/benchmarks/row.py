"""A row of what a benchmark says: its text for the table, and the numbers behind it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """What was measured, on which data, and what it is compared with in the same run.

    `measured` is the text for the table, `asked` what was promised, and `data` the pictures or
    other input. `values` are in `unit`, one a repeat, seed or trial, and so is the `baseline`.
    """

    what: str
    measured: str
    asked: str = ""
    data: str = ""
    unit: str = ""
    values: tuple[float, ...] = ()
    baseline: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Texts and numbers, without a key for what there is none of. `ratio` is the median of the
        values over that of the baseline, whichever of the two the text puts first."""
        texts = {"what": self.what, "asked": self.asked, "measured": self.measured}
        texts |= {"data": self.data, "unit": self.unit if self.values else ""}
        found: dict[str, Any] = {key: text for key, text in texts.items() if text}
        if self.values:
            found |= _numbers(self.values)
        if self.values and self.baseline:
            found["baseline"] = _numbers(self.baseline)
            found["ratio"] = _ratio(self.values, self.baseline)
            if ratios := _pairwise(self.values, self.baseline):
                found |= {"ratio_low": min(ratios), "ratio_high": max(ratios)}
        return found


def alone(what: str, values: Sequence[float], unit: str, *, asked: str = "", data: str = "") -> Row:
    """`0.284 s (0.251-0.330, 5 repeats)`: the median, and of several values the extremes."""
    measured = _middle(values, unit) + _extremes(values, f", {len(values)} repeats")
    return Row(what, measured, asked, data, unit, tuple(values))


def against(
    what: str,
    values: Sequence[float],
    baseline: Sequence[float],
    unit: str,
    *,
    asked: str = "",
    data: str = "",
    faster: bool = False,
) -> Row:
    """`2.12x (1.90-2.30): 318 pictures/s (300-330) against 150 (140-160)`: the ratio of the
    medians, the extremes of those of the pairs where both have as many values, then both sides.
    `faster` is for times: how many times as fast as the baseline, the ratio the other way round."""
    above, below = (baseline, values) if faster else (values, baseline)
    ratio = f"{written(_ratio(above, below))}x{_extremes(_pairwise(above, below))}"
    measured = f"{ratio}: {sides(values, baseline, unit)}"
    return Row(what, measured, asked, data, unit, tuple(values), tuple(baseline))


def said(what: str, measured: str, *, asked: str = "", data: str = "") -> Row:
    """What is no number."""
    return Row(what, measured, asked, data)


def sides(values: Sequence[float], baseline: Sequence[float], unit: str) -> str:
    """`318 pictures/s (300-330) against 150 (140-160)`: the medians and the extremes of both."""
    ours = _middle(values, unit) + _extremes(values)
    return f"{ours} against {_middle(baseline, '')}{_extremes(baseline)}"


def written(number: float) -> str:
    """`0.284`, `12.3`, `1,863`: three digits or all before the point, and at most three after it;
    a whole number has none there, and below a thousandth it is `1.2e-05`."""
    if float(number).is_integer():
        return f"{number:,.0f}"
    size = abs(float(f"{number:.3g}"))  # rounded first: 99.96 is 100, not 100.0
    if size < 0.001:
        return f"{number:.1e}"
    decimals = sum(size < limit for limit in (100, 10, 1))
    return f"{number:,.{decimals}f}"


def _numbers(values: Sequence[float]) -> dict[str, Any]:
    return {
        "median": statistics.median(values),
        "low": min(values),
        "high": max(values),
        "repeats": len(values),
        "values": list(values),
    }


def _ratio(above: Sequence[float], below: Sequence[float]) -> float:
    return statistics.median(above) / statistics.median(below)


def _pairwise(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """The ratio of each pair; none where one side has more."""
    if len(above) != len(below):
        return []
    return [one / other for one, other in zip(above, below, strict=True)]


def _middle(values: Sequence[float], unit: str) -> str:
    return f"{written(statistics.median(values))} {unit}".rstrip()


def _extremes(values: Sequence[float], more: str = "") -> str:
    if len(values) < 2:
        return ""
    return f" ({written(min(values))}-{written(max(values))}{more})"
