"""What is wrong with a spec, one fault at a time, and the words for it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

Location = tuple[str | int, ...]
"""The way to a node: `("model", "layers", 3, "conv2d", "filters")`."""


@dataclass(frozen=True)
class Fault:
    """One fault: where it stands, and a sentence that goes on from the setting's name."""

    location: Location
    what: str


def dotted(location: Location) -> str:
    """`model.layers[3].conv2d.filters`"""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the spec"


def shown(value: object, most: int = 60) -> str:
    """A value as it may stand in a sentence."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write very long integers down
        return "a number of thousands of digits"
    return text if len(text) <= most else f"{text[:most]}..."


def nearest(word: str, known: Sequence[str], most: int = 12) -> str:
    """` Did you mean relu?`, or what there is (its first `most`) where nothing is near."""
    found = difflib.get_close_matches(word.lower(), known, 1, 0.6)
    if found:
        return f" Did you mean {found[0]}?"
    more = f", and {len(known) - most} more" if len(known) > most else ""
    return f" Known: {', '.join(known[:most])}{more}."
