"""Pictures put into a folder for each class, as a model sees them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlcli.errors import ResourceError, UsageError
from dlcli.events import Reporter, Warned

UNKNOWN = "unknown"
_FORBIDDEN = frozenset('<>:"/\\|?*')
"""What the name of a file may not hold on one system or another."""


@dataclass(frozen=True)
class Sorting:
    """A folder to be made, and whether links to the pictures are put into it, or copies."""

    folder: Path
    links: bool = False

    @property
    def option(self) -> str:
        """By which it was asked for."""
        return f"{'--link-to' if self.links else '--copy-to'} {self.folder}"


def require_new_folder(sorting: Sorting, folders: Sequence[str]) -> None:
    """That nothing lies in the folder yet, and it is none of `folders`, which are read, nor in one.

    Raises:
        UsageError: otherwise.
    """
    folder = sorting.folder
    for read in folders:
        if folder.resolve().is_relative_to(Path(read).resolve()):
            raise UsageError(
                f"this lies in {read}, which is read: its pictures would be found again.",
                where=sorting.option,
                fix="Name another folder.",
            )
    if os.path.lexists(folder) and not folder.is_dir():
        raise UsageError("this is no folder.", where=sorting.option, fix="Name another one.")
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(
            "there is something in this folder already.",
            where=sorting.option,
            fix="Name a new one: nothing is overwritten.",
        )


@dataclass
class SortedPictures:
    """What has been put where. Unknown pictures go to a folder `unknown` (`unknown-` where a class
    is called so). Of pictures that are called alike the later ones get a number."""

    sorting: Sorting
    class_names: Sequence[str]
    reporter: Reporter
    _folders: dict[str | None, Path] = field(default_factory=dict)
    _taken: dict[Path, dict[str, int]] = field(default_factory=dict)

    def place(self, path: str, label: str | None, content: bytes | None = None) -> None:
        """Puts a picture that is taken for the class `label`, None for unknown, into its folder;
        `content` is its bytes where there is no file at `path`.

        Raises:
            ResourceError: if links cannot be made here.
        """
        target = self._free_place(path, label)
        try:
            if self.sorting.links and content is None:
                _link(path, target, self.sorting)
            else:
                _copy(path, content, target)
        except FileNotFoundError:
            self.reporter.report(Warned(f"{path} is gone since it was read: it is not sorted"))

    def _free_place(self, path: str, label: str | None) -> Path:
        folder = self._folder_of(label)
        taken = self._taken.setdefault(folder, {})  # with the last number that each name got
        asked = os.path.basename(path) or "picture"
        stem, suffix = os.path.splitext(asked)
        name, number = asked, taken.get(asked.casefold(), 1)
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}{suffix}"
        taken[name.casefold()] = 1
        taken[asked.casefold()] = number
        return folder / name

    def _folder_of(self, label: str | None) -> Path:
        if label not in self._folders:
            used = {folder.name.casefold() for folder in self._folders.values()}
            if label is None:
                used |= {folder_name(own).casefold() for own in self.class_names}
            name = UNKNOWN if label is None else folder_name(label)
            while name.casefold() in used:
                name += "-"
            folder = self.sorting.folder / name
            folder.mkdir(parents=True, exist_ok=True)
            self._folders[label] = folder
        return self._folders[label]


def folder_name(class_name: str) -> str:
    """A class name as the name of a folder, on any system."""
    name = "".join("_" if char in _FORBIDDEN or ord(char) < 32 else char for char in class_name)
    return name.rstrip(" .") or "_"


def _link(path: str, target: Path, sorting: Sorting) -> None:
    try:
        target.symlink_to(os.path.abspath(path))
    except OSError as error:
        if getattr(error, "winerror", None) is None:
            raise
        raise ResourceError(
            "links cannot be made here.", where=sorting.option, fix="Use --copy-to."
        ) from error


def _copy(path: str, content: bytes | None, target: Path) -> None:
    """Whole or not at all."""
    from dlcli.runs.files import write_atomic

    if content is not None:
        write_atomic(target, content)
        return
    descriptor, temporary = tempfile.mkstemp(prefix=".copying-", dir=target.parent)
    os.close(descriptor)
    try:
        shutil.copyfile(path, temporary)
        shutil.copystat(path, temporary)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
