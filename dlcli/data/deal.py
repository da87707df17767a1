"""Groups of pictures dealt to parts: in order while they fit, then mended, then refined.

Parts are numbered 0, 1, 2 for train, val and test. A quota is how many pictures of a label a part
should get; a need says that a part must get some picture of a label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PARTS = _TRAIN, _VAL, _TEST = range(3)
# Of one search, of all; each gets the least; and how deep one goes.
_MOST_TRIES, _TRIES_IN_ALL, _LEAST_TRIES, _MOST_FIXED = 1000, 10_000, 5, 300
# In a row, before all moves are weighed again; and how many first moves of two are tried.
_MOST_FAILURES, _MOST_FIRST_MOVES = 50, 100
# In rows of the table looked at, about 2 seconds; a call costs as much as some hundred rows.
_MOST_WORK, _CALL = 40_000_000, 500

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class GroupTable:
    """How many pictures of each label each group holds.

    Row r says that group `owners[r]` holds `sizes[r]` > 0 pictures of `labels[r]`. The groups are
    numbered in the order in which they are dealt; the rows of group g start at `firsts[g]`. All
    int64: (R,), and `firsts` (G,).
    """

    owners: Integers
    labels: Integers
    sizes: Integers
    firsts: Integers

    def num_rows(self) -> Integers:
        """How many labels each group holds, (G,)."""
        return np.diff(self.firsts, append=len(self.owners))


def tabulate(groups: Integers, labels: Integers, num_labels: int) -> GroupTable:
    """The table of pictures with these groups (N,), each of 0 to G - 1 there, and labels (N,)."""
    keys, sizes = np.unique(groups * num_labels + labels, return_counts=True)
    owners, own_labels = np.divmod(keys, num_labels)
    firsts = np.flatnonzero(np.diff(owners, prepend=-1))
    return GroupTable(owners, own_labels, sizes.astype(np.int64), firsts)


def deal(table: GroupTable, quotas: Integers, needs: Booleans) -> Integers:
    """The part of each group, int64 (G,), for quotas int64 (3, L) and needs bool (3, L).

    First every need of train is met, then of val, then of test; then the deviation is made small:
    the sum of |count - quota| over parts and labels.
    """
    hand = _Hand(table, quotas, needs, deal_while_they_fit(table, quotas))
    _mend(hand)
    _refine(hand)
    return hand.parts


def deal_while_they_fit(table: GroupTable, quotas: Integers) -> Integers:
    """The part of each group, int64 (G,), in order: test if what is left of its quota has room for
    the whole group in every label, else so for val, else train."""
    parts = np.full(len(table.firsts), _TRAIN, np.int64)
    for part in (_TEST, _VAL):
        groups = np.flatnonzero(parts == _TRAIN)
        parts[_those_that_fit(table, groups, quotas[part])] = part
    return parts


def _those_that_fit(table: GroupTable, groups: Integers, quota: Integers) -> list[int]:
    room, room_in_all = quota.tolist(), int(quota.sum())
    labels, sizes = table.labels.tolist(), table.sizes.tolist()
    lasts = (table.firsts + table.num_rows()).tolist()
    fitting: list[int] = []
    for group, first in zip(groups.tolist(), table.firsts[groups].tolist(), strict=True):
        if not room_in_all:
            break
        rows = range(first, lasts[group])
        if all(sizes[row] <= room[labels[row]] for row in rows):
            fitting.append(group)
            for row in rows:
                room[labels[row]] -= sizes[row]
                room_in_all -= sizes[row]
    return fitting


class _Hand:
    """Which part each group is in: `parts` (G,); and what that gives: `excess` (3, L), count -
    quota, and `holders` (3, L), how many groups of a part hold a label."""

    def __init__(
        self, table: GroupTable, quotas: Integers, needs: Booleans, parts: Integers
    ) -> None:
        self.table, self.needs, self.parts = table, needs, parts
        self.excess, self.holders = -quotas, np.zeros_like(quotas)
        np.add.at(self.excess, (parts[table.owners], table.labels), table.sizes)
        np.add.at(self.holders, (parts[table.owners], table.labels), 1)
        self.work = 0
        self._num_rows = table.num_rows()
        self._by_label = np.argsort(table.labels, kind="stable")
        self._label_ends = np.cumsum(self.holders.sum(axis=0))
        # A need missed weighs more than whatever two moves can change of all that comes after it.
        heavy = 8 * int(np.add.reduceat(table.sizes, table.firsts).max()) + 1
        many = 2 * int(self._num_rows.max()) + 2
        self._weights = np.array([heavy * many**2, heavy * many, heavy], np.int64)

    def labels_of(self, group: int) -> list[int]:
        """The labels that a group holds."""
        rows, _ = self._rows(np.array([group]))
        labels: list[int] = self.table.labels[rows].tolist()
        return labels

    def groups_with(self, label: int) -> Integers:
        """The groups that hold a label, in order."""
        end = self._label_ends[label]
        return self.table.owners[self._by_label[end - self.holders[:, label].sum() : end]]

    def groups_astray(self) -> Integers:
        """The groups that hold a label of which some part has too many or too few, in order."""
        is_astray: Booleans = np.any(self.excess != 0, axis=0)
        return np.unique(self.table.owners[is_astray[self.table.labels]])

    def move(self, group: int, part: int) -> None:
        """Puts a group into a part."""
        rows, _ = self._rows(np.array([group]))
        labels, sizes = self.table.labels[rows], self.table.sizes[rows]
        self.excess[self.parts[group], labels] -= sizes
        self.holders[self.parts[group], labels] -= 1
        self.parts[group] = part
        self.excess[part, labels] += sizes
        self.holders[part, labels] += 1

    def changes(self, groups: Integers, part: int) -> tuple[Integers, Integers]:
        """What moving each of these groups alone to another part would add to the deviation, and
        to the weight of the needs missed: two (len(groups),), never below 0 for a group there."""
        rows, starts = self._rows(groups)
        self.work += len(rows) + _CALL
        labels, sizes = self.table.labels[rows], self.table.sizes[rows]
        origins = self.parts[self.table.owners[rows]]
        here, there = self.excess[origins, labels], self.excess[part, labels]
        deviation = np.abs(here - sizes) - np.abs(here) + np.abs(there + sizes) - np.abs(there)
        lost = self.needs[origins, labels] & (self.holders[origins, labels] == 1)
        met = self.needs[part, labels] & (self.holders[part, labels] == 0)
        missed = lost * self._weights[origins] - met * self._weights[part]
        return np.add.reduceat(deviation, starts), np.add.reduceat(missed, starts)

    def _rows(self, groups: Integers) -> tuple[Integers, Integers]:
        """The rows of these groups, one group after the other, and where each group starts."""
        lengths = self._num_rows[groups]
        starts = np.cumsum(lengths) - lengths
        shifts = np.repeat(self.table.firsts[groups] - starts, lengths)
        return np.arange(len(shifts)) + shifts, starts


def _mend(hand: _Hand) -> None:
    """Meets the needs that the deal missed, those of train first, then val, then test; none that
    was met before is given up for another."""
    search = _Search(hand)
    for part in _PARTS:
        for label in np.flatnonzero(hand.needs[part]).tolist():
            search.keep(part, label)


class _Search:
    """A search for moves that meet a need and keep others: depth first, the need with the least
    choice and the cheapest move first. It is complete but for the bounds on tries and depth: in
    general this is the colouring of a hypergraph, which nobody can do fast."""

    def __init__(self, hand: _Hand) -> None:
        self._hand = hand
        self._kept = np.zeros_like(hand.needs)
        self._num_free = hand.holders.sum(axis=0)
        self._fixed: set[int] = set()
        self._tries, self._tries_in_all = 0, _TRIES_IN_ALL

    def keep(self, part: int, label: int) -> None:
        """Meets a need, if moves are found that do so, and keeps it from now on."""
        if not self._hand.holders[part, label]:
            tries = self._tries = max(_LEAST_TRIES, min(_MOST_TRIES, self._tries_in_all))
            self._meet([(part, label)])
            self._tries_in_all -= tries - self._tries
        self._kept[part, label] = self._hand.holders[part, label] > 0

    def _meet(self, needs: list[tuple[int, int]]) -> bool:
        """Moves groups that are not fixed until each of `needs`, (part, label), is met too; where
        it finds no way, none."""
        missed = [need for need in needs if not self._hand.holders[need]]
        if not missed:
            return True
        part, label = need = min(missed, key=lambda need: self._num_free[need[1]])
        missed.remove(need)
        for group in self._candidates(part, label):
            if not self._tries or len(self._fixed) == _MOST_FIXED:
                return False
            self._tries -= 1
            origin, lost = self._fix(group, part)
            is_met = self._meet(missed + lost)
            self._free(group)
            if is_met:
                return True
            self._hand.move(group, origin)
        return False

    def _candidates(self, part: int, label: int) -> list[int]:
        groups = self._hand.groups_with(label)
        deviation, missed = self._hand.changes(groups, part)
        order = np.argsort(deviation + missed, kind="stable")
        return [group for group in groups[order].tolist() if group not in self._fixed]

    def _fix(self, group: int, part: int) -> tuple[int, list[tuple[int, int]]]:
        """Moves a group for good; where it was, and which needs that were kept are missed now."""
        origin, labels = int(self._hand.parts[group]), self._hand.labels_of(group)
        self._hand.move(group, part)
        self._fixed.add(group)
        self._num_free[labels] -= 1
        held = self._hand.holders[origin]
        lost = [label for label in labels if self._kept[origin, label] and not held[label]]
        return origin, [(origin, label) for label in lost]

    def _free(self, group: int) -> None:
        self._fixed.remove(group)
        self._num_free[self._hand.labels_of(group)] += 1


def _refine(hand: _Hand) -> None:
    """Lessens the deviation, never missing more needs, by moves of one group or of two that share
    a label; ends where none is found, or at a bound on the work."""
    hand.work = 0
    while hand.excess.any() and hand.work < _MOST_WORK:
        groups = hand.groups_astray()
        changes = np.array([hand.changes(groups, part) for part in _PARTS])
        if not (_move_one(hand, groups, changes) or _move_two(hand, groups, changes)):
            return


def _move_one(hand: _Hand, groups: Integers, changes: Integers) -> bool:
    """Makes the moves that help, the one that helps most first; whether there was any."""
    totals = changes.sum(axis=1)
    parts, numbers = np.nonzero(totals < 0)
    has_moved, failures = False, 0
    for at in np.argsort(totals[parts, numbers], kind="stable"):
        group, part = int(groups[numbers[at]]), int(parts[at])
        # Others were moved meanwhile.
        if sum(hand.changes(np.array([group]), part)) < 0:
            hand.move(group, part)
            has_moved, failures = True, 0
        else:
            failures += 1
        if failures == _MOST_FAILURES:
            break
    return has_moved


def _move_two(hand: _Hand, groups: Integers, changes: Integers) -> bool:
    """Makes the first two moves found that help together, trying first what spoils the counts
    least; whether there were any."""
    parts, numbers = np.nonzero(hand.parts[groups] != np.array(_PARTS)[:, None])
    order = np.argsort(changes[parts, 0, numbers], kind="stable")
    return any(
        _move_with_another(hand, int(groups[numbers[at]]), int(parts[at]))
        for at in order[:_MOST_FIRST_MOVES]
        if hand.work < _MOST_WORK
    )


def _move_with_another(hand: _Hand, group: int, part: int) -> bool:
    """Makes this move and the best one after it, if they help together; whether they do."""
    # Only what shares a label can make up for it.
    others = np.unique(np.concatenate([hand.groups_with(label) for label in hand.labels_of(group)]))
    origin, cost = int(hand.parts[group]), sum(hand.changes(np.array([group]), part))
    hand.move(group, part)
    totals = np.array([sum(hand.changes(others, other)) for other in _PARTS])
    if cost + totals.min() < 0:
        next_part, number = divmod(int(totals.argmin()), len(others))
        hand.move(int(others[number]), next_part)
        return True
    hand.move(group, origin)
    return False
