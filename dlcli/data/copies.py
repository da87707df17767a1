"""Pictures that are there more than once: in one part, across classes, across parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcli.data.findings import Finding
from dlcli.data.groups import connected, links_of_equals, members
from dlcli.data.index import DatasetIndex
from dlcli.data.inspection import Inspection
from dlcli.data.likeness import near_duplicates
from dlcli.data.related import uniform_labels
from dlcli.data.split import TEST, TRAIN, VAL

_KEPT_FIRST: dict[str | None, int] = {TEST: 0, VAL: 1, TRAIN: 2, None: 3}
"""Of copies in several parts the latest keeps its own: test pictures are dear."""


@dataclass(frozen=True)
class Copies:
    """Groups of rows, each of two or more: `exact` are copies to the byte, `alike` those and what
    looks alike. In `uniform_classes` nearly everything does, and looks are left out of account."""

    exact: list[list[int]]
    alike: list[list[int]]
    uniform_classes: tuple[str, ...]


def find_copies(index: DatasetIndex, inspection: Inspection) -> Copies:
    """Compares every readable picture with every other."""
    num_rows = len(index.files)
    sha256s = inspection.facts["sha256"].tolist()
    readable = inspection.readable
    exact = links_of_equals(
        [sha256 if fine else None for sha256, fine in zip(sha256s, readable, strict=True)]
    )
    # Of each picture's copies one is looked at: the links between them make up for the others.
    is_first = np.ones(num_rows, np.bool_)
    is_first[exact[:, 1]] = False
    rows = np.flatnonzero(readable & is_first)
    near = rows[near_duplicates(inspection.facts["look"][rows])]
    labels = np.array([file.label for file in index.files], np.int64)
    uniform = uniform_labels(labels, np.concatenate([exact, near]), near)
    near = near[~np.isin(labels[near], list(uniform)).any(axis=1)]
    return Copies(
        members(connected(num_rows, exact)),
        members(connected(num_rows, np.concatenate([exact, near]))),
        tuple(index.class_names[label] for label in sorted(uniform)),
    )


def copy_findings(index: DatasetIndex, inspection: Inspection, copies: Copies) -> Iterator[Finding]:
    """Copies, what looks alike, and both across classes and parts; in no order."""
    files = index.files
    number_of = _exact_numbers(len(files), copies)
    for rows in copies.exact:
        paths = tuple(files[row].path for row in _in_order_of_keeping(index, rows))
        yield Finding("duplicate", paths, f"{len(rows)} identical files", paths[1:])
    for rows in copies.alike:
        is_exact = len({number_of[row] for row in rows}) == 1
        if not is_exact:
            paths = tuple(files[row].path for row in rows)
            yield Finding("near_duplicate", paths, f"{len(rows)} pictures that look alike")
        subject = "the same picture" if is_exact else "pictures that look alike"
        yield from _across_classes(index, rows, subject)
        yield from _across_parts(index, rows, subject)
    yield from _straddling_groups(index, inspection)


def _exact_numbers(num_rows: int, copies: Copies) -> NDArray[np.int64]:
    """The same number for copies to the byte: int64 (num_rows,)."""
    numbers = np.arange(num_rows, dtype=np.int64)
    for rows in copies.exact:
        numbers[rows] = rows[0]
    return numbers


def _in_order_of_keeping(index: DatasetIndex, rows: list[int]) -> list[int]:
    return sorted(rows, key=lambda row: (_KEPT_FIRST[index.files[row].split], row))


def _across_classes(index: DatasetIndex, rows: list[int], subject: str) -> Iterator[Finding]:
    labels = sorted({index.files[row].label for row in rows})
    names = tuple(index.class_names[label] for label in labels)
    if len(names) > 1:
        paths = tuple(index.files[row].path for row in rows)
        detail = f"{subject} in {_and(names)}"
        yield Finding("label_conflict", paths, detail, paths, names)


def _across_parts(index: DatasetIndex, rows: list[int], subject: str) -> Iterator[Finding]:
    """The latest part keeps its own, the others are to give theirs up."""
    held = [row for row in _in_order_of_keeping(index, rows) if index.files[row].split]
    parts = list(dict.fromkeys(index.files[row].split or "" for row in held))
    if len(parts) > 1:
        paths = tuple(index.files[row].path for row in held)
        earlier = tuple(index.files[row].path for row in held if index.files[row].split != parts[0])
        yield Finding("leak", paths, f"{subject} in {_and(parts[::-1])}", earlier)


def _straddling_groups(index: DatasetIndex, inspection: Inspection) -> Iterator[Finding]:
    """What a manifest says belongs together and yet puts into several parts."""
    groups: dict[str, list[int]] = {}
    for row in np.flatnonzero(inspection.readable).tolist():
        name = index.files[row].group
        if name is not None:
            groups.setdefault(name, []).append(row)
    for name, rows in groups.items():
        yield from _across_parts(index, rows, f"the group {name} is")


def _and(names: tuple[str, ...] | list[str]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1]))
