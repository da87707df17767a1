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
import os
import posixpath
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlcli.data.index import SPLIT_NAMES, DatasetIndex, ImageFile, SkippedFile
from dlcli.errors import DataError

_NEEDED, _OPTIONAL = ("path", "label"), ("split", "group")
_MOST_FAULTS = 20


@dataclass(frozen=True, slots=True)
class _Row:
    """One picture, and the line its row begins on."""

    line: int
    path: str
    label: str
    split: str | None
    group: str | None


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
        shown = [f"{self.name}:{line} {what}" for line, what in sorted(self.found)]
        more = len(shown) - _MOST_FAULTS
        rest = [f"and {more} more"] if more > 0 else []
        count = "1 fault." if len(shown) == 1 else f"{len(shown)} faults."
        raise DataError("\n".join([*shown[:_MOST_FAULTS], *rest, count]))


def index_manifest(file: Path) -> DatasetIndex:
    """Lists the pictures that a manifest names.

    Raises:
        DataError: with all faults of the manifest, or if none of its pictures is there.
    """
    faults = _Faults(file.name)
    header, rows = _read_rows(file, faults)
    faults.raise_if_any()
    _check_twins(rows, faults)
    _check_splits(rows, faults)
    faults.raise_if_any()
    there = _present(file.parent, rows)
    if not any(there):
        raise DataError(
            "none of the pictures that it names is there.",
            where=str(file),
            fix=f"Its paths count from {file.parent.resolve()}; the first is {rows[0].path}.",
        )
    found = [row for row, is_there in zip(rows, there, strict=True) if is_there]
    class_names = tuple(sorted({row.label for row in found}))
    label_of = {name: label for label, name in enumerate(class_names)}
    return DatasetIndex(
        file.parent,
        class_names,
        tuple(ImageFile(row.path, label_of[row.label], row.split, row.group) for row in found),
        tuple(
            SkippedFile(row.path, f"no such file (line {row.line} of {file.name})")
            for row, is_there in zip(rows, there, strict=True)
            if not is_there
        ),
        empty_classes=tuple(sorted({row.label for row in rows} - label_of.keys())),
        source=file,
        unused_columns=tuple(name for name in header if name not in (*_NEEDED, *_OPTIONAL)),
    )


def _read_rows(file: Path, faults: _Faults) -> tuple[list[str], list[_Row]]:
    reader = csv.reader(io.StringIO(_read_text(file), newline=""), strict=True)
    rows: list[_Row] = []
    header: list[str] = []
    before = 0
    try:
        for fields in reader:
            line, before = before + 1, reader.line_num
            if not any(value.strip() for value in fields):
                continue
            if not header:
                header = [name.strip().lower() for name in fields]
                _check_header(header, line, faults)
                faults.raise_if_any()
            else:
                row = _read_row(dict(zip(header, fields, strict=False)), line, faults)
                if len(fields) != len(header):
                    count = f"{len(fields)} fields where the header has {len(header)}"
                    faults.add(line, f"{count}: quote a name that holds a comma or a quote")
                elif row is not None:
                    rows.append(row)
    except csv.Error as error:
        faults.add(before + 1, f"{error}: a quote that begins a name must end it")
    if not rows and not faults.found:
        faults.add(1, "names no picture: a header (path,label) and a row a picture are needed")
    return header, rows


def _read_text(file: Path) -> str:
    """Bytes of a path that are no UTF-8 survive."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}.", where=str(file)) from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        raise DataError("is not UTF-8 text.", where=str(file), fix="Save it as CSV in UTF-8.")
    return content.decode("utf-8-sig", "surrogateescape")


def _check_header(header: Sequence[str], line: int, faults: _Faults) -> None:
    if len(header) == 1 and (separator := next((sign for sign in ";\t" if sign in header[0]), "")):
        shown = "tabs" if separator == "\t" else "semicolons"
        faults.add(line, f"{shown} between the columns: commas are needed")
        return
    for name in _NEEDED:
        if name not in header:
            near = difflib.get_close_matches(name, header, 1)
            hint = f"; is it {near[0]!r}?" if near else ""
            faults.add(line, f"the header has no column {name!r}{hint}")
    for name, count in Counter(header).items():
        if count > 1 and name in (*_NEEDED, *_OPTIONAL):
            faults.add(line, f"the column {name!r} is there {count} times")


def _read_row(values: dict[str, str], line: int, faults: _Faults) -> _Row | None:
    path, label = values.get("path", ""), values.get("label", "").strip()
    named = values.get("split", "").strip()
    split = SPLIT_NAMES.get(named.lower())
    if not path.strip():
        faults.add(line, "the path is empty")
    if not label:
        faults.add(line, "the label is empty")
    elif any("\udc80" <= char <= "\udcff" for char in label):
        faults.add(line, "the label is not UTF-8: save the file as UTF-8")
    if named and split is None:
        near = difflib.get_close_matches(named.lower(), SPLIT_NAMES, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        faults.add(line, f"the split must be train, val or test, got {named!r}.{hint}")
    if not path.strip() or not label:
        return None
    if os.name == "nt":
        path = path.replace("\\", "/")
    group = values.get("group", "").strip() or None
    return _Row(line, posixpath.normpath(path), label, split, group)


def _check_twins(rows: Sequence[_Row], faults: _Faults) -> None:
    first: dict[str, int] = {}
    for row in rows:
        line = first.setdefault(row.path, row.line)
        if line != row.line:
            faults.add(row.line, f"{row.path} is there already, in line {line}")


def _check_splits(rows: Sequence[_Row], faults: _Faults) -> None:
    """All rows say a split, or none does."""
    if not any(row.split for row in rows):
        return
    for row in rows:
        if row.split is None:
            faults.add(row.line, "the split is empty: say it in every row or in none")


def _present(folder: Path, rows: Sequence[_Row]) -> list[bool]:
    """Whether there is something at each path; each folder is listed once, which costs less than
    asking for every file. A link that leads nowhere is there: the reader says what it is."""
    names: dict[str, set[str]] = {}
    present = []
    for row in rows:
        parent, name = os.path.split(os.path.join(folder, row.path))
        if parent not in names:
            names[parent] = _names_in(parent)
        # Listed under another spelling perhaps, where the file system knows no case.
        present.append(name in names[parent] or os.path.lexists(os.path.join(parent, name)))
    return present


def _names_in(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder or "."))
    except OSError:
        return set()
