"""Pictures that are left out of a data set without touching its folder: data.exclude."""

from __future__ import annotations

import json
import os
import posixpath
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcli.data.index import DatasetIndex, SkippedFile
from dlcli.errors import DataError, UsageError
from dlcli.events import Reporter, Warned

EXCLUDED_KINDS = frozenset(("corrupt", "tiny", "blank", "label_conflict", "unlikely_label"))
"""Findings of a check that say by themselves what to leave out: all of their pictures."""

_NAMED = 3


def exclude(index: DatasetIndex, file: Path, reporter: Reporter) -> DatasetIndex:
    """The index without what `file` names: a list with a path a line (`#` begins a comment; a
    folder stands for all below it), a JSON list, or what `check --json` printed. Paths count from
    the index's folder. What it names and is not there is said.

    Raises:
        UsageError: if there is no such file.
        DataError: if it cannot be understood, or nothing is left.
    """
    named = {_relative(path, index.folder) for path in _read_paths(file)}
    excluded = [one.path for one in index.files if not named.isdisjoint(_with_parents(one.path))]
    if len(excluded) == len(index.files):
        raise DataError("leaves nothing of the pictures.", where=f"data.exclude {file}")
    met = {part for path in excluded for part in _with_parents(path)}
    met |= {one.path.rstrip("/") for one in index.skipped}
    _tell_of_missing(sorted(named - met), file, reporter)
    skipped = [SkippedFile(path, f"excluded by {file.name}") for path in excluded]
    return _without(index, set(excluded), skipped)


def _without(index: DatasetIndex, excluded: set[str], skipped: list[SkippedFile]) -> DatasetIndex:
    """Labels are numbered anew, since a class may have lost all its pictures."""
    files = [file for file in index.files if file.path not in excluded]
    counts = Counter(file.label for file in files)
    names = [name for label, name in enumerate(index.class_names) if counts[label]]
    new_label = {index.class_names.index(name): label for label, name in enumerate(names)}
    gone = [name for label, name in enumerate(index.class_names) if not counts[label]]
    return replace(
        index,
        class_names=tuple(names),
        files=tuple(replace(file, label=new_label[file.label]) for file in files),
        skipped=(*index.skipped, *skipped),
        empty_classes=(*index.empty_classes, *gone),
    )


def _tell_of_missing(missing: list[str], file: Path, reporter: Reporter) -> None:
    if not missing:
        return
    shown = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
    count = "1 path is" if len(missing) == 1 else f"{len(missing)} paths are"
    reporter.report(Warned(f"{count} named by {file} and not in the data: {shown}"))


def _with_parents(path: str) -> set[str]:
    """The path and the folders it lies in."""
    parts = path.split("/")
    return {"/".join(parts[:count]) for count in range(1, len(parts) + 1)}


def _relative(path: str, folder: Path) -> str:
    if os.path.isabs(path):
        path = os.path.relpath(path, os.path.abspath(folder)).replace(os.sep, "/")
    return posixpath.normpath(path)


def _read_paths(file: Path) -> Iterable[str]:
    try:
        text = file.read_bytes().decode("utf-8-sig", "surrogateescape")
    except FileNotFoundError as error:
        raise UsageError(
            "there is no such file.",
            where=f"data.exclude {file}",
            fix="Name a list of paths, or the output of `dlcli check --json`.",
        ) from error
    except OSError as error:
        raise UsageError(
            f"cannot be read: {error.strerror}.", where=f"data.exclude {file}"
        ) from error
    if text.lstrip()[:1] in ("{", "["):
        return _paths_in_json(text, file)
    lines = (line.strip() for line in text.split("\n"))
    return [line for line in lines if line and not line.startswith("#")]


def _paths_in_json(text: str, file: Path) -> list[str]:
    try:
        document = json.loads(text)
        if isinstance(document, dict):
            document = [path for finding in document["findings"] for path in _offenders(finding)]
        paths = [posixpath.normpath(path) for path in document]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            "is neither a list of paths nor the output of a check.",
            where=f"data.exclude {file}",
            fix="Write a path a line, or use what `dlcli check --json` prints.",
        ) from error
    return paths


def _offenders(finding: dict[str, Any]) -> list[str]:
    """What the finding says to leave out; one that was written by hand may say it by its kind."""
    if "exclude" in finding:
        return list(finding["exclude"])
    return list(finding["paths"]) if finding["kind"] in EXCLUDED_KINDS else []
