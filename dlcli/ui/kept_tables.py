"""What dlcli keeps, runs and the cache, as lines for a person and documents for programs."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dlcli.ui.console import printable
from dlcli.ui.formats import opening

if TYPE_CHECKING:
    from dlcli.commands.cache import CacheResult
    from dlcli.commands.runs import RunFacts, RunsResult

_HEADINGS = ("run", "status", "started", "network", "classes", "pictures", "val", "test", "size")
_LEFT = 4
"""The columns that are words; the others are numbers."""


def runs_document(result: RunsResult) -> dict[str, Any]:
    """`runs --json`"""
    return {
        **opening("runs"),
        "folder": str(result.folder),
        "runs": [{**asdict(one), "folder": str(one.folder)} for one in result.runs],
        "deleted": list(result.deleted),
    }


def runs_lines(result: RunsResult) -> Iterator[str]:
    """A row a run."""
    for name in result.deleted:
        yield f" deleted {printable(name)}"
    if not result.runs:
        folder = printable(str(result.folder))
        yield f" There are no runs in {folder}. Train one: dlcli train FOLDER"
        return
    rows = [_HEADINGS, *map(_run_row, result.runs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            f"{cell:<{width}}" if number < _LEFT else f"{cell:>{width}}"
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield f" {'  '.join(cells)}".rstrip()


def _run_row(facts: RunFacts) -> tuple[str, ...]:
    started = facts.started[:16].replace("T", " ") if facts.started else ""
    network = (facts.backbone or "layers") if facts.has_model else ""
    low_and_high = facts.test_accuracy_interval
    interval = f" ({low_and_high[0]:.3f}-{low_and_high[1]:.3f})" if low_and_high else ""
    return (
        printable(facts.name),
        printable(facts.status),
        printable(started),
        printable(network),
        _count(facts.num_classes),
        _count(facts.num_images),
        _accuracy(facts.val_accuracy),
        f"{_accuracy(facts.test_accuracy)}{interval}",
        _size(facts.size_bytes),
    )


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _accuracy(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def cache_document(result: CacheResult) -> dict[str, Any]:
    """`cache --json`"""
    return {**opening("cache"), **asdict(result), "folder": str(result.folder)}


def cache_lines(result: CacheResult) -> Iterator[str]:
    """A row a kind, and what was cleared."""
    if result.num_cleared or result.num_in_use:
        yield f" cleared {result.num_cleared:,} entries, {_size(result.cleared_bytes)}"
    if result.num_in_use:
        yield f" {result.num_in_use:,} entries stay: another dlcli uses them"
    yield f" {printable(str(result.folder))}"
    yield f" {'kind':<12}  {'entries':>7}  {'size':>9}  last used (UTC)"
    for one in result.kinds:
        yield (
            f" {one.kind:<12}  {one.num_entries:>7,}  {_size(one.size_bytes):>9}  "
            f"{_moment(one.last_used)}"
        ).rstrip()
    yield (
        f" All but bodies may take {_size(result.budget_bytes)} (DLCLI_CACHE_SIZE), then the "
        "oldest go."
    )


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%d %H:%M}"


def _size(num_bytes: int) -> str:
    """`13.4 MB`"""
    size, unit = float(num_bytes), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
