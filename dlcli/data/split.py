"""Which pictures are for training, which for choosing, which for the final number.

Stratified by class, with equal pictures kept together. The order in which pictures are dealt
comes from a hash of the seed and the picture itself, not from a shuffle of the list, so adding a
picture moves at most its neighbours.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dlcli.errors import DataError

TRAIN, VAL, TEST = "train", "val", "test"


@dataclass(frozen=True)
class SplitFractions:
    """The shares of val and test; the rest is for training."""

    val: float = 0.15
    test: float = 0.15
    seed: int = 0


def split_groups(
    labels: Sequence[int],
    groups: Sequence[str],
    fractions: SplitFractions,
    class_names: Sequence[str],
) -> list[str]:
    """The split ("train", "val" or "test") of each picture.

    Pictures of one group share a split. Of a class with two groups one goes to train and one to
    val; with three or more each split asked for gets at least one.

    Raises:
        DataError: for a class with fewer than two groups, named.
    """
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    # A group under two labels counts for the label it meets first.
    by_class: dict[int, list[str]] = {label: [] for label in range(len(class_names))}
    for group in sorted(members, key=lambda name: _rank(fractions.seed, name)):
        by_class[labels[members[group][0]]].append(group)
    _require_two_groups(by_class, class_names)
    sizes = {label: sum(len(members[g]) for g in found) for label, found in by_class.items()}
    quotas = {
        split: _quotas(sizes, fraction)
        for split, fraction in ((TEST, fractions.test), (VAL, fractions.val))
        if fraction > 0
    }
    chosen = [TRAIN] * len(labels)
    for label, found in by_class.items():
        dealt = _deal(found, members, {split: quota[label] for split, quota in quotas.items()})
        for group, split in dealt.items():
            for row in members[group]:
                chosen[row] = split
    return chosen


def _rank(seed: int, group: str) -> bytes:
    return hashlib.sha256(f"{seed}:{group}".encode("utf-8", "surrogateescape")).digest()


def _require_two_groups(by_class: dict[int, list[str]], class_names: Sequence[str]) -> None:
    small = [class_names[label] for label, found in by_class.items() if len(found) < 2]
    if small:
        names = ", ".join(small)
        each = "each class needs" if len(small) > 1 else "the class needs"
        raise DataError(
            f"too few different pictures to learn from and to check with: {names}.",
            fix=f"Add pictures ({each} at least 2, better 20) or remove the folder.",
        )


def _quotas(sizes: dict[int, int], fraction: float) -> dict[int, int]:
    """Pictures of each class for a split: shares rounded so that their sum is right too
    (largest remainders)."""
    shares = {label: size * fraction for label, size in sizes.items()}
    quotas = {label: int(share) for label, share in shares.items()}
    missing = int(sum(sizes.values()) * fraction + 0.5) - sum(quotas.values())
    by_remainder = sorted(shares, key=lambda label: (quotas[label] - shares[label], label))
    for label in by_remainder[: max(0, missing)]:
        quotas[label] += 1
    return quotas


def _deal(
    groups: list[str], members: dict[str, list[int]], quotas: dict[str, int]
) -> dict[str, str]:
    """The split of each group of one class: a split takes groups while they fit its quota, train
    takes the rest. A split left with none gets the smallest group of train."""
    left = _least_quotas(quotas, len(groups))
    dealt: dict[str, str] = {}
    for group in groups:
        size = len(members[group])
        split = next((name for name, quota in left.items() if size <= quota), TRAIN)
        dealt[group] = split
        if split != TRAIN:
            left[split] -= size
    for split in (TRAIN, *left):
        held = Counter(dealt.values())
        spare = [group for group in groups if held[dealt[group]] > 1]
        if not held[split] and spare:
            dealt[min(spare, key=lambda group: (dealt[group] != TRAIN, len(members[group])))] = (
                split
            )
    return dealt


def _least_quotas(quotas: dict[str, int], num_groups: int) -> dict[str, int]:
    """One picture at least for each split, but val alone where train could not spare two groups."""
    if num_groups == 2 and VAL in quotas:
        return {VAL: 1}
    return {split: max(1, quota) for split, quota in quotas.items()}
