"""A manifest -> the list of the pictures that it names.

A manifest is a .csv file in UTF-8 with a header: `path` and `label`, and if wanted `split` and
`group`, in any order. Paths count from the manifest's own folder. All its faults are reported at
once, with the lines an editor shows; a file that is not there is no fault of the manifest and is
skipped with its reason.
"""

from __future__ import annotations

import csv
import difflib
import io
import itertools
import operator
import os
import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlcli.data.encoding import is_other_than_utf8
from dlcli.data.index import SPLIT_NAMES, DatasetIndex, ImageFile, SkippedFile
from dlcli.errors import DataError

_NEEDED, _OPTIONAL = ("path", "label"), ("split", "group")
_MOST_FAULTS = 20
_MOST_QUOTED = 60


@dataclass
class _Faults:
    """What is wrong, with the lines."""

    name: str
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, what: str) -> None:
        self.found.append((line, what))

    def raise_if_any(self) -> None:
        if not self.found:
            return
        self.found.sort(key=operator.itemgetter(0))
        shown = [f"{self.name}:{line} {what}" for line, what in self.found[:_MOST_FAULTS]]
        more = len(self.found) - len(shown)
        rest = [f"and {more} more"] if more else []
        count = "1 fault." if len(self.found) == 1 else f"{len(self.found)} faults."
        raise DataError("\n".join([*shown, *rest, count]))


@dataclass
class _Rows:
    """The pictures column by column, which takes less memory than an object for each; `lines` are
    those on which the rows begin."""

    lines: list[int] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    splits: list[str | None] = field(default_factory=list)
    groups: list[str | None] = field(default_factory=list)


def index_manifest(file: Path) -> DatasetIndex:
    """Lists the pictures that a manifest names.

    Raises:
        DataError: with all faults of the manifest, or if none of its pictures is there.
    """
    faults = _Faults(file.name)
    header, rows = _read_rows(file, faults)
    _check_twins(rows, faults)
    _check_splits(rows, faults)
    faults.raise_if_any()
    there = _present(file.parent, rows.paths)
    if not any(there):
        raise DataError(
            "none of the pictures that it names is there.",
            where=str(file),
            fix=f"Its paths count from {file.parent.resolve()}; the first is {rows.paths[0]}.",
        )
    class_names = tuple(sorted(set(itertools.compress(rows.labels, there))))
    label_of = {name: label for label, name in enumerate(class_names)}
    columns = zip(rows.paths, rows.labels, rows.splits, rows.groups, strict=True)
    missing = tuple(
        SkippedFile(path, f"no such file (line {line} of {file.name})")
        for path, line, is_there in zip(rows.paths, rows.lines, there, strict=True)
        if not is_there
    )
    return DatasetIndex(
        file.parent,
        class_names,
        tuple(
            ImageFile(path, label_of[label], split, group)
            for path, label, split, group in itertools.compress(columns, there)
        ),
        missing,
        empty_classes=tuple(sorted(set(rows.labels) - label_of.keys())),
        source=file,
        unused_columns=tuple(
            name for name in header if name and name not in (*_NEEDED, *_OPTIONAL)
        ),
        missing=missing,
    )


def _read_rows(file: Path, faults: _Faults) -> tuple[list[str], _Rows]:
    """The header and the rows; a faulty row is kept where it has a path."""
    lines = _read_lines(file, faults)
    first, names = next(lines, (1, []))
    header = [name.strip().lower() for name in names]
    if names:
        _check_header(header, names, first, faults)
        faults.raise_if_any()
    rows, parser = _Rows(), _RowParser(header, faults)
    for line, fields in lines:
        parser.add(fields, line, rows)
    if not rows.paths and not faults.found:
        faults.add(1, "names no picture: a header (path,label) and a row a picture are needed")
    return header, rows


def _read_lines(file: Path, faults: _Faults) -> Iterator[tuple[int, list[str]]]:
    """The fields that are not all blank, and the line they begin on."""
    # Decoded as it is read: bytes of a path that are no UTF-8 survive.
    text = io.TextIOWrapper(
        io.BytesIO(_read_content(file)), "utf-8-sig", "surrogateescape", newline=""
    )
    reader = csv.reader(text, strict=True)
    before = 0
    try:
        for fields in reader:
            line, before = before + 1, reader.line_num
            if "".join(fields).strip():
                yield line, fields
    except csv.Error as error:
        faults.add(before + 1, f"{error}: a quote that begins a name must end it")


def _read_content(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}.", where=str(file)) from error
    if is_other_than_utf8(content):
        raise DataError("is not UTF-8 text.", where=str(file), fix="Save it as CSV in UTF-8.")
    return content


def _check_header(header: Sequence[str], fields: Sequence[str], line: int, faults: _Faults) -> None:
    if len(header) == 1 and (separator := next((sign for sign in ";\t" if sign in header[0]), "")):
        shown = "tabs" if separator == "\t" else "semicolons"
        faults.add(line, f"{shown} between the columns: commas are needed")
        return
    near = {name: difflib.get_close_matches(name, header, 1) for name in _NEEDED}
    if not any(near.values()):
        got = ",".join(fields)[:_MOST_QUOTED]
        faults.add(line, f"the first line must name the columns, path,label: got {got!r}")
        return
    for name in _NEEDED:
        if name not in header:
            hint = f"; is it {near[name][0]!r}?" if near[name] else ""
            faults.add(line, f"the header has no column {name!r}{hint}")
    for name, count in Counter(header).items():
        if count > 1 and name in (*_NEEDED, *_OPTIONAL):
            faults.add(line, f"the column {name!r} is there {count} times")


class _RowParser:
    """Fields -> rows. Labels and splits repeat: each spelling is looked into once, and shared."""

    def __init__(self, header: Sequence[str], faults: _Faults) -> None:
        self._num_columns = len(header)
        self._columns = [
            header.index(name) if name in header else None for name in (*_NEEDED, *_OPTIONAL)
        ]
        self._faults = faults
        self._labels: dict[str, str] = {}
        self._splits: dict[str, str | None] = {}

    def add(self, fields: list[str], line: int, rows: _Rows) -> None:
        if len(fields) != self._num_columns:
            count = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
            self._faults.add(
                line,
                f"{count} where the header has {self._num_columns}: quote a name that holds a "
                "comma or a quote",
            )
            return
        path, label, split, group = (
            "" if column is None else fields[column] for column in self._columns
        )
        if not path.strip():
            self._faults.add(line, "the path is empty")
        clean = self._labels.get(label) or self._read_label(label, line)
        known = self._splits[split] if split in self._splits else self._read_split(split, line)
        if path.strip():
            rows.lines.append(line)
            rows.paths.append(_normal(path))
            rows.labels.append(clean)
            rows.splits.append(known)
            rows.groups.append(group.strip() or None)

    def _read_label(self, text: str, line: int) -> str:
        label = text.strip()
        if not label:
            self._faults.add(line, "the label is empty")
        elif any("\udc80" <= char <= "\udcff" for char in label):
            self._faults.add(line, "the label is not UTF-8: save the file as UTF-8")
        else:
            self._labels[text] = label
        return label

    def _read_split(self, text: str, line: int) -> str | None:
        named = text.strip()
        split = SPLIT_NAMES.get(named.lower())
        if named and split is None:
            near = difflib.get_close_matches(named.lower(), SPLIT_NAMES, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            self._faults.add(line, f"the split must be train, val or test, got {named!r}.{hint}")
            return named
        self._splits[text] = split
        return split


def _normal(path: str) -> str:
    """One spelling of a path, with `/`."""
    return posixpath.normpath(path.replace("\\", "/") if os.name == "nt" else path)


def _check_twins(rows: _Rows, faults: _Faults) -> None:
    """Each picture is named once."""
    if len(set(rows.paths)) == len(rows.paths):
        return
    first: dict[str, int] = {}
    columns: dict[str, Sequence[str | None]]
    columns = {"label": rows.labels, "split": rows.splits, "group": rows.groups}
    for row, path in enumerate(rows.paths):
        earlier = first.setdefault(path, row)
        if earlier != row:
            differs = [
                f", with another {name},"
                for name, values in columns.items()
                if values[row] and values[earlier] and values[row] != values[earlier]
            ]
            other = differs[0] if differs else ","
            faults.add(
                rows.lines[row], f"{path} is there already{other} in line {rows.lines[earlier]}"
            )


def _check_splits(rows: _Rows, faults: _Faults) -> None:
    """All rows say a split, or none does."""
    if not any(rows.splits):
        return
    for line, split in zip(rows.lines, rows.splits, strict=True):
        if not split:
            faults.add(line, "the split is empty: say it in every row or in none")


def _present(folder: Path, paths: Sequence[str]) -> list[bool]:
    """Whether there is something at each path; each folder is listed once, which costs less than
    asking for every file. A link that leads nowhere is there: the reader says what it is."""
    rows_in: dict[str, list[int]] = {}
    for row, path in enumerate(paths):
        parent = path[: path.rfind("/") + 1]
        rows_in.setdefault(parent, []).append(row)
    present = [False] * len(paths)
    for parent, rows in rows_in.items():
        place = os.path.join(folder, parent)
        names = _names_in(place)
        for row in rows:
            name = paths[row][len(parent) :]
            # Listed under another spelling perhaps, where the file system knows no case.
            present[row] = name in names or os.path.lexists(os.path.join(place, name))
    return present


def _names_in(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()
