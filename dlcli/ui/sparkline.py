"""A row of numbers as a small picture of itself, in one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = "_.-:=+*#"
"""For where only ASCII can be written."""


def sparkline(values: Sequence[float], width: int, levels: str = BLOCKS) -> str:
    """A character a value, from the lowest of `levels` for the smallest value to the highest for
    the largest; of more values than `width` each character shows the mean of a stretch of them.

    Values that are all the same stand in the middle: nothing rose and nothing fell.
    """
    if width < 1 or not values:
        return ""
    shown = _means(values, width) if len(values) > width else list(values)
    low, high = min(shown), max(shown)
    if not high > low:
        return levels[(len(levels) - 1) // 2] * len(shown)
    step = (len(levels) - 1) / (high - low)
    return "".join(levels[round((value - low) * step)] for value in shown)


def _means(values: Sequence[float], width: int) -> list[float]:
    """`width` means of stretches as even as can be."""
    ends = [len(values) * place // width for place in range(width + 1)]
    stretches = [values[start:end] for start, end in pairwise(ends)]
    return [sum(stretch) / len(stretch) for stretch in stretches]
