"""A folder made ready for training: listed, read, split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcli.data.index import DatasetIndex, SkippedFile, index_folder
from dlcli.data.pixels import PixelFormat
from dlcli.data.split import TEST, TRAIN, VAL, SplitFractions, split_groups
from dlcli.data.store import PixelStore, open_store
from dlcli.errors import DataError
from dlcli.events import Reporter, Said, Warned

FEW_TEST_IMAGES = 30
_NAMED = 3


@dataclass(frozen=True)
class Dataset:
    """Pictures with labels and splits; row i is the i-th file of `index` and of `store`.

    `splits[i]` is "train", "val" or "test", or None for a file that is not used.
    """

    index: DatasetIndex
    store: PixelStore
    splits: tuple[str | None, ...]
    skipped: tuple[SkippedFile, ...]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class of each label."""
        return self.index.class_names

    def rows(self, split: str) -> NDArray[np.int64]:
        """The rows of a split, in the order of the index."""
        return np.array([row for row, own in enumerate(self.splits) if own == split], np.int64)

    def labels(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64 (len(rows),)"""
        return np.array([self.index.files[row].label for row in rows], np.int64)

    def groups(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """A number a picture, the same for identical files, int64 (len(rows),)."""
        numbers: dict[str, int] = {}
        sha256s = (self.store.sha256s[row] for row in rows)
        return np.array([numbers.setdefault(sha256, len(numbers)) for sha256 in sha256s], np.int64)

    def num_images(self) -> dict[str, int]:
        """How many pictures are in train, val and test, and how many were skipped."""
        found = Counter(split for split in self.splits if split)
        return {
            **{split: found[split] for split in (TRAIN, VAL, TEST)},
            "skipped": len(self.skipped),
        }

    def split_rows(self) -> Iterable[tuple[str, str, str, str, str]]:
        """The rows of split.csv: path, label, split, group, sha256."""
        for file, split, sha256 in zip(
            self.index.files, self.splits, self.store.sha256s, strict=True
        ):
            if split:
                yield file.path, self.class_names[file.label], split, sha256[:12], sha256


def list_dataset(folder: Path, reporter: Reporter) -> DatasetIndex:
    """Lists a folder of labelled pictures; reads none of them.

    Raises:
        UsageError: if there is no such folder.
        DataError: if it is empty, has one class, or a val or test folder holds a class that train
            does not.
    """
    index = index_folder(folder)
    _introduce(index, reporter)
    _require_classes(index)
    return index


def expected_sizes(index: DatasetIndex, fractions: SplitFractions) -> dict[str, int]:
    """How many pictures train, val and test will hold, and how many are skipped, if every picture
    can be read and no two are the same."""
    reasons = (None,) * len(index.files)
    unique = tuple(file.path for file in index.files)
    splits, _ = _split(index, unique, reasons, fractions)
    found = Counter(splits)
    return {
        **{split: found[split] for split in (TRAIN, VAL, TEST)},
        "skipped": len(index.skipped),
    }


def prepare_dataset(
    index: DatasetIndex,
    pixel_format: PixelFormat,
    fractions: SplitFractions,
    reporter: Reporter,
    *,
    strict: bool = False,
) -> Dataset:
    """Reads and splits the pictures that were listed.

    Raises:
        DataError: if a class is too small to split, or, with `strict`, if a file is unreadable.
        ResourceError: if the cache folder cannot be written.
    """
    folder = index.folder
    store = open_store(folder, [file.path for file in index.files], pixel_format, reporter)
    unreadable = [
        SkippedFile(file.path, reason)
        for file, reason in zip(index.files, store.reasons, strict=True)
        if reason is not None
    ]
    if unreadable and strict:
        raise DataError(
            f"{len(unreadable)} pictures cannot be used: {list_skipped(unreadable)}.",
            where=str(folder),
            fix="Mend or remove them, or let them be skipped (data.unreadable: skip).",
        )
    splits, leaks = _split(index, store.sha256s, store.reasons, fractions)
    _require_training_pictures(index, splits, [*unreadable, *leaks])
    skipped = (*index.skipped, *unreadable, *leaks)
    dataset = Dataset(index, store, tuple(splits), skipped)
    _describe(dataset, fractions, reporter)
    return dataset


def list_skipped(skipped: Sequence[SkippedFile], most: int = _NAMED) -> str:
    """`cat/a.jpg (truncated), dog/b.jpg (not a picture), and 4 more`"""
    named = [f"{file.path} ({file.reason})" for file in skipped[:most]]
    more = len(skipped) - len(named)
    return ", ".join(named) + (f", and {more} more" if more else "")


def _introduce(index: DatasetIndex, reporter: Reporter) -> None:
    counts = index.counts()
    shown = ", ".join(f"{name} {count}" for name, count in list(counts.items())[:8])
    more = f", and {len(counts) - 8} more classes" if len(counts) > 8 else ""
    name = index.folder.resolve().name
    classes = f"{len(counts)} classes" if len(counts) > 1 else "1 class"
    reporter.report(Said(f"{name} · {classes} · {len(index.files)} pictures · {shown}{more}"))
    if index.num_ignored:
        reporter.report(Said(f"passed over: {index.num_ignored} files that are no pictures"))
    if index.empty_classes:
        names = ", ".join(index.empty_classes)
        reporter.report(Warned(f"left out, since there are no pictures in it: {names}"))


def _require_classes(index: DatasetIndex) -> None:
    if len(index.class_names) == 1:
        raise DataError(
            f"there is only one class here ({index.class_names[0]}).",
            where=str(index.folder),
            fix="A classifier needs at least two: add a folder of pictures of something else.",
        )
    if not index.is_split:
        return
    trained = {file.label for file in index.files if file.split == TRAIN}
    foreign = [name for label, name in enumerate(index.class_names) if label not in trained]
    if foreign:
        raise DataError(
            f"val or test holds classes that train does not: {', '.join(foreign)}.",
            where=str(index.folder),
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
            where=str(index.folder),
            fix="Add pictures of them, or remove their folders.",
        )
    if VAL not in splits:
        raise DataError(
            f"no pictures are left to choose by (val).{reasons}",
            where=str(index.folder),
            fix="Add pictures, or let val be split off train by removing its folder.",
        )


def _split(
    index: DatasetIndex,
    sha256s: Sequence[str],
    reasons: Sequence[str | None],
    fractions: SplitFractions,
) -> tuple[list[str | None], list[SkippedFile]]:
    """The split of each row, and what is left out because a later split holds the same picture."""
    splits: list[str | None] = [
        file.split if reason is None else None
        for file, reason in zip(index.files, reasons, strict=True)
    ]
    leaks = _drop_leaks(index, sha256s, splits)
    given = {split for split in splits if split}
    dealt = {VAL: fractions.val, TEST: fractions.test}
    if given:
        dealt[TEST] = fractions.test if given == {TRAIN} else 0.0
        if VAL in given:
            return splits, leaks
        free = [row for row, split in enumerate(splits) if split == TRAIN]
    else:
        free = [row for row, reason in enumerate(reasons) if reason is None]
    chosen = split_groups(
        [index.files[row].label for row in free],
        [sha256s[row] for row in free],
        SplitFractions(dealt[VAL], dealt[TEST], fractions.seed),
        index.class_names,
    )
    for row, split in zip(free, chosen, strict=True):
        splits[row] = split
    return splits, leaks


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


def _describe(dataset: Dataset, fractions: SplitFractions, reporter: Reporter) -> None:
    counts = dataset.num_images()
    shares = ", ".join(f"{counts[split]} {split}" for split in (TRAIN, VAL, TEST))
    given = {file.split for file in dataset.index.files if file.split}
    dealt = f"seed {fractions.seed}" if {TRAIN, VAL, *given} != given else ""
    said = "as the folders say" if given else ""
    origin = "; the rest by ".join(filter(None, (said, dealt)))
    reporter.report(Said(f"split: {shares} ({origin}{_twins(dataset)})"))
    if dataset.skipped:
        listed = list_skipped(dataset.skipped)
        reporter.report(Warned(f"skipped {len(dataset.skipped)}: {listed}"))
    conflicts = _label_conflicts(dataset)
    if conflicts:
        reporter.report(
            Warned(f"{len(conflicts)} pictures lie in two classes, e.g. {conflicts[0]}")
        )
    _warn_of_small_parts(dataset, counts, reporter)


def _warn_of_small_parts(dataset: Dataset, counts: dict[str, int], reporter: Reporter) -> None:
    if not counts[TEST]:
        reporter.report(
            Warned("there is no test part: the numbers come from val, which also chose the model")
        )
    elif counts[TEST] < FEW_TEST_IMAGES:
        reporter.report(Warned(f"{counts[TEST]} test pictures are too few for a number to trust"))
    tested = {dataset.index.files[row].label for row in dataset.rows(TEST)}
    if counts[TEST] and not dataset.index.is_split and len(tested) < len(dataset.class_names):
        missing = [name for label, name in enumerate(dataset.class_names) if label not in tested]
        reporter.report(Warned(f"too few pictures to test: {', '.join(missing)}"))


def _twins(dataset: Dataset) -> str:
    used = [
        sha256 for sha256, split in zip(dataset.store.sha256s, dataset.splits, strict=True) if split
    ]
    twins = len(used) - len(set(used))
    return f"; {twins} duplicates kept together" if twins and not dataset.index.is_split else ""


def _label_conflicts(dataset: Dataset) -> list[str]:
    """`cat/a.jpg = dog/b.jpg` for each picture that lies under two classes."""
    first: dict[str, int] = {}
    conflicts = []
    for row, sha256 in enumerate(dataset.store.sha256s):
        if dataset.splits[row] is None:
            continue
        other = first.setdefault(sha256, row)
        files = dataset.index.files
        if files[other].label != files[row].label:
            conflicts.append(f"{files[other].path} = {files[row].path}")
    return conflicts
