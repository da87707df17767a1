"""Bounds on the numbers of a report, as they are typed, and whether they are kept."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from dlcli.errors import UsageError
from dlcli.metrics.intervals import wilson_interval
from dlcli.metrics.report import Report, top_ks

MINIMUM, MAXIMUM = "--min", "--max"
LOW, HIGH = "low", "high"
ALIASES = {"ece": "expected_calibration_error", "f1": "f1_score"}
COUNT, LOSS = "num_images", "log_loss"
PLAIN = ("accuracy", "balanced_accuracy", LOSS, ALIASES["ece"], COUNT)
OF_A_CLASS = ("recall", "precision", "f1_score")
AVERAGES = ("macro_avg", "weighted_avg")
TOP_K = "top_k_accuracy"
WITH_INTERVAL = ("accuracy", "recall", "precision")


@dataclass(frozen=True)
class Gate:
    """Whether a metric, as it was typed, keeps its bound; `value` is None where it is undefined,
    and then the bound is not kept. `detail` says what it was counted on, or why it is undefined."""

    metric: str
    minimum: float | None
    maximum: float | None
    value: float | None
    passed: bool
    detail: str = ""


@dataclass(frozen=True)
class Bound:
    """One of `--min` and `--max`: a metric, what stands behind its colon (a class, a k, a score, or
    nothing), and which end of its interval is meant, if any."""

    option: str
    typed: str
    metric: str
    argument: str
    end: str
    value: float

    @property
    def where(self) -> str:
        """The option, for what is said of it."""
        return f"{self.option} {self.typed}"

    @property
    def shown(self) -> str:
        """The metric as it was typed, with the end of its interval."""
        name = self.typed.rpartition("=")[0]
        return f"{name}@{self.end}" if self.end else name


@dataclass(frozen=True)
class Measured:
    """What a report says of a metric: the value, what was counted, and the share's interval."""

    value: float | None
    detail: str = ""
    interval: tuple[float, float] | None = None


def read_bounds(minima: Sequence[str], maxima: Sequence[str]) -> tuple[Bound, ...]:
    """The bounds typed as `METRIC=VALUE`, the minima first.

    Raises:
        UsageError: for a metric that there is not, with the nearest that is, or a senseless value.
    """
    typed = [(MINIMUM, text) for text in minima] + [(MAXIMUM, text) for text in maxima]
    return tuple(_read_bound(option, text) for option, text in typed)


def read_share(text: str, where: str) -> float:
    """A number such as `0.005` or `0.5%`, finite and not negative.

    Raises:
        UsageError: if it is something else.
    """
    plain = text.strip()
    try:
        number = Decimal(plain.removesuffix("%").strip())
        found = float(number / 100 if plain.endswith("%") else number)
    except InvalidOperation:
        found = math.nan
    if not (math.isfinite(found) and found >= 0):
        raise UsageError(
            f"{text!r} is no number of 0 or more.", where=where, fix="Write 0.95 or 95%."
        )
    return found


def require_measurable(bounds: Sequence[Bound], class_names: Sequence[str]) -> None:
    """Whether every class and every k that is named is one of a model with these classes.

    Raises:
        UsageError: if not, with the nearest class.
    """
    ks = [str(k) for k in top_ks(len(class_names))]
    for bound in bounds:
        if bound.metric in OF_A_CLASS and bound.argument not in class_names:
            raise UsageError(
                f"there is no class {bound.argument!r}.{_nearest(bound.argument, class_names)}",
                where=bound.where,
                fix=f"The classes are {_list(class_names)}.",
            )
        if bound.metric == TOP_K and bound.argument not in ks:
            known = f"k may be {_list(ks)}." if ks else "There is none for 2 classes."
            raise UsageError(
                f"of {len(class_names)} classes there is no {TOP_K}:{bound.argument}.",
                where=bound.where,
                fix=known,
            )


def judge(bounds: Sequence[Bound], report: Report) -> tuple[Gate, ...]:
    """Every bound against a report, in order."""
    return tuple(_judge(bound, measure(bound.metric, bound.argument, report)) for bound in bounds)


def measure(metric: str, argument: str, report: Report) -> Measured:
    """A metric of a report."""
    if metric == "accuracy":
        counted = f"{report.num_correct} of {report.num_images}"
        return Measured(report.accuracy, counted, report.accuracy_interval)
    if metric in WITH_INTERVAL:
        return _measure_share(metric, argument, report)
    if metric == "f1_score":
        scores = next(scores for scores in report.classes if scores.name == argument)
        return Measured(scores.f1_score)
    if metric == TOP_K:
        return Measured(report.top_k_accuracy[argument])
    if metric in AVERAGES:
        return Measured(getattr(getattr(report, metric), argument))
    return Measured(getattr(report, metric))


def _measure_share(metric: str, name: str, report: Report) -> Measured:
    """The recall or precision of a class."""
    label = next(row for row, scores in enumerate(report.classes) if scores.name == name)
    rows = report.confusion_matrix
    line = rows[label] if metric == "recall" else [row[label] for row in rows]
    hits, total = rows[label][label], sum(line)
    if not total:
        why = "no picture of it" if metric == "recall" else "nothing was taken for it"
        return Measured(None, why)
    return Measured(hits / total, f"{hits} of {total}", wilson_interval(hits, total))


def _judge(bound: Bound, measured: Measured) -> Gate:
    value = measured.value
    if bound.end and measured.interval:
        value = measured.interval[0 if bound.end == LOW else 1]
    detail = measured.detail
    if value is None:
        detail = f"undefined: {detail}" if detail else "undefined"
    is_minimum = bound.option == MINIMUM
    passed = value is not None and (value >= bound.value if is_minimum else value <= bound.value)
    return Gate(
        bound.shown,
        bound.value if is_minimum else None,
        None if is_minimum else bound.value,
        value,
        passed,
        detail,
    )


def _read_bound(option: str, text: str) -> Bound:
    where = f"{option} {text}"
    named, is_there, value = text.rpartition("=")
    if not is_there:
        raise UsageError(
            "a metric and a value are wanted.", where=where, fix=f"E.g. {option} accuracy=0.95"
        )
    value, _, end = value.partition("@")
    name, colon, argument = named.partition(":")
    metric = ALIASES.get(name, name)
    _require_metric(metric, argument, where)
    if end not in ("", LOW, HIGH) or (end and metric not in WITH_INTERVAL):
        what = "has no interval" if end in (LOW, HIGH) else f"has no end {end!r}: low and high are"
        raise UsageError(
            f"{name}{colon}{argument} {what}.",
            where=where,
            fix="accuracy, recall:CLASS and precision:CLASS have one, e.g. accuracy=0.95@low",
        )
    bound = read_share(value, where)
    if bound > 1 and metric not in (COUNT, LOSS):
        raise UsageError(f"{name} lies between 0 and 1.", where=where, fix="Write 0.95 or 95%.")
    return Bound(option, text, metric, argument, end, bound)


def _require_metric(metric: str, argument: str, where: str) -> None:
    wants: dict[str, Callable[[str], bool]] = {
        **dict.fromkeys(PLAIN, lambda text: not text),
        **dict.fromkeys(OF_A_CLASS, bool),
        **dict.fromkeys(AVERAGES, lambda text: text in OF_A_CLASS),
        TOP_K: str.isdecimal,
    }
    if metric not in wants:
        near = _nearest(metric, [*wants, *ALIASES])
        raise UsageError(
            f"there is no metric {metric!r}.{near}", where=where, fix=f"There are {METRICS}."
        )
    if not wants[metric](argument):
        raise UsageError(
            f"{metric} cannot be asked for like this.", where=where, fix=f"There are {METRICS}."
        )


METRICS = ", ".join(
    [
        *PLAIN,
        *(f"{name}:CLASS" for name in OF_A_CLASS),
        f"{TOP_K}:K",
        *(f"{name}:SCORE" for name in AVERAGES),
    ]
)
"""All that may be bounded, in words."""


def _nearest(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f" Did you mean {near[0]}?" if near else ""


def _list(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
