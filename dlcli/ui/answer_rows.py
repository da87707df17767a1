"""Where rows of an answer go: to stdout as they come, or into a file."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from dlcli.ui.console import print_answer, print_note

PARTIAL = ".partial"
Write = Callable[[str], None]


@contextlib.contextmanager
def rows_to(file: Path | None) -> Iterator[Write]:
    """A function that writes a row. To stdout (`file` None) it goes at once. A file is there when
    the block ends well; until then its rows stand beside it, in a file whose name ends with
    `.partial`, and there they stay, whole rows alone, where an error ends the block."""
    if file is None:
        yield _to_stdout
        return
    partial = file.with_name(file.name + PARTIAL)
    with open(partial, "wb", buffering=0) as stream:
        num_bytes = 0

        def write(row: str) -> None:
            nonlocal num_bytes
            rest = line = row.encode("utf-8", "surrogateescape") + b"\n"
            while rest:
                rest = rest[stream.write(rest) :]
            num_bytes += len(line)

        try:
            yield write
            os.fsync(stream.fileno())
        except BaseException:
            stream.truncate(num_bytes)
            if num_bytes:
                print_note(f"what was answered until then is in {partial}")
            else:
                partial.unlink()
            raise
    os.replace(partial, file)


def _to_stdout(row: str) -> None:
    print_answer([row])
    sys.stdout.flush()
