"""How fast, large and good models are, as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from dlcli.ui.columns import wrapped
from dlcli.ui.console import printable

if TYPE_CHECKING:
    from dlcli.commands.benchmark import BenchmarkResult, TimedModel


def benchmark_lines(result: BenchmarkResult) -> Iterator[str]:
    """A table a run or folder, of one row a format."""
    for target, models in groupby(result.models, key=lambda model: model.target):
        yield f" {printable(target)}"
        yield (
            f"   {'format':<13} {'one picture':>11} {'95 % within':>11} {'pictures/s':>10} "
            f"{'size':>9} {'right':>7}"
        )
        rows = list(models)
        yield from map(_row, rows)
        word = "timed on" if rows[0].accuracy is None else "right: of"
        yield f"   {word} {rows[0].num_images} {rows[0].source}"
        yield ""
    threads = "1 thread" if result.threads == 1 else f"{result.threads} threads"
    yield from wrapped(f"On {threads} of {result.cpu}; pictures were read beforehand.")


def _row(model: TimedModel) -> str:
    name = model.format if model.body == "float32" else f"{model.format} {model.body}"
    pace, accuracy = model.pace, "-" if model.accuracy is None else f"{model.accuracy:.1%}"
    return (
        f"   {name:<13} {_milliseconds(pace.median_seconds):>11} "
        f"{_milliseconds(pace.p95_seconds):>11} {pace.images_per_second:>10,.0f} "
        f"{model.size_bytes / 1e6:>6.1f} MB {accuracy:>7}"
    )


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms"
