"""What a check found, as lines of text for a person."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from dlcli.ui.console import bold, printable
from dlcli.ui.finding_words import WORDS

if TYPE_CHECKING:
    from dlcli.commands.check import CheckResult, Gate
    from dlcli.data.findings import Finding
    from dlcli.data.full_census import Spread

_CLASSES, _EXAMPLES, _PATHS, _SKIPPED = 12, 3, 3, 3
_KIND_WIDTH = max(map(len, WORDS))


def check_lines(result: CheckResult) -> Iterator[str]:
    """What is there, what is wrong with it, and what to do."""
    yield bold(f" {_name(result)} · {_pictures(result.num_images)} in {_classes(result)}")
    yield from _census_lines(result)
    yield ""
    if not result.findings:
        yield " Nothing is wrong with it: every picture can be read, and none is there twice."
    for kind, found in groupby(result.findings, key=lambda finding: finding.kind):
        yield from _kind_lines(kind, list(found))
    yield from _advice_lines(result)
    yield from _gate_lines(result.gates)


def _name(result: CheckResult) -> str:
    return printable(result.target.resolve().name)


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count:,} pictures"


def _classes(result: CheckResult) -> str:
    count = len(result.classes)
    named = ", ".join(
        f"{printable(own.name)} {own.num_images:,}" for own in result.classes[:_CLASSES]
    )
    more = f", and {count - _CLASSES} more" if count > _CLASSES else ""
    return f"{'1 class' if count == 1 else f'{count:,} classes'}: {named}{more}"


def _census_lines(result: CheckResult) -> Iterator[str]:
    census = result.census
    if result.splits:
        yield f" {', '.join(f'{count:,} {split}' for split, count in result.splits.items())}"
    if census.widths is not None and census.heights is not None:
        yield (
            f" {_counts(census.formats)} · {_counts(census.modes)} · "
            f"{_range(census.widths)} pixels wide, {_range(census.heights)} high"
        )
    if result.num_ignored:
        yield f" passed over {_ignored(result.num_ignored)}"
    if result.skipped:
        named = [f"{printable(file.path)} ({file.reason})" for file in result.skipped[:_SKIPPED]]
        more = len(result.skipped) - len(named)
        rest = f", and {more:,} more" if more else ""
        yield f" {len(result.skipped):,} cannot be used: {', '.join(named)}{rest}"
    if result.uniform_classes:
        names = ", ".join(map(printable, result.uniform_classes))
        yield f" most pictures look alike in {names}: near duplicates are not listed there"


def _ignored(count: int) -> str:
    if count == 1:
        return "1 file that is known to be no picture"
    return f"{count:,} files that are known to be no pictures"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _range(spread: Spread) -> str:
    if spread.minimum == spread.maximum:
        return f"{spread.median:.0f}"
    return f"{spread.minimum:.0f} to {spread.maximum:.0f} (median {spread.median:.0f})"


def _kind_lines(kind: str, found: Sequence[Finding]) -> Iterator[str]:
    yield f" {bold(f'{kind:<{_KIND_WIDTH}}')}  {len(found):>6,}  {WORDS[kind].title}"
    for finding in found[:_EXAMPLES]:
        yield f"   {_example(finding)}"
    if len(found) > _EXAMPLES:
        yield f"   and {len(found) - _EXAMPLES:,} more"


def _example(finding: Finding) -> str:
    paths = [printable(path) for path in finding.paths[:_PATHS]]
    more = len(finding.paths) - len(paths)
    named = ", ".join(paths) + (f", and {more:,} more" if more else "")
    return f"{named}: {printable(finding.detail)}" if named else printable(finding.detail)


def _advice_lines(result: CheckResult) -> Iterator[str]:
    if not result.findings:
        return
    target = printable(shlex.quote(str(result.target)))
    yield ""
    if result.left_out:
        yield f" {_pictures(len(result.left_out))} would better be left out. To train without them:"
        yield f"   dlcli check {target} --json > findings.json"
        yield "   and in the spec, below data:   exclude: findings.json"
    if not result.thumbnails:
        yield f" See them:  dlcli check {target} --report report.html"


def _gate_lines(gates: Sequence[Gate]) -> Iterator[str]:
    if gates:
        yield ""
    for number, gate in enumerate(gates):
        heading = "gates" if not number else ""
        verdict = "passed" if gate.passed else "NOT MET"
        yield f" {heading:<6} {gate.metric:<{_KIND_WIDTH}}  {gate.value:>6,g}  <= 0  {verdict}"
