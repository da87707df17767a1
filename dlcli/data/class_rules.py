"""What may be wrong with the classes: too few pictures, none at all, or far fewer than others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from dlcli.data.findings import Finding
from dlcli.data.index import DatasetIndex
from dlcli.data.inspection import Inspection
from dlcli.data.split import TEST, TRAIN, VAL

FEW_PICTURES = 20
"""Below this many a class is learned by luck."""

IMBALANCE = 10
"""How many times as large as the smallest class the largest may not be."""


def class_findings(index: DatasetIndex, inspection: Inspection) -> Iterator[Finding]:
    """What is said of whole classes, by the pictures that can be read; in no order."""
    held: dict[str | None, Counter[str]] = {}
    for row in np.flatnonzero(inspection.readable).tolist():
        file = index.files[row]
        held.setdefault(file.split, Counter())[index.class_names[file.label]] += 1
    parts = {file.split for file in index.files}
    # Where the folder says what is trained on, only that is learned from.
    learned = held.get(TRAIN, Counter()) if TRAIN in parts else sum(held.values(), Counter())
    yield from _empty(index, held, [part for part in (TRAIN, VAL, TEST) if part in parts])
    yield from _small(index, learned)
    sizes = [(learned[name], name) for name in index.class_names if learned[name]]
    (least, smallest), (most, largest) = min(sizes, default=(0, "")), max(sizes, default=(0, ""))
    if least and most >= IMBALANCE * least:
        times = f"{most / least:.0f} times as many"
        detail = f"{largest} has {most:,} pictures, {smallest} {least:,}: {times}"
        yield Finding("imbalance", (), detail, classes=(largest, smallest))


def _empty(
    index: DatasetIndex, held: dict[str | None, Counter[str]], parts: list[str]
) -> Iterator[Finding]:
    for name in dict.fromkeys(index.empty_classes):
        if name not in index.class_names:
            yield _empty_class(name, "there is no picture in it")
    for name in index.class_names:
        lacking = [part for part in parts if part not in held or not held[part][name]]
        if not any(counts[name] for counts in held.values()):
            yield _empty_class(name, "none of its pictures can be read")
        elif TRAIN in lacking:
            others = " and ".join(part for part in parts if part not in lacking)
            yield _empty_class(name, f"it is in {others} and not in train")
        else:
            for part in lacking:
                yield _empty_class(name, f"{part} has no picture of it")


def _empty_class(name: str, why: str) -> Finding:
    return Finding("empty_class", (), f"{name}: {why}", classes=(name,))


def _small(index: DatasetIndex, learned: Counter[str]) -> Iterator[Finding]:
    for name in index.class_names:
        count = learned[name]
        if 0 < count < FEW_PICTURES:
            noun = "picture" if count == 1 else "pictures"
            detail = f"{name}: {count} {noun} to learn from"
            yield Finding("small_class", (), detail, classes=(name,))
