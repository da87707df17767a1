"""A folder made ready for training: listed, read, split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcli.data.announce import announce_dataset, announce_index, list_skipped
from dlcli.data.exclusions import exclude as leave_out
from dlcli.data.index import DatasetIndex, SkippedFile, index_dataset
from dlcli.data.partition import EarlierSplit, assign_splits
from dlcli.data.pixels import PixelFormat
from dlcli.data.related import Related, name_alone, relate
from dlcli.data.split import TEST, TRAIN, VAL, SplitFractions
from dlcli.data.store import PixelStore, open_store
from dlcli.errors import DataError
from dlcli.events import Reporter


@dataclass(frozen=True)
class Dataset:
    """Pictures with labels and splits; row i is the i-th file of `index` and of `store`.

    `splits[i]` is "train", "val" or "test", or None for a file that is not used; `rule` is what
    decided where the folder does not. `num_added` are the pictures that an earlier split did not
    hold.
    """

    index: DatasetIndex
    store: PixelStore
    splits: tuple[str | None, ...]
    related: Related
    skipped: tuple[SkippedFile, ...]
    rule: SplitFractions | EarlierSplit
    num_added: int = 0

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class of each label."""
        return self.index.class_names

    def rows(self, split: str) -> NDArray[np.int64]:
        """The rows of a split, in the order of the index."""
        return np.array([row for row, own in enumerate(self.splits) if own == split], np.int64)

    def as_one(self) -> Dataset:
        """All pictures of train, val and test as training pictures."""
        return replace(self, splits=tuple(split and TRAIN for split in self.splits))

    def labels(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64 (len(rows),)"""
        return np.array([self.index.files[row].label for row in rows], np.int64)

    def groups(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """A number a picture, the same for related ones, int64 (len(rows),)."""
        numbers: dict[str, int] = {}
        names = (self.related.names[row] for row in rows)
        return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)

    def num_images(self) -> dict[str, int]:
        """How many pictures are in train, val and test, and how many were skipped."""
        found = Counter(split for split in self.splits if split)
        return {
            **{split: found[split] for split in (TRAIN, VAL, TEST)},
            "skipped": len(self.skipped),
        }

    def split_rows(self) -> Iterable[tuple[str, str, str, str, str]]:
        """The rows of split.csv: path, label, split, group, sha256."""
        for file, split, group, sha256 in zip(
            self.index.files, self.splits, self.related.names, self.store.sha256s, strict=True
        ):
            if split:
                yield file.path, self.class_names[file.label], split, group, sha256


def list_dataset(target: Path, reporter: Reporter, *, exclude: Path | None = None) -> DatasetIndex:
    """Lists a folder of labelled pictures, or what a manifest names, without what the file
    `exclude` names; reads no picture.

    Raises:
        UsageError: if it is not there, or `exclude` is not.
        DataError: if it is empty, has one class, or a val or test part holds a class that train
            does not, or the manifest is faulty.
    """
    index = index_dataset(target)
    if exclude is not None:
        index = leave_out(index, exclude, reporter)
    announce_index(index, reporter)
    _require_classes(index)
    return index


def expected_sizes(index: DatasetIndex, rule: SplitFractions | EarlierSplit) -> dict[str, int]:
    """How many pictures train, val and test will hold, and how many are skipped, if every picture
    can be read and no two are alike."""
    paths = tuple(file.path for file in index.files)
    partition = assign_splits(index, (None,) * len(paths), paths, name_alone(index), rule)
    found = Counter(partition.splits)
    return {
        **{split: found[split] for split in (TRAIN, VAL, TEST)},
        "skipped": len(index.skipped),
    }


def prepare_dataset(
    index: DatasetIndex,
    pixel_format: PixelFormat,
    rule: SplitFractions | EarlierSplit,
    reporter: Reporter,
    *,
    strict: bool = False,
    begin_at: float = 0.0,
) -> Dataset:
    """Reads and splits the pictures that were listed; `begin_at` as `open_store`.

    Raises:
        DataError: if a class is too small to split, or, with `strict`, if a file is unreadable.
        ResourceError: if the cache folder cannot be written.
    """
    paths = [file.path for file in index.files]
    store = open_store(index.folder, paths, pixel_format, reporter, begin_at=begin_at)
    unreadable = [
        SkippedFile(file.path, reason)
        for file, reason in zip(index.files, store.reasons, strict=True)
        if reason is not None
    ]
    unusable = [*index.missing, *unreadable]
    if unusable and strict:
        raise DataError(
            f"{len(unusable)} pictures cannot be used: {list_skipped(unusable)}.",
            where=str(index.source),
            fix="Mend or remove them, or let them be skipped (data.unreadable: skip).",
        )
    related = relate(index, store)
    partition = assign_splits(index, store.reasons, store.sha256s, related.names, rule)
    _require_training_pictures(index, partition.splits, [*unreadable, *partition.leaks])
    skipped = (*index.skipped, *unreadable, *partition.leaks)
    splits = tuple(partition.splits)
    dataset = Dataset(index, store, splits, related, skipped, rule, partition.num_added)
    announce_dataset(dataset, reporter)
    return dataset


def _require_classes(index: DatasetIndex) -> None:
    if len(index.class_names) == 1:
        raise DataError(
            f"there is only one class here ({index.class_names[0]}).",
            where=str(index.source),
            fix="A classifier needs at least two: add a folder of pictures of something else.",
        )
    if not index.is_split:
        return
    trained = {file.label for file in index.files if file.split == TRAIN}
    foreign = [name for label, name in enumerate(index.class_names) if label not in trained]
    if foreign:
        raise DataError(
            f"val or test holds classes that train does not: {', '.join(foreign)}.",
            where=str(index.source),
            fix="Add training pictures of them, or remove those folders.",
        )


def _require_training_pictures(
    index: DatasetIndex, splits: list[str | None], left_out: list[SkippedFile]
) -> None:
    """What is unreadable, or also in val or test, may have been all there was of a class."""
    trained = {
        file.label for file, split in zip(index.files, splits, strict=True) if split == TRAIN
    }
    untrained = [name for label, name in enumerate(index.class_names) if label not in trained]
    reasons = f" Left out: {list_skipped(left_out)}." if left_out else ""
    if untrained:
        raise DataError(
            f"no training pictures are left of: {', '.join(untrained)}.{reasons}",
            where=str(index.source),
            fix="Add pictures of them, or remove their folders.",
        )
    if VAL not in splits:
        raise DataError(
            f"no pictures are left to choose by (val).{reasons}",
            where=str(index.source),
            fix="Add pictures, or let val be split off train by removing its folder.",
        )
