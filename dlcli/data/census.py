"""What the pictures of a folder are like, from a quick look at some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dlcli.data.pixels import UnreadableImageError, lies_sideways, open_image, to_rgb

MOST_DECODED_PIXELS = 100_000_000
"""What is decoded in search of colours, a second or two; further pictures count as coloured,
since reading a grey picture in colour does no harm."""

_COARSE = (64, 64)


@dataclass(frozen=True)
class Census:
    """`height` and `width` are the medians of the upright pictures, in pixels; `is_grey` says that
    none of them has a colour. Where none could be read all are zero."""

    num_looked_at: int
    height: int
    width: int
    is_grey: bool


def take_census(folder: Path, paths: Sequence[str], most: int = 200) -> Census:
    """Looks at up to `most` of the pictures at `paths` (relative to `folder`), evenly spread.

    The header tells the size and often that a picture is grey. Otherwise pixels are decoded, a
    JPEG at a fraction of its size, until the first picture with a colour in it is found.
    Pictures that cannot be read are passed over.
    """
    sizes: list[tuple[int, int]] = []
    is_grey, left = True, MOST_DECODED_PIXELS
    for path in _spread(paths, most):
        try:
            with open_image(folder / path) as image:
                size = _upright_size(image)
                if is_grey and not _is_grey_by_mode(image):
                    image.draft(None, _COARSE)
                    left -= image.width * image.height
                    is_grey = left >= 0 and _has_equal_channels(image)
        except UnreadableImageError:
            continue
        sizes.append(size)
    if not sizes:
        return Census(0, 0, 0, is_grey=False)
    height, width = np.median(sizes, axis=0)
    return Census(len(sizes), int(height), int(width), is_grey)


def _spread(paths: Sequence[str], most: int) -> list[str]:
    """`most` of the paths, each from the middle of an equal part of the list."""
    count = min(most, len(paths))
    return [paths[(2 * part + 1) * len(paths) // (2 * count)] for part in range(count)]


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """(height, width)"""
    return image.size if lies_sideways(image) else (image.height, image.width)


def _is_grey_by_mode(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "LA", "La") or image.mode.startswith(("I", "F"))


def _has_equal_channels(image: Image.Image) -> bool:
    pixels = np.asarray(to_rgb(image))
    return bool((pixels == pixels[..., :1]).all())
