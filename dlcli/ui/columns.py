"""Columns of text that fit a terminal of 80 columns, whatever script a name is written in."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

MOST_COLUMNS = 80
_ELLIPSIS = "…"


def width_of(text: str) -> int:
    """How many columns a terminal takes for it: two for wide characters, none for accents that are
    characters of their own."""
    return sum(map(_width_of, text))


def fit(text: str, width: int) -> str:
    """`text` in exactly `width` columns: filled up, or with its middle left out."""
    if width_of(text) > width:
        text = _shortened(text, width)
    return text + " " * (width - width_of(text))


def wrapped(text: str) -> Iterator[str]:
    """Lines of at most 80 columns, the first indented by one, the others by three. A word that is
    longer stays whole."""
    line = ""
    for word in text.split():
        if line.strip() and width_of(f"{line} {word}") > MOST_COLUMNS:
            yield line
            line = "  "
        line += f" {word}"
    yield line


def _shortened(text: str, width: int) -> str:
    """Begin and end: names of classes and files differ at either."""
    head, tail = (width - 1) - (width - 1) // 2, (width - 1) // 2
    begin, end = "", ""
    for char in text:
        if width_of(begin + char) > head:
            break
        begin += char
    for char in reversed(text):
        if width_of(char + end) > tail:
            break
        end = char + end
    return begin + _ELLIPSIS + end


def _width_of(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
