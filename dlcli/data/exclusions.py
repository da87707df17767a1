"""Pictures that are left out of a data set without touching its folder: data.exclude."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import posixpath
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcli.data.encoding import is_other_than_utf8
from dlcli.data.index import DatasetIndex, ImageFile, SkippedFile
from dlcli.errors import DataError, UsageError
from dlcli.events import Reporter, Warned

EXCLUDED_KINDS = frozenset(("corrupt", "tiny", "blank", "label_conflict", "unlikely_label"))
"""Findings of a check that say by themselves what to leave out: all of their pictures."""

_JSON_BEGINS = re.compile(r"""\s*[\[{]\s*["\]}]""")
"""A path may begin with a bracket too, but hardly goes on like that."""
_NAMED = 3


def exclude(index: DatasetIndex, file: Path, reporter: Reporter) -> DatasetIndex:
    """The index without what `file` names: a list with a path a line (`#` begins a comment; a
    folder stands for all below it), a JSON list, or what `check --json` printed. Paths count from
    the index's folder. What it names and is not there is said.

    Raises:
        UsageError: if there is no such file.
        DataError: if it cannot be understood, or nothing is left.
    """
    named = frozenset(_relative(path, index.folder) for path in _read_paths(file))

    @functools.cache
    def named_above(folder: str) -> frozenset[str]:
        return named.intersection(_with_parents(folder))

    excluded: set[str] = set()
    met: set[str] = set()
    known = ((one.path for one in index.files), (one.path for one in index.skipped))
    for path in itertools.chain(*known):
        own = _relative(path.rstrip("/"), index.folder) if _is_unusual(path) else path
        hits = named_above(own.rpartition("/")[0])
        if hits or own in named:
            excluded.add(path)
            met |= {own, *hits}
    files = tuple(one for one in index.files if one.path not in excluded)
    if not files:
        raise DataError("leaves nothing of the pictures.", where=f"data.exclude {file}")
    _tell_of_missing(sorted(named - met), file, reporter)
    reason = f"excluded by {file.name}"
    skipped = [SkippedFile(one.path, reason) for one in index.files if one.path in excluded]
    return replace(
        _number_anew(index, files),
        skipped=(*index.skipped, *skipped),
        missing=tuple(one for one in index.missing if one.path not in excluded),
    )


def _number_anew(index: DatasetIndex, files: tuple[ImageFile, ...]) -> DatasetIndex:
    """The index with these of its files; a class may have lost all its pictures."""
    left = {file.label for file in files}
    gone = [name for label, name in enumerate(index.class_names) if label not in left]
    if not gone:
        return replace(index, files=files)
    new_label = {label: new for new, label in enumerate(sorted(left))}
    return replace(
        index,
        class_names=tuple(index.class_names[label] for label in new_label),
        files=tuple(replace(file, label=new_label[file.label]) for file in files),
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


def _is_unusual(path: str) -> bool:
    """Whether a path of an index may have another spelling: it is absolute, or a folder."""
    return path.endswith("/") or os.path.isabs(path)


def _relative(path: str, folder: Path) -> str:
    """One spelling of a path, counted from `folder`, with `/`."""
    if os.path.isabs(path):
        with contextlib.suppress(ValueError):  # Windows: it is on another drive
            path = os.path.relpath(path, os.path.abspath(folder))
    return posixpath.normpath(path.replace("\\", "/") if os.name == "nt" else path)


def _read_paths(file: Path) -> list[str]:
    where = f"data.exclude {file}"
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(
            "there is no such file.",
            where=where,
            fix="Name a list of paths, or the output of `dlcli check --json`.",
        ) from error
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}.", where=where) from error
    if is_other_than_utf8(content):
        raise DataError("is not UTF-8 text.", where=where, fix="Save it in UTF-8.")
    text = content.decode("utf-8-sig", "surrogateescape")
    try:
        return _paths_in_json(text) if _JSON_BEGINS.match(text) else _paths_in_lines(text)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            "is neither a list of paths nor the output of a check.",
            where=where,
            fix="Write a path a line, or use what `dlcli check --json` prints.",
        ) from error


def _paths_in_lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.split("\n"))
    return [line for line in lines if line and not line.startswith("#")]


def _paths_in_json(text: str) -> list[str]:
    """Fails with the errors that its caller expects where something is not as it must be."""
    document = json.loads(text)
    if isinstance(document, list):
        return _require_paths(document)
    if document.get("command", "check") != "check":
        raise ValueError("of another command")
    return [path for finding in document["findings"] for path in _offenders(finding)]


def _offenders(finding: dict[str, Any]) -> list[str]:
    """What the finding says to leave out; one that was written by hand may say it by its kind."""
    if "exclude" in finding:
        return _require_paths(finding["exclude"])
    return _require_paths(finding["paths"]) if finding["kind"] in EXCLUDED_KINDS else []


def _require_paths(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(path, str) and path for path in value):
        raise TypeError("not a list of paths")
    return value
