"""What a check found, as a page that stands alone: styles and pictures are inside, no script."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from dlcli import __version__
from dlcli.ui.finding_words import WORDS, Kind
from dlcli.ui.html import data_uri, render_page, text

if TYPE_CHECKING:
    from dlcli.commands.check import CheckResult
    from dlcli.data.findings import Finding

MOST_FINDINGS, MOST_PICTURES = 40, 4
"""Of each kind, and of each finding."""

_MOST_CLASSES, _MOST_SKIPPED = 100, 40
_ONE_SHOWN = ("duplicate",)
"""Kinds whose pictures are the same to the last byte."""


@dataclass(frozen=True)
class _Card:
    """A finding as it is shown: `pictures` are (path, data URI or None), `paths` what has none."""

    detail: str
    pictures: tuple[tuple[str, str | None], ...]
    paths: tuple[str, ...]
    num_more: int


@dataclass(frozen=True)
class _Section:
    name: str
    kind: Kind
    count: int
    cards: tuple[_Card, ...]


def shown_paths(findings: Sequence[Finding]) -> list[str]:
    """The pictures that the page shows, each once: what thumbnails are needed of."""
    shown = [path for _, found in _by_kind(findings) for one in found for path in _pictures_of(one)]
    return list(dict.fromkeys(shown))


def check_page(result: CheckResult) -> str:
    """The HTML document."""
    largest = max((own.num_images for own in result.classes), default=0)
    return render_page(
        "check.html",
        result=result,
        name=text(result.target.resolve().name),
        target=text(shlex.quote(str(result.target))),
        headline=_headline(result),
        sections=[_section(name, found, result) for name, found in _by_kind_in_full(result)],
        classes=[
            (text(own.name), own.num_images, own.num_images / (largest or 1))
            for own in result.classes[:_MOST_CLASSES]
        ],
        skipped=[(text(one.path), text(one.reason)) for one in result.skipped[:_MOST_SKIPPED]],
        uniform=[text(class_name) for class_name in result.uniform_classes],
        counts=_counts(result),
        spreads=_spreads(result),
        version=__version__,
    )


def _headline(result: CheckResult) -> str:
    """What anyone understands."""
    if not result.findings:
        return "Nothing is wrong with these pictures: all can be read, and none is there twice."
    count = dict.fromkeys(("harm", "look", "note"), 0)
    for finding in result.findings:
        count[WORDS[finding.kind].gravity] += 1
    words = {
        "harm": "harms a training" if count["harm"] == 1 else "harm a training",
        "look": "deserves a look" if count["look"] == 1 else "deserve a look",
        "note": "is good to know" if count["note"] == 1 else "are good to know",
    }
    said = [f"{number:,} {words[gravity]}" for gravity, number in count.items() if number]
    noun = "thing was" if len(result.findings) == 1 else "things were"
    return f"{len(result.findings):,} {noun} found: {', '.join(said)}."


def _by_kind(findings: Sequence[Finding]) -> Iterator[tuple[str, list[Finding]]]:
    for name, found in groupby(findings, key=lambda finding: finding.kind):
        yield name, list(found)[:MOST_FINDINGS]


def _by_kind_in_full(result: CheckResult) -> Iterator[tuple[str, list[Finding]]]:
    for name, found in groupby(result.findings, key=lambda finding: finding.kind):
        yield name, list(found)


def _section(name: str, found: Sequence[Finding], result: CheckResult) -> _Section:
    cards = tuple(_card(finding, result) for finding in found[:MOST_FINDINGS])
    return _Section(name, WORDS[name], len(found), cards)


def _card(finding: Finding, result: CheckResult) -> _Card:
    pictures = _pictures_of(finding)
    shown = tuple((text(path), data_uri(result.thumbnails.get(path))) for path in pictures)
    others = tuple(text(path) for path in finding.paths[len(pictures) : MOST_PICTURES])
    num_more = len(finding.paths) - len(shown) - len(others)
    return _Card(text(finding.detail), shown, others, num_more)


def _pictures_of(finding: Finding) -> tuple[str, ...]:
    return finding.paths[: 1 if finding.kind in _ONE_SHOWN else MOST_PICTURES]


def _counts(result: CheckResult) -> list[tuple[str, list[tuple[str, int, float]]]]:
    """(heading, rows of name, count and share of the largest count) of each table with bars."""
    census = result.census
    tables = [
        ("Formats", census.formats),
        ("Modes", census.modes),
        ("Shapes", census.shapes),
        ("Shorter side, pixels", census.shorter_sides),
    ]
    if result.splits:
        tables.insert(0, ("Parts", result.splits))
    return [
        (heading, [(name, count, count / max(counts.values())) for name, count in counts.items()])
        for heading, counts in tables
        if counts
    ]


def _spreads(result: CheckResult) -> list[tuple[str, str, str, str]]:
    """(what, least, median, most)"""
    census = result.census
    rows = [("width", census.widths, 0), ("height", census.heights, 0)]
    rows.append(("width / height", census.aspect_ratios, 2))
    return [
        (
            what,
            f"{spread.minimum:,.{digits}f}",
            f"{spread.median:,.{digits}f}",
            f"{spread.maximum:,.{digits}f}",
        )
        for what, spread, digits in rows
        if spread is not None
    ]
