"""The split of each picture: as the folder says, as an earlier run had it, or dealt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlcli.data.index import DatasetIndex, SkippedFile
from dlcli.data.split import TEST, TRAIN, VAL, SplitFractions, extend_split, split_groups
from dlcli.errors import DataError


@dataclass(frozen=True)
class EarlierSplit:
    """The split of an earlier run, which `name` names: by the pictures' sha256, and by their paths
    for pictures that were edited since."""

    name: str
    by_sha256: Mapping[str, str]
    by_path: Mapping[str, str]

    def of(self, path: str, sha256: str) -> str | None:
        """ "train", "val" or "test"; None for a picture that was not there."""
        return self.by_sha256.get(sha256) or self.by_path.get(path)


@dataclass(frozen=True)
class Partition:
    """`splits[i]` is "train", "val", "test" or None; `leaks` are left out because a later split
    holds the same picture."""

    splits: list[str | None]
    leaks: list[SkippedFile]
    num_added: int = 0


def assign_splits(
    index: DatasetIndex,
    reasons: Sequence[str | None],
    sha256s: Sequence[str],
    groups: Sequence[str],
    rule: SplitFractions | EarlierSplit,
) -> Partition:
    """The split of each readable picture; `groups` are kept whole where we choose.

    Raises:
        DataError: for a class that is too small to split, or if the earlier run held none of them.
    """
    if isinstance(rule, EarlierSplit):
        return _as_before(index, reasons, sha256s, groups, rule)
    splits: list[str | None] = [
        file.split if reason is None else None
        for file, reason in zip(index.files, reasons, strict=True)
    ]
    leaks = _drop_leaks(index, sha256s, splits)
    given = {split for split in splits if split}
    if VAL in given:
        return Partition(splits, leaks)
    free = [
        row
        for row, reason in enumerate(reasons)
        if reason is None and (not given or splits[row] == TRAIN)
    ]
    shares = SplitFractions(rule.val, rule.test if given <= {TRAIN} else 0.0, rule.seed)
    chosen = split_groups(
        [index.files[row].label for row in free],
        [groups[row] for row in free],
        shares,
        index.class_names,
    )
    for row, split in zip(free, chosen, strict=True):
        splits[row] = split
    return Partition(splits, leaks)


def _as_before(
    index: DatasetIndex,
    reasons: Sequence[str | None],
    sha256s: Sequence[str],
    groups: Sequence[str],
    earlier: EarlierSplit,
) -> Partition:
    readable = [row for row, reason in enumerate(reasons) if reason is None]
    known = [earlier.of(index.files[row].path, sha256s[row]) for row in readable]
    if known and not any(known):
        raise DataError(
            f"none of these pictures were in {earlier.name}.",
            where=str(index.source),
            fix="Name a run on this folder (data.split_from), or leave that out.",
        )
    splits: list[str | None] = [None] * len(reasons)
    extended = extend_split(known, [groups[row] for row in readable])
    for row, split in zip(readable, extended, strict=True):
        splits[row] = split
    return Partition(splits, _drop_leaks(index, sha256s, splits), known.count(None))


def _drop_leaks(
    index: DatasetIndex, sha256s: Sequence[str], splits: list[str | None]
) -> list[SkippedFile]:
    """Takes out of train what val or test holds too, and out of val what test holds."""
    leaks = []
    held: dict[str, str] = {}
    for split in (TEST, VAL, TRAIN):
        rows = [row for row, own in enumerate(splits) if own == split]
        for row in rows:
            twin = held.get(sha256s[row])
            if twin is not None:
                leaks.append(SkippedFile(index.files[row].path, f"the same picture as {twin}"))
                splits[row] = None
        for row in rows:
            if splits[row]:
                held.setdefault(sha256s[row], index.files[row].path)
    return leaks
