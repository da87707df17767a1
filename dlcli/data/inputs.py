"""What predict was given -> paths, lazily and in order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from dlcli.errors import UsageError

STDIN = "-"
LIST_SUFFIX, PATH_COLUMN = ".csv", "path"
_GLOB_SIGNS = frozenset("*?[")
_READ_AHEAD = 1 << 16


def expand_inputs(
    inputs: Iterable[str], stdin: BinaryIO, *, nul_separated: bool = False, recursive: bool = True
) -> Iterator[str]:
    """The pictures that files, folders (sorted, with all below where `recursive`), globs, `.csv`
    files with a column `path` (from their own folder) and `-` (a path a line on stdin) stand for;
    what is none of these is passed on as it is, for its own record.

    Raises:
        UsageError: where a .csv has no such column, when its turn has come: see `require_lists`.
    """
    for item in inputs:
        if item == STDIN:
            yield from _read_paths(stdin, b"\0" if nul_separated else b"\n")
        elif not os.path.lexists(item) and _GLOB_SIGNS.intersection(item):
            import glob

            for match in sorted(glob.glob(item, recursive=True)) or [item]:
                yield from _expand_path(match, recursive=recursive)
        else:
            yield from _expand_path(item, recursive=recursive)


def require_lists(inputs: Iterable[str]) -> None:
    """That every .csv among `inputs` has its column is found out before the first answer.

    Raises:
        UsageError: if one has not.
    """
    for item in inputs:
        if _is_list(item):
            next(_listed(item), None)


def _expand_path(path: str, *, recursive: bool) -> Iterator[str]:
    if _is_list(path):
        yield from _listed(path)
    elif not os.path.isdir(path):
        yield path
    else:
        from dlcli.data.folders import list_images  # a single picture needs it not

        yield from list_images(Path(path), recursive=recursive)


def _is_list(path: str) -> bool:
    return path.lower().endswith(LIST_SUFFIX) and os.path.isfile(path)


def _listed(file: str) -> Iterator[str]:
    """The paths that a .csv names, row by row; bytes that are no UTF-8 survive."""
    import csv

    folder = os.path.dirname(file)
    with open(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        rows = csv.reader(text)
        try:
            header = [name.strip().lower() for name in next(rows, [])]
            if PATH_COLUMN not in header:
                raise UsageError(
                    f"has no column {PATH_COLUMN}.",
                    where=file,
                    fix=f"Its first line must name the columns, {PATH_COLUMN} among them.",
                )
            column = header.index(PATH_COLUMN)
            for fields in rows:
                if "".join(fields).strip():
                    yield os.path.join(folder, fields[column] if column < len(fields) else "")
        except csv.Error as error:
            raise UsageError(f"{error}.", where=f"{file}:{rows.line_num}") from error


def _read_paths(stdin: BinaryIO, separator: bytes) -> Iterator[str]:
    """Paths as they arrive: a pipe that trickles is answered as it trickles."""
    rest, line_end = b"", b"\r" if separator == b"\n" else b""
    while block := _read_some(stdin):
        *whole, rest = (rest + block).split(separator)
        yield from _decode(whole, line_end)
    yield from _decode([rest], line_end)


def _read_some(stdin: BinaryIO) -> bytes:
    read = getattr(stdin, "read1", stdin.read)
    block: bytes = read(_READ_AHEAD)
    return block


def _decode(lines: Sequence[bytes], line_end: bytes) -> Iterator[str]:
    for line in lines:
        if path := line.removesuffix(line_end):
            yield os.fsdecode(path)
