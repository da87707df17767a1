"""What predict was given -> paths, lazily and in order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

STDIN = "-"
_GLOB_SIGNS = frozenset("*?[")
_READ_AHEAD = 1 << 16


def expand_inputs(
    inputs: Iterable[str], stdin: BinaryIO, *, nul_separated: bool = False
) -> Iterator[str]:
    """The pictures that files, folders (recursive, sorted), globs and `-` (a path a line on
    stdin) stand for; what is none of these is passed on as it is, for its own record."""
    for item in inputs:
        if item == STDIN:
            yield from _read_paths(stdin, b"\0" if nul_separated else b"\n")
        elif not os.path.lexists(item) and _GLOB_SIGNS.intersection(item):
            import glob

            for match in sorted(glob.glob(item, recursive=True)) or [item]:
                yield from _expand_path(match)
        else:
            yield from _expand_path(item)


def _expand_path(path: str) -> Iterator[str]:
    if not os.path.isdir(path):
        yield path
        return
    from dlcli.data.folders import list_images  # a single picture needs it not

    yield from list_images(Path(path))


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
