"""What may be wrong with a single picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dlcli.data.findings import Finding
from dlcli.data.frames import MOST_FRAMES
from dlcli.data.inspection import Inspection
from dlcli.data.likeness import PLAIN_SPREAD, is_plain

TINY_SIDE = 32
"""Pixels of the shorter side. Where most pictures are small themselves (Fashion-MNIST has 28) half
of their median counts instead."""

DARK_LEVEL = 50
"""Of 255: what 99 of 100 pixels stay under. Of the same photos the darkest reaches 112."""

BLURRED_SHARPNESS = 0.55
"""See `sharpness_of`. Of the same photos 5 are below it, all of them soft to the eye, and half are
above 0.9. Blurred by a Gaussian of 3, 4 and 6 pixels to 500 (standard deviation) and saved again as
JPEG, 98, 100 and 100 % are found, with a camera's noise on top hardly fewer; of 2 pixels 37 %, and
of a blur in one direction alone, as of a fast train, 8 %."""

_COLOR_RULES = {
    "1": "",
    "L": "",
    "P": "",
    "RGB": "",
    "CMYK": "the colours of print, converted without their profile",
    "YCbCr": "converted to RGB",
    "LAB": "converted to RGB",
    "HSV": "converted to RGB",
    "F": "floats, up to 1 multiplied by 255, up to 255 kept, any other range stretched",
    "I": "32 bits, up to 255 kept, up to 65535 divided by 257, any other range stretched",
    "I;16": "16 bits, divided by 257",
}
_TRANSPARENT_RULE = "transparent parts, laid over white"


def picture_findings(paths: list[str], inspection: Inspection) -> Iterator[Finding]:
    """Everything that concerns pictures one by one, in no order; `paths` are those of all rows."""
    facts, readable = inspection.facts, inspection.readable
    for row, reason in inspection.reasons.items():
        yield Finding("corrupt", (paths[row],), reason, (paths[row],))
    shorter = np.minimum(facts["height"], facts["width"])
    tiny = readable & (shorter < _least_side(shorter[readable]))
    for row in _rows(tiny):
        size = f"{facts['width'][row]} pixels wide and {facts['height'][row]} high"
        yield Finding("tiny", (paths[row],), size, (paths[row],))
    blank, dark, blurred = _unclear(inspection)
    for row in _rows(blank):
        nearly = "nearly " if facts["spread"][row] else ""
        yield Finding("blank", (paths[row],), f"{nearly}all of one colour", (paths[row],))
    for row in _rows(dark):
        level = facts["brightest"][row]
        detail = f"99 of 100 pixels are no brighter than {level} of 255"
        yield Finding("dark", (paths[row],), detail)
    for row in _rows(blurred & ~tiny):
        sharpness = facts["sharpness"][row]
        detail = f"no sharp edge anywhere (sharpness {sharpness:.2f}; most photos have 0.9)"
        yield Finding("blurred", (paths[row],), detail)
    yield from _foreign_to_others(paths, inspection)
    yield from _odd_modes(paths, inspection)


def is_blank(inspection: Inspection) -> NDArray[np.bool_]:
    """Pictures of a single colour, or nearly: bool (N,)."""
    facts = inspection.facts
    blank: NDArray[np.bool_] = inspection.readable & (facts["spread"] < PLAIN_SPREAD)
    rows = np.flatnonzero(blank)
    # Red letters on green may be as bright as their ground.
    blank[rows] = is_plain(facts["look"][rows])
    return blank


def _least_side(shorter: NDArray[np.int32]) -> float:
    return min(TINY_SIDE, float(np.median(shorter)) / 2) if len(shorter) else TINY_SIDE


def _unclear(inspection: Inspection) -> tuple[NDArray[np.bool_], ...]:
    """Blank, dark and blurred pictures; each is one of them at most, in that order."""
    facts = inspection.facts
    blank = is_blank(inspection)
    dark = inspection.readable & ~blank & (facts["brightest"] < DARK_LEVEL)
    blurred = inspection.readable & ~blank & ~dark & (facts["sharpness"] < BLURRED_SHARPNESS)
    return blank, dark, blurred


def _foreign_to_others(paths: list[str], inspection: Inspection) -> Iterator[Finding]:
    """What dlcli takes in its stride and other programs may not."""
    facts = inspection.facts
    for row in _rows(facts["has_wrong_suffix"]):
        suffix = paths[row][paths[row].rindex(".") :]
        held = inspection.formats[facts["format"][row]]
        yield Finding("wrong_suffix", (paths[row],), f"named {suffix}, but it holds {held}")
    for row in _rows(facts["num_frames"] > 1):
        count = facts["num_frames"][row]
        more = " or more" if count == MOST_FRAMES else ""
        yield Finding("multi_frame", (paths[row],), f"{count:,}{more} frames; the first is used")
    for row in _rows(facts["is_turned"]):
        yield Finding("turned", (paths[row],), "turned upright as its EXIF data asks")


def _odd_modes(paths: list[str], inspection: Inspection) -> Iterator[Finding]:
    """One a mode, since they come by the thousand."""
    facts, readable = inspection.facts, inspection.readable
    for number, mode in enumerate(inspection.modes):
        own = readable & (facts["mode"] == number)
        rule = _COLOR_RULES.get(mode, "")
        if mode.startswith("I;16"):
            rule = _COLOR_RULES["I;16"]
        for rows, said in (
            (_rows(own & facts["is_transparent"]), _TRANSPARENT_RULE),
            (_rows(own & ~facts["is_transparent"]), rule),
        ):
            if rows and said:
                yield Finding("odd_mode", tuple(paths[row] for row in rows), f"{mode}: {said}")


def _rows(mask: NDArray[np.bool_]) -> list[int]:
    rows: list[int] = np.flatnonzero(mask).tolist()
    return rows
