"""Labelled pictures that a run is to be asked about: its own, or others."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.report_place import own_picture_folders, picture_folders
from dlcli.errors import DataError, UsageError
from dlcli.events import Reporter, Warned

if TYPE_CHECKING:
    from dlcli.commands.open_run import OpenedRun
    from dlcli.data.index import SkippedFile
    from dlcli.runs.run import OwnPictures


@dataclass(frozen=True)
class Labelled:
    """Pictures below `folder` with the names of their classes; `sha256s` where they are known.
    `part` is which of the run's own they are; nothing may be written into `kept_clean`."""

    source: str
    folder: Path
    paths: list[str]
    names: list[str]
    sha256s: list[str | None]
    kept_clean: list[Path]
    skipped: tuple[SkippedFile, ...] = ()
    part: str | None = None


def own_pictures(
    opened: OpenedRun, own: OwnPictures | None, split: str | None, reporter: Reporter
) -> Labelled:
    """The pictures of a split as split.csv lists them.

    Raises:
        UsageError: if there is no such split, or the model was trained on all of them.
        DataError: if none of the pictures is there any more.
    """
    from dlcli.runs import files
    from dlcli.runs.run import Run

    if opened.classifier.artifact.model.refit:
        raise UsageError(
            "this model was trained once more on all of its pictures (--refit), test among them.",
            where=opened.name,
            fix="Name pictures that it has not seen: dlcli evaluate FOLDER. The numbers that were "
            f"taken before are in {files.METRICS}.",
        )
    if own is None:
        raise UsageError(
            "this model has no pictures of its own.",
            where=opened.name,
            fix="Name a labelled folder or a manifest: dlcli evaluate FOLDER --run ...",
        )
    if split is None and "test" not in own.splits:
        reporter.report(Warned("this run has no test part: val is used, which chose the model"))
    wanted = split or ("test" if "test" in own.splits else "val")
    rows = own.of(wanted)
    if not rows:
        raise UsageError(
            f"this run has no {wanted} part.", where="--split", fix=f"It has {_list(own.splits)}."
        )
    if not any((own.folder / row["path"]).exists() for row in rows):
        raise DataError(
            "the pictures of this run are no longer there.",
            where=str(own.folder),
            fix="Name the folder they are in now: dlcli evaluate FOLDER",
        )
    return Labelled(
        f"{wanted} of {own.folder}",
        own.folder,
        [row["path"] for row in rows],
        [row["label"] for row in rows],
        [row["sha256"] for row in rows],
        own_picture_folders(Run(opened.folder), own),
        part=wanted,
    )


def labelled_pictures(target: Path, split: str | None, reporter: Reporter) -> Labelled:
    """The pictures of a labelled folder or manifest, or of one part of what is split.

    Raises:
        UsageError: if it is not there, or there is no such part.
        DataError: if it holds no picture, or the manifest is faulty.
    """
    from dlcli.data.announce import announce_columns
    from dlcli.data.index import index_dataset

    index = index_dataset(target)
    announce_columns(index, reporter)
    files, source = index.files, str(target)
    if index.is_split:
        splits = {file.split for file in files if file.split}
        wanted = split or ("test" if "test" in splits else "val")
        files = tuple(file for file in files if file.split == wanted)
        source = f"{wanted} of {target}"
        if not files:
            raise UsageError(
                f"there is no {wanted} part here.",
                where=str(target),
                fix=_other_parts(splits),
            )
    elif split:
        raise UsageError(
            "these pictures are not split.",
            where=str(target),
            fix="Leave --split out to use all of it.",
        )
    return Labelled(
        source,
        index.folder,
        [file.path for file in files],
        [index.class_names[file.label] for file in files],
        [None] * len(files),
        picture_folders(index),
        index.skipped,
    )


def require_known(labelled: Labelled, known: tuple[str, ...], who: str = "the run") -> None:
    """Whether every class of the pictures is one of the model's, `known`.

    Raises:
        DataError: if not, with their names.
    """
    unknown = sorted(set(labelled.names) - set(known))
    if not unknown:
        return
    near = difflib.get_close_matches(unknown[0], known, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise DataError(
        f"{who} does not know {_list(unknown)}.{hint}",
        where=labelled.source,
        fix=f"Its classes are {_list(known)}.",
    )


def _other_parts(splits: set[str]) -> str:
    others = splits - {"train"}
    if others:
        return f"It has {_list(others)}: name one with --split."
    return "All of it is for training: name a folder or manifest that is not split to use it."


def _list(names: Iterable[str], most: int = 8) -> str:
    texts = sorted(names)
    return ", ".join(texts[:most]) + (", ..." if len(texts) > most else "")
