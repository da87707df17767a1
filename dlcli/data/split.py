"""Which pictures are for training, which for choosing, which for the final number.

Groups stay whole, and may hold pictures of several classes. What is aimed at, the first thing
first:

1. Every class of two groups is in train and val, every larger one in all parts asked for. Where
   groups that span classes make that impossible, train comes before val and val before test.
2. Each part has its quota of each class: its share, rounded so that the sum over the classes is
   right too. Groups are dealt in order: to test while it has room for the whole group, then to
   val, the rest to train. Then groups are moved, one or two at a time, as long as that lessens the
   deviation, the sum of |count - quota| over parts and classes: one picture too many is better
   than nine too few. With groups of one picture the deal is exact, and nothing is moved.

The order is that of a hash of the seed and the group's name, so the split depends neither on the
order of the list nor on chance, and adding a picture moves few others. With groups of one picture
it moves at most 24, however many there are: those at the borders of its own class, and of the few
classes whose share is rounded otherwise (6 at most in 240,000 random folders, mostly 2). Larger
groups are moved as wholes, and where most are large it may be many: one more picture beside those
of 200 patients moved a tenth of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcli.data.deal import Booleans, Integers, deal, tabulate
from dlcli.errors import DataError

TRAIN, VAL, TEST = "train", "val", "test"
PARTS = (TRAIN, VAL, TEST)


@dataclass(frozen=True)
class SplitFractions:
    """The shares of val and test, 0 for none; the rest is for training."""

    val: float = 0.15
    test: float = 0.15
    seed: int = 0


def split_groups(
    labels: Sequence[int],
    groups: Sequence[str],
    fractions: SplitFractions,
    class_names: Sequence[str],
) -> list[str]:
    """The split ("train", "val" or "test") of each picture, by the rule at the top.

    Raises:
        DataError: for classes with fewer than two groups, all of them named.
    """
    own_labels, num_labels = np.asarray(labels, np.int64), len(class_names)
    numbers = _number_in_order(groups, fractions.seed)
    table = tabulate(numbers, own_labels, num_labels)
    num_groups = np.bincount(table.labels, minlength=num_labels)
    num_images = np.bincount(own_labels, minlength=num_labels)
    _require_two_groups(num_groups, num_images, class_names)
    needs = needed_parts(num_groups, fractions)
    parts = deal(table, share_out(num_images, needs, fractions), needs)
    return [PARTS[part] for part in parts[numbers].tolist()]


def extend_split(known: Sequence[str | None], groups: Sequence[str]) -> list[str]:
    """The split of each picture when an earlier split is kept: `known` has that of each picture
    that was there, None for one that was added.

    An added picture goes to train; if its group holds known pictures, to their split, and if they
    are in several to the last of train, val and test. A known picture stays where it was.
    """
    latest: dict[str, str] = {}
    for split, group in zip(known, groups, strict=True):
        if split is not None:
            latest[group] = max(split, latest.get(group, TRAIN), key=PARTS.index)
    return [
        split if split is not None else latest.get(group, TRAIN)
        for split, group in zip(known, groups, strict=True)
    ]


def needed_parts(num_groups: Integers, fractions: SplitFractions) -> Booleans:
    """Which of train, val and test must hold some picture of each class, bool (3, L), from how
    many groups each class has (L,)."""
    has_val, has_test = fractions.val > 0, fractions.test > 0
    val = (num_groups >= 2) & has_val
    test = (num_groups >= (3 if has_val else 2)) & has_test
    return np.stack([num_groups >= 1, val, test])


def share_out(num_images: Integers, needs: Booleans, fractions: SplitFractions) -> Integers:
    """The quotas: how many pictures of each class train, val and test should get, int64 (3, L).

    Shares are rounded down, but to 1 where a part needs the class; then those with the largest
    remainders get one more until their sum is right. What a class lost to test by this counts in
    val's remainders, so that the rest, train's, is near its share too. Train keeps at least 1.
    """
    # 0.29 of 100 is 28.999999999999996 in floating point.
    shares = np.outer([fractions.val, fractions.test], num_images).round(9)
    val_total, test_total = np.floor(shares.sum(axis=1).round(9) + 0.5).astype(int).tolist()
    val_share, test_share = shares * needs[1:]
    need_val, need_test = needs[1:].astype(np.int64)
    room = num_images - 1
    test = np.minimum(np.maximum(_floor(test_share), need_test), room - need_val)
    val = np.minimum(np.maximum(_floor(val_share), need_val), room - test)
    may = (test < test_share) & (test + val < room)
    test = _add_one_each(test, test_total, may, test_share - test)
    may = (val < val_share) & (test + val < room)
    val = _add_one_each(val, val_total, may, val_share - val + test_share - test)
    return np.stack([num_images - val - test, val, test])


def _floor(shares: NDArray[np.float64]) -> Integers:
    floor: Integers = np.floor(shares).astype(np.int64)
    return floor


def _add_one_each(
    quotas: Integers, total: int, may: Booleans, remainders: NDArray[np.float64]
) -> Integers:
    """One more for each class that may have it, the largest remainder first, until the sum is
    `total`."""
    by_remainder = np.argsort(-remainders, kind="stable")
    chosen = by_remainder[may[by_remainder]][: max(0, total - int(quotas.sum()))]
    added = quotas.copy()
    added[chosen] += 1
    return added


def _number_in_order(groups: Sequence[str], seed: int) -> Integers:
    """The number of each picture's group, int64 (N,), in the order in which they are dealt."""
    first_seen: dict[str, int] = {}
    numbers = [first_seen.setdefault(group, len(first_seen)) for group in groups]
    hashes = [_hash(seed, group) for group in first_seen]
    ranks = np.empty(len(hashes), np.int64)
    ranks[sorted(range(len(hashes)), key=hashes.__getitem__)] = np.arange(len(hashes))
    return ranks[numbers]


def _hash(seed: int, group: str) -> bytes:
    return hashlib.sha256(f"{seed}:{group}".encode("utf-8", "surrogateescape")).digest()


def _require_two_groups(
    num_groups: Integers, num_images: Integers, class_names: Sequence[str]
) -> None:
    small = np.flatnonzero(num_groups < 2).tolist()
    if not small:
        return
    names = ", ".join(class_names[label] for label in small)
    whole = ", ".join(
        f"all {num_images[label]} pictures of {class_names[label]} are one group"
        for label in small
        if num_images[label] > 1
    )
    why = f" A group (copies, or what belongs together) is never divided: {whole}." if whole else ""
    each = "each class needs" if len(small) > 1 else "the class needs"
    raise DataError(
        f"too few different pictures to learn from and to check with: {names}.{why}",
        fix=f"Add other pictures ({each} at least 2, better 20) or leave the class out.",
    )
