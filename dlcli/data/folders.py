"""A folder -> the list of its pictures and their labels.

A data set is a folder of class folders, or of `train`, `val` and `test` folders of class folders.
Everything below a class folder belongs to the class. Hidden files, what operating systems leave
behind and files that are known to be no pictures are passed over; everything else is either used
or named with the reason.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dlcli.data.index import SPLIT_NAMES, DatasetIndex, ImageFile, SkippedFile
from dlcli.errors import DataError

_LEFTOVER_NAMES = frozenset(
    (
        "__macosx",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "@eadir",
    )
)
_name_of = operator.attrgetter("name")
_NO_PICTURES = (".txt", ".csv", ".json", ".xml", ".md", ".ini", ".db", ".yaml")


@dataclass
class _Listing:
    """Collects while the folder is walked; `found` holds (class name, split, paths)."""

    found: list[tuple[str, str | None, list[str]]]
    skipped: list[SkippedFile]
    empty: list[str]
    num_ignored: int = 0


def index_folder(folder: Path) -> DatasetIndex:
    """Lists a folder of labelled pictures.

    Raises:
        DataError: if it holds no class folder or no candidate at all.
    """
    listing = _Listing([], [], [])
    parts = split_folders(folder)
    if parts:
        _skip_strays(folder, "", listing)
        _skip_foreign_folders(folder, {name for _, name in parts}, listing)
        for split, name in parts:
            _list_classes(folder, f"{name}/", split, listing)
    else:
        _list_classes(folder, "", None, listing)
    class_names = tuple(sorted({name for name, _, _ in listing.found}))
    if not class_names:
        raise _no_pictures(folder, listing)
    label_of = {name: label for label, name in enumerate(class_names)}
    files = tuple(
        ImageFile(path, label_of[name], split)
        for name, split, paths in listing.found
        for path in paths
    )
    return DatasetIndex(
        folder,
        class_names,
        files,
        tuple(listing.skipped),
        listing.num_ignored,
        tuple(name for name in listing.empty if name not in label_of or parts),
        folder,
    )


def list_images(folder: Path, *, recursive: bool = True) -> Iterator[str]:
    """Every file in `folder`, and below it where `recursive`, that may be a picture, sorted folder
    by folder, as given paths. A sub-folder that may not be read stands for itself: its record will
    say so."""
    below = _Below(str(folder), "")
    for batch in _walk(below, strict=False) if recursive else _batches_of(below):
        for path in batch.paths:
            yield os.path.join(folder, *path.split("/"))


def split_folders(folder: Path) -> list[tuple[str, str]]:
    """(split, folder name) pairs where `folder` holds train/val/test folders; empty where its
    folders are classes.

    A folder is split where `train` holds class folders, and nothing else or another split stands
    beside it: a class of trains may well be called train.
    """
    names = [entry.name for entry in _folders(str(folder))]
    parts = [(SPLIT_NAMES[name.lower()], name) for name in names if name.lower() in SPLIT_NAMES]
    trained = [name for split, name in parts if split == "train"]
    if len(parts) < min(2, len(names)) or not trained:
        return []
    return sorted(parts) if all(_holds_classes(folder / name) for name in trained) else []


def _holds_classes(folder: Path) -> bool:
    return bool(_folders(str(folder)))


def _no_pictures(folder: Path, listing: _Listing) -> DataError:
    if not listing.empty and not listing.skipped:
        return DataError(
            "there are no pictures in this folder.",
            where=str(folder),
            fix="Put one sub-folder of pictures for each class into it, e.g. cat/ and dog/.",
        )
    held = f"{len(listing.skipped)} files beside them" if listing.skipped else "nothing usable"
    return DataError(
        f"no pictures in class folders here ({held}; empty folders: {len(listing.empty)}).",
        where=str(folder),
        fix="Sort the pictures into one sub-folder for each class, e.g. cat/ and dog/.",
    )


def _list_classes(folder: Path, prefix: str, split: str | None, listing: _Listing) -> None:
    """Every folder below `folder/prefix` is a class; files beside them are strays."""
    _skip_strays(folder, prefix, listing)
    above = (_identity(str(folder)),)
    for entry in _folders(os.path.join(folder, prefix)):
        paths: list[str] = []
        for batch in _walk(_Below(entry.path, f"{prefix}{entry.name}/", above)):
            paths += batch.paths
            listing.num_ignored += batch.num_ignored
        if paths:
            listing.found.append((entry.name, split, paths))
        else:
            listing.empty.append(entry.name)


def _skip_strays(folder: Path, prefix: str, listing: _Listing) -> None:
    for entry in _scan(os.path.join(folder, prefix)):
        if _is_folder(entry) or not _counts(entry.name):
            continue
        if _may_be_picture(entry.name):
            listing.skipped.append(
                SkippedFile(prefix + entry.name, "lies beside the class folders, not in one")
            )
        else:
            listing.num_ignored += 1


def _skip_foreign_folders(folder: Path, parts: set[str], listing: _Listing) -> None:
    listing.skipped.extend(
        SkippedFile(f"{entry.name}/", "a folder that is no part of the split")
        for entry in _folders(str(folder))
        if entry.name not in parts
    )


@dataclass(frozen=True, slots=True)
class _Below:
    """A folder that is still to be looked into: where it is, what its paths begin with, and which
    folders it lies in."""

    folder: str
    prefix: str
    above: tuple[tuple[int, int], ...] = ()


@dataclass(slots=True)
class _Batch:
    """Candidates that follow each other, and how many files among them are no pictures."""

    paths: list[str]
    num_ignored: int = 0


def _walk(start: _Below, *, strict: bool = True) -> Iterator[_Batch]:
    """What lies below, sorted folder by folder; links to a folder above end there. Where not
    `strict`, a folder that cannot be listed stands for itself."""
    pending: list[_Below | _Batch] = [start]  # the next one last; folders may lie very deep
    while pending:
        item = pending.pop()
        if isinstance(item, _Batch):
            yield item
            continue
        try:
            pending.extend(reversed(_look_into(item)))
        except DataError:
            if strict:
                raise
            yield _Batch([item.prefix.rstrip("/")])


def _batches_of(item: _Below) -> Iterator[_Batch]:
    """The files of a folder itself."""
    try:
        yield from (found for found in _look_into(item) if isinstance(found, _Batch))
    except DataError:
        yield _Batch([""])


def _look_into(item: _Below) -> list[_Below | _Batch]:
    """The files of a folder in batches, with its sub-folders between them, by name."""
    here = _identity(item.folder)
    if here in item.above:
        return []
    prefix, above = item.prefix, (*item.above, here)
    batch = _Batch([])
    found: list[_Below | _Batch] = [batch]
    for entry in _scan(item.folder):
        name = entry.name
        if not _counts(name):
            continue
        if _is_folder(entry):
            batch = _Batch([])
            found += [_Below(entry.path, f"{prefix}{name}/", above), batch]
        elif _may_be_picture(name):
            batch.paths.append(prefix + name)
        else:
            batch.num_ignored += 1
    return found


def _identity(folder: str) -> tuple[int, int]:
    try:
        status = os.stat(folder)
    except OSError as error:
        raise _unlisted(folder, error) from error
    return status.st_dev, status.st_ino


def _folders(folder: str) -> list[os.DirEntry[str]]:
    """The folders in a folder that count: neither hidden nor left behind."""
    return [entry for entry in _scan(folder) if _is_folder(entry) and _counts(entry.name)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _scan(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=_name_of)
    except OSError as error:
        raise _unlisted(folder, error) from error


def _unlisted(folder: str, error: OSError) -> DataError:
    if isinstance(error, PermissionError):
        return DataError(
            "this folder may not be read.", where=folder, fix="Change its permissions."
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return DataError(
            "this folder changed while it was being listed.",
            where=folder,
            fix="Start again when the pictures are left alone.",
        )
    return DataError(f"this folder cannot be read: {error.strerror}.", where=folder)


def _counts(name: str) -> bool:
    """Neither hidden nor left behind by an operating system."""
    return not name.startswith(".") and name.lower() not in _LEFTOVER_NAMES


def _may_be_picture(name: str) -> bool:
    return not name.lower().endswith(_NO_PICTURES)
