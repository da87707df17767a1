"""Where a page may be written: where nothing is lost, and never among the pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.errors import UsageError

if TYPE_CHECKING:
    from dlcli.data.index import DatasetIndex
    from dlcli.runs.run import OwnPictures, Run


def require_place(
    report: Path, folders: Sequence[Path], target: Path | None = None, *, force: bool
) -> None:
    """Nothing is overwritten but with `force`, nor put into one of `folders`, which hold the
    pictures, nor in the place of `target`.

    Raises:
        UsageError: if it would be.
    """
    if report.is_dir():
        raise UsageError("this is a folder.", where=str(report), fix="Name a file in it.")
    if not report.parent.is_dir():
        raise UsageError(
            "there is no such folder.", where=str(report.parent), fix="Make it, or name another."
        )
    if report.exists() and not force:
        raise UsageError(
            "this file is there already.",
            where=str(report),
            fix="Overwrite it with --force, or name another.",
        )
    if target is not None and os.path.lexists(report) and report.resolve() == target.resolve():
        raise UsageError("this is what is to be looked at.", where=str(report), fix="Name another.")
    own = report.parent.resolve()
    for folder in folders:
        if own.is_relative_to(folder):
            raise UsageError(
                "the report would lie among the pictures.",
                where=str(report),
                fix="Name another place: nothing is ever written there.",
            )


def picture_folders(index: DatasetIndex) -> list[Path]:
    """What belongs to a data set: its folder, or the folders of what a manifest names."""
    if not index.is_manifest:
        return [index.folder.resolve()]
    return _folders_of(index.folder, [file.path for file in index.files])


def own_picture_folders(run: Run, own: OwnPictures) -> list[Path]:
    """The same of the data set that a run was trained on."""
    source = run.describe()["data"].get("source", "")
    if os.path.isdir(source):
        return [Path(source).resolve()]
    return _folders_of(own.folder, [row["path"] for row in own.rows])


def _folders_of(folder: Path, paths: Sequence[str]) -> list[Path]:
    return [(folder / name).resolve() for name in sorted({os.path.dirname(path) for path in paths})]
