"""Which pictures must share a split: copies, near duplicates, and what a manifest puts together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcli.data.groups import connected, links_of_equals
from dlcli.data.index import DatasetIndex
from dlcli.data.likeness import near_duplicates
from dlcli.data.store import PixelStore

LARGE_CLASS = 20
"""From this many pictures on a class whose pictures look all alike is taken for photos of one scene
by a fixed camera, in which likeness says little. Of a smaller one they may well be one burst."""


@dataclass(frozen=True)
class Related:
    """`names[i]` is the name of the group of picture i: the manifest's, else the beginning of the
    smallest sha256 in it, so that the name outlasts pictures that are added. `num_copies` and
    `num_near` say how many pictures stand in a group because of their bytes and their look.
    `uniform_classes` are those in which looks were left out of account.
    """

    names: tuple[str, ...]
    num_copies: int = 0
    num_near: int = 0
    uniform_classes: tuple[str, ...] = ()


def relate(index: DatasetIndex, store: PixelStore) -> Related:
    """The groups of the pictures of a data set. An unreadable one stands alone."""
    readable = np.array([reason is None for reason in store.reasons], np.bool_)
    sha256s = [
        sha256 if fine else None for sha256, fine in zip(store.sha256s, readable, strict=True)
    ]
    copies = links_of_equals(sha256s)
    given = links_of_equals([file.group for file in index.files])
    rows = np.flatnonzero(readable)
    near = rows[near_duplicates(store.records["look"][rows])]
    certain = np.concatenate([copies, given])
    labels = np.array([file.label for file in index.files], np.int64)
    uniform = uniform_labels(labels, np.concatenate([certain, near]), near)
    if uniform:
        near = near[~np.isin(labels[near], list(uniform)).any(axis=1)]
    num_rows = len(index.files)
    numbers = connected(num_rows, np.concatenate([certain, near]))
    num_apart = num_rows if not len(near) else len(set(connected(num_rows, certain).tolist()))
    return Related(
        _names(index, store.sha256s, numbers),
        len(copies),
        num_apart - len(set(numbers.tolist())) if len(near) else 0,
        tuple(index.class_names[label] for label in sorted(uniform)),
    )


def name_alone(index: DatasetIndex) -> tuple[str, ...]:
    """The names of the groups before a picture was read: the manifest's, else each its own."""
    return tuple(file.group or file.path for file in index.files)


def uniform_labels(
    labels: NDArray[np.int64], links: NDArray[np.int64], near: NDArray[np.int64]
) -> set[int]:
    """Classes of which more than half would be one group, were likeness to count."""
    if not len(near):
        return set()
    sizes = Counter(labels.tolist())
    numbers = connected(len(labels), links)
    held = Counter(zip(labels.tolist(), numbers.tolist(), strict=True))
    looked_at = set(labels[near].ravel().tolist())
    return {
        label
        for (label, _), count in held.items()
        if label in looked_at and sizes[label] >= LARGE_CLASS and 2 * count > sizes[label]
    }


def _names(
    index: DatasetIndex, sha256s: Sequence[str], numbers: NDArray[np.int64]
) -> tuple[str, ...]:
    named: dict[int, tuple[bool, str]] = {}
    for file, sha256, number in zip(index.files, sha256s, numbers.tolist(), strict=True):
        name = (file.group is None, file.group or sha256[:16] or file.path)
        named[number] = min(named.get(number, name), name)
    return tuple(named[number][1] for number in numbers.tolist())
