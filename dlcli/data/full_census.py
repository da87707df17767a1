"""What the pictures of a data set are like, counted over all of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcli.data.inspection import Inspection

_SIDES = (32, 64, 128, 256, 512, 1024, 2048, 4096)
_SQUARE = 1.1
"""Up to this ratio of its sides a picture counts as square."""


@dataclass(frozen=True)
class Spread:
    """The least, the middle and the most of something."""

    minimum: float
    median: float
    maximum: float


@dataclass(frozen=True)
class FullCensus:
    """How many pictures there are of each format, mode (Pillow's names, the commonest first), shape
    and range of the shorter side, and the spread of heights, widths (upright pixels) and of width /
    height. The spreads are None where no picture could be read."""

    formats: dict[str, int]
    modes: dict[str, int]
    shapes: dict[str, int]
    shorter_sides: dict[str, int]
    heights: Spread | None
    widths: Spread | None
    aspect_ratios: Spread | None


def take_full_census(inspection: Inspection) -> FullCensus:
    """Counts the readable pictures."""
    facts = inspection.facts[inspection.readable]
    heights, widths = facts["height"].astype(np.float64), facts["width"].astype(np.float64)
    if not len(facts):
        return FullCensus({}, {}, {}, {}, None, None, None)
    ratios = widths / heights
    return FullCensus(
        _by_name(facts["format"], inspection.formats),
        _by_name(facts["mode"], inspection.modes),
        {
            "portrait": int((ratios < 1 / _SQUARE).sum()),
            "square": int(((ratios >= 1 / _SQUARE) & (ratios <= _SQUARE)).sum()),
            "landscape": int((ratios > _SQUARE).sum()),
        },
        _by_side(np.minimum(heights, widths)),
        _spread(heights),
        _spread(widths),
        _spread(ratios),
    )


def _by_name(numbers: NDArray[np.uint8], names: Sequence[str]) -> dict[str, int]:
    counts = np.bincount(numbers, minlength=len(names)).tolist()
    return dict(sorted(zip(names, counts, strict=True), key=lambda pair: (-pair[1], pair[0])))


def _by_side(sides: NDArray[np.float64]) -> dict[str, int]:
    """`{"under 32": 3, "32 to 63": 12, ...}`, without empty ranges at the ends."""
    names = [
        f"under {_SIDES[0]}",
        *(f"{low} to {high - 1}" for low, high in itertools.pairwise(_SIDES)),
        f"{_SIDES[-1]} and more",
    ]
    places = np.searchsorted(_SIDES, sides, side="right")
    counts = np.bincount(places, minlength=len(names)).tolist()
    shown = slice(int(places.min()), int(places.max()) + 1)
    return dict(zip(names[shown], counts[shown], strict=True))


def _spread(values: NDArray[np.float64]) -> Spread:
    return Spread(*(round(float(value), 3) for value in np.quantile(values, (0, 0.5, 1))))
