"""The two streams: the answer goes to stdout, everything else to stderr."""

from __future__ import annotations

import io
import locale
import os
import sys
from collections.abc import Iterable
from typing import BinaryIO, TextIO

_BOLD, _RED, _YELLOW, _DIM = "1", "31", "33", "2"


def use_utf8() -> None:
    """Both streams in UTF-8 on every platform; bytes of a path that were no UTF-8 pass through.
    A stream that was closed before the start leads nowhere. stderr gets a descriptor of its own:
    number 2 is silenced while libraries work that talk past Python (`silenced_stderr`)."""
    _fill_closed_descriptors()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    if (own := _beside_descriptor_2(sys.stderr)) is not None:
        for name in ("stderr", "__stderr__"):  # Rich asks the latter how wide the terminal is
            setattr(sys, name, own)


def _fill_closed_descriptors() -> None:
    """No file that is opened later may take the place of a stream that was closed: what a library
    says on descriptor 2 would be written into it."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def _beside_descriptor_2(stream: TextIO) -> TextIO | None:
    """A stream to where descriptor 2 leads now, whatever becomes of the descriptor; None where
    `stream` does not lead there, as under pytest."""
    try:
        if stream.fileno() != 2:
            return None
        stream.flush()
        own = os.dup(2)
    except (AttributeError, OSError, ValueError):
        return None
    return open(own, "w", 1, encoding="utf-8", errors="surrogateescape", closefd=False)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at the stream, through a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def is_plain(stream: TextIO) -> bool:
    """Whether ASCII alone is sure to be shown: what `use_utf8` writes in is no sign of what a
    terminal reads, but Python's setting and the locale are. Windows' console is always Unicode."""
    encoding = stream.encoding or "utf-8"
    if os.name != "nt":
        own = os.environ.get("PYTHONIOENCODING", "").partition(":")[0]
        encoding = own or locale.getencoding()
    return not encoding.lower().startswith("utf")


def stdin() -> BinaryIO:
    """Standard input as bytes; empty where it was closed before the start."""
    return io.BytesIO() if sys.stdin is None else sys.stdin.buffer


def print_answer(lines: Iterable[str]) -> None:
    """Lines of the answer, to stdout."""
    for line in lines:
        sys.stdout.write(line + "\n")


def print_note(text: str) -> None:
    """A line of information, to stderr."""
    _tell(f" {printable(text)}")


def print_warning(text: str) -> None:
    """A line that must not be missed, to stderr."""
    _tell(paint(f" warning: {printable(text)}", _YELLOW, sys.stderr))


def print_error(text: str) -> None:
    """Why a command ends without an answer, to stderr."""
    for line in text.split("\n"):
        _tell(paint(printable(line), _RED, sys.stderr))


def _tell(line: str) -> None:
    """Nobody listening on stderr is no reason to end the work."""
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except OSError:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def bold(text: str) -> str:
    """For stdout; as it is where there is no colour."""
    return paint(text, _BOLD, sys.stdout)


def dim(text: str) -> str:
    """For stdout; as it is where there is no colour."""
    return paint(text, _DIM, sys.stdout)


def printable(text: str) -> str:
    """`text` with control characters escaped, so that a name cannot command a terminal."""
    return "".join(
        char if char.isprintable() or 0xDC80 <= ord(char) <= 0xDCFF else repr(char)[1:-1]
        for char in text
    )


def paint(text: str, code: str, stream: TextIO) -> str:
    """`text` in an ANSI style, where the stream takes colour (NO_COLOR, FORCE_COLOR)."""
    return f"\x1b[{code}m{text}\x1b[0m" if _has_color(stream) else text


def _has_color(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or is_terminal(stream)
