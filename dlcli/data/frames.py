"""How many pictures a file shows one after another, counted without decoding any."""

from __future__ import annotations

import contextlib
import os
import struct
from typing import BinaryIO

from PIL import Image

MOST_FRAMES = 10_000
"""No more are counted: a file of a gigabyte may hold a hundred million."""

_MOST_STEPS = 1_000_000
_ONE_PICTURE = ("MPO", "PSD")
_EXTENSION, _PICTURE = b"\x21", b"\x2c"


def count_frames(image: Image.Image) -> int:
    """The frames of an animation or the pages of a document, at most `MOST_FRAMES`, of a picture
    that `open_image` gave; with a bounded effort, and of a damaged file as far as it is sound.

    A photo with a preview, a gain map or the other eye's picture behind it (MPO) is one picture,
    and so are layers (PSD).
    """
    if image.format in _ONE_PICTURE:
        return 1
    # Of these Pillow would look through the whole file, and at all that stands in it.
    file = getattr(image, "_fp", None) if image.format in ("GIF", "TIFF") else None
    if file is None:
        found = getattr(image, "n_frames", 1)
    else:
        position = file.tell()
        found = _count_gif(file) if image.format == "GIF" else _count_tiff(file)
        file.seek(position)
    return max(1, min(found, MOST_FRAMES))


def _count_gif(file: BinaryIO) -> int:
    """The pictures among the blocks of a GIF (GIF89a, 1990), up to the first that is none."""
    file.seek(10)
    _skip_colors(file, after=2)
    num_frames, steps_left = 0, _MOST_STEPS
    while num_frames < MOST_FRAMES and steps_left > 0:
        kind = file.read(1)
        if kind == _PICTURE:
            num_frames += 1
            file.seek(8, os.SEEK_CUR)
            _skip_colors(file, after=0)
        elif kind != _EXTENSION:
            break
        file.seek(1, os.SEEK_CUR)  # an extension's label, or the bits of a colour
        steps_left = _skip_pieces(file, steps_left - 1)
    return num_frames


def _skip_colors(file: BinaryIO, after: int) -> None:
    """The table of colours that a byte of flags speaks of, and `after` bytes in between."""
    flags = int.from_bytes(file.read(1))
    file.seek(after + (3 << (flags % 8 + 1) if flags & 0x80 else 0), os.SEEK_CUR)


def _skip_pieces(file: BinaryIO, steps_left: int) -> int:
    """Pieces of up to 255 bytes, each after its length, until one is empty."""
    while steps_left > 0 and (size := int.from_bytes(file.read(1))):
        file.seek(size, os.SEEK_CUR)
        steps_left -= 1
    return steps_left


def _count_tiff(file: BinaryIO) -> int:
    """The directories of a TIFF (TIFF 6.0, 1992) or a BigTIFF, each of which names the next one;
    up to the first that lies outside the file, or was there before."""
    file.seek(0)
    header = file.read(16)
    order = "<" if header.startswith(b"II") else ">"
    is_big = 43 in header[2:4]
    count, offset = struct.Struct(order + "HQ"[is_big]), struct.Struct(order + "LQ"[is_big])
    seen: set[int] = set()
    with contextlib.suppress(struct.error, OverflowError, ValueError):
        (place,) = offset.unpack_from(header, 8 if is_big else 4)
        while place and place not in seen and len(seen) < MOST_FRAMES:
            file.seek(place)
            (num_entries,) = count.unpack(file.read(count.size))
            seen.add(place)
            file.seek(num_entries * (20 if is_big else 12), os.SEEK_CUR)
            (place,) = offset.unpack(file.read(offset.size))
    return len(seen)
