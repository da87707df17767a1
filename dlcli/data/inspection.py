"""Every picture of a data set read in full, and what is to be known of each.

Every byte is decoded, so that no damage stays unseen. Of a large JPEG the decoder is asked for the
pixels at a fraction of their number (`draft`): it goes through all of the file as well, finds the
same files damaged (a test holds that), and what is measured is measured on a small picture anyway.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dlcli.data.frames import count_frames
from dlcli.data.likeness import LOOK, look_of
from dlcli.data.picture_formats import opened_image
from dlcli.data.pixels import (
    UnreadableImageError,
    lies_sideways,
    read_file,
    to_rgb,
    turn_upright,
)
from dlcli.data.sharpness import sharpness_of, small_size
from dlcli.data.suffixes import has_wrong_suffix
from dlcli.events import Reporter, StageAdvanced, StageEnded, StageStarted
from dlcli.processor import num_threads
from dlcli.workers import in_order, worker_processes

if TYPE_CHECKING:
    from concurrent.futures import Executor

STAGE = "checking pictures"
FACTS = np.dtype(
    [
        ("sha256", "S32"),
        ("format", "u1"),
        ("mode", "u1"),
        ("height", "i4"),
        ("width", "i4"),
        ("num_frames", "i4"),
        ("has_wrong_suffix", "?"),
        ("is_transparent", "?"),
        ("is_turned", "?"),
        ("brightest", "u1"),
        ("spread", "f4"),
        ("sharpness", "f4"),
        ("look", LOOK),
    ]
)
"""What is kept of a picture, about 0.9 kB; a row is zero where it could not be read. `format` and
`mode` are numbers into the names beside the table, the others are those of `PictureFacts`."""

_ORIENTATION_TAG = 0x0112
_TURNED = range(2, 9)
_BRIGHTEST = 0.99
_POWERS = np.arange(256) ** np.arange(3)[:, None]
_AT_ONCE = 16
"""Pictures handed to a worker at a time, which saves a tenth of the time of small ones."""

_MANY, _MOST_WORKERS = 3000, 16


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """A picture in numbers: Pillow's names of its format and mode, its upright size, whether EXIF
    turns it, `is_transparent` where some pixel of it is not opaque, the grey level that 99 of 100
    pixels do not exceed, the standard deviation of the grey levels, its sharpness (`sharpness_of`)
    and its look (`look_of`)."""

    sha256: bytes
    format: str
    mode: str
    height: int
    width: int
    num_frames: int
    has_wrong_suffix: bool
    is_transparent: bool
    is_turned: bool
    brightest: int
    spread: float
    sharpness: float
    look: NDArray[np.void]


@dataclass
class Inspection:
    """What is known of N pictures: `facts` (N,) of dtype FACTS, the names of the formats and modes
    met, and why some could not be read, by their rows."""

    facts: NDArray[np.void]
    formats: list[str] = field(default_factory=list)
    modes: list[str] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)

    @property
    def readable(self) -> NDArray[np.bool_]:
        """bool (N,)"""
        is_readable = np.ones(len(self.facts), np.bool_)
        is_readable[list(self.reasons)] = False
        return is_readable

    def add(self, row: int, found: PictureFacts | str) -> None:
        """Keeps what was found, or why nothing was."""
        if isinstance(found, str):
            self.reasons[row] = found
            return
        numbers = {
            "format": _number_of(found.format, self.formats),
            "mode": _number_of(found.mode, self.modes),
        }
        names = FACTS.names or ()
        self.facts[row] = tuple(numbers.get(name, getattr(found, name)) for name in names)


def _number_of(name: str, known: list[str]) -> int:
    if name not in known:
        known.append(name)
    return known.index(name)


def inspect_pictures(folder: Path, paths: Sequence[str], reporter: Reporter) -> Inspection:
    """Reads the pictures at `paths` (relative to `folder`) on all processors; memory grows by the
    facts alone.

    Raises:
        ResourceError: if a process that reads was ended from outside, or by a fault of a decoder.
    """
    inspection = Inspection(np.zeros(len(paths), FACTS))
    starts = range(0, len(paths), _AT_ONCE)
    batches = (paths[start : start + _AT_ONCE] for start in starts)
    num_workers = min(num_threads(), _MOST_WORKERS)

    reporter.report(StageStarted(STAGE, len(paths)))
    with _workers(len(paths), num_workers) as pool:
        found = in_order(partial(_inspect_batch, folder), batches, num_workers, pool=pool)
        for start, batch in zip(starts, found, strict=True):
            for row, facts in enumerate(batch, start):
                inspection.add(row, facts)
            reporter.report(StageAdvanced(STAGE, start + len(batch)))
    reporter.report(StageEnded(STAGE))
    return inspection


def _workers(
    num_pictures: int, num_workers: int
) -> contextlib.AbstractContextManager[Executor | None]:
    """Threads wait for each other so much that processes take a sixth less time, of small pictures
    half of it; but they begin half a second later."""
    if num_pictures < _MANY or num_workers == 1:
        return contextlib.nullcontext()
    return worker_processes(num_workers)


def _inspect_batch(folder: Path, paths: Sequence[str]) -> list[PictureFacts | str]:
    return [inspect_picture(folder / path) for path in paths]


def inspect_picture(path: Path) -> PictureFacts | str:
    """What is to be known of the picture in a file, or why it cannot be read."""
    try:
        content = read_file(path)
        decoded = _decode(content)
    except UnreadableImageError as error:
        return str(error)
    pixels = decoded.pixels
    grey = pixels.convert("L")
    if (size := small_size(*grey.size)) != grey.size:  # a resize to the same size copies
        grey = grey.resize(size, Image.Resampling.BOX)
    look = look_of(pixels)
    return PictureFacts(
        hashlib.sha256(content).digest(),
        decoded.format,
        decoded.mode,
        *decoded.size,
        decoded.num_frames,
        has_wrong_suffix(path.name, decoded.format),
        decoded.is_transparent,
        decoded.is_turned,
        *_brightest_and_spread(grey),
        sharpness_of(grey),
        look,
    )


@dataclass(frozen=True, slots=True)
class _Decoded:
    """`pixels` is upright and in RGB, of a large JPEG a smaller picture; `size` (height, width) is
    its whole size."""

    pixels: Image.Image
    format: str
    mode: str
    size: tuple[int, int]
    num_frames: int
    is_transparent: bool
    is_turned: bool


def _decode(content: bytes) -> _Decoded:
    if not content:
        raise UnreadableImageError("an empty file")
    with opened_image(io.BytesIO(content)) as image:
        name, num_frames = image.format or "", count_frames(image)
        is_turned = _is_turned_by_tag(image)
        drafted_size = _draft(image)
        upright = turn_upright(image)
        return _Decoded(
            to_rgb(upright),
            name,
            image.mode,
            drafted_size or (upright.height, upright.width),
            num_frames,
            _is_transparent(image),
            is_turned or upright is not image,
        )


def _draft(image: Image.Image) -> tuple[int, int] | None:
    """Lets the JPEG decoder shrink to the smallest of 1/1, 1/2, 1/4, 1/8 that is large enough: the
    upright (height, width) before it did, None for any other picture."""
    if image.format not in ("JPEG", "MPO"):
        return None
    size = (image.height, image.width)
    upright_size = size[::-1] if lies_sideways(image) else size
    image.draft(None, small_size(image.width, image.height))
    return upright_size


def _is_turned_by_tag(image: Image.Image) -> bool:
    """A TIFF, which Pillow turns by itself."""
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    return tags.get(_ORIENTATION_TAG) in _TURNED


def _is_transparent(image: Image.Image) -> bool:
    """Whether any pixel is: many pictures have a channel for it that says "opaque" throughout."""
    if not image.has_transparency_data:
        return False
    if "A" not in image.getbands():
        if image.mode.startswith(("I", "F")):
            return True
        image = image.convert("RGBA")
    least, _ = image.getchannel("A").getextrema()
    return bool(least < 255)  # type: ignore[operator]


def _brightest_and_spread(grey: Image.Image) -> tuple[int, float]:
    """From the counts of each level: an array of the pixels takes ten times as long."""
    counts = np.array(grey.histogram())
    total, moment, square = (_POWERS @ counts).tolist()
    brightest = np.searchsorted(np.cumsum(counts), _BRIGHTEST * total)
    return int(brightest), math.sqrt(total * square - moment**2) / total
