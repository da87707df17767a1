"""Pictures of every mode -> 8-bit colours or greys."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_BITS_TAG, _MEANING_TAG, _WHITE_IS_ZERO = 258, 262, 0
_STRIP_VALUES = 1 << 20


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode -> RGB, 0-255, transparency laid over white; an RGB picture itself."""
    if image.mode.startswith(("I", "F")):
        image = _to_8_bit(image)
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def to_grey(image: Image.Image) -> Image.Image:
    """The luma of what `to_rgb` gives, which of a grey picture is the picture itself."""
    if image.mode == "L" and not image.has_transparency_data:
        return image
    return to_rgb(image).convert("L")


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Greys beyond 8 bits -> L, or LA where one of them stands for transparency.

    16-bit values are divided by 257 and 12-bit ones stretched alike. 32-bit values say nothing
    of their range: floats up to 1 are multiplied by 255, values up to 255 kept, up to 65535 divided
    by 257, and any other range stretched to 0-255; what is no number, or infinite, counts as 0.
    """
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        grey = _levels(_most(image), _is_negative(image))[values]
    elif image.format == "PPM":  # 16 bits in a mode for 32
        grey = _levels(65535, negative=False)[np.clip(values, 0, 65535)]
    else:
        grey = _from_32_bit(values, is_float=image.mode == "F")
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return Image.fromarray(grey)
    alpha = np.where(values == transparent, np.uint8(0), np.uint8(255))
    return Image.merge("LA", (Image.fromarray(grey), Image.fromarray(alpha)))


def _tag(image: Image.Image, number: int) -> object:
    """What a TIFF's header says."""
    value = getattr(image, "tag_v2", {}).get(number)
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value


def _most(image: Image.Image) -> int:
    return 4095 if _tag(image, _BITS_TAG) == 12 else 65535


def _is_negative(image: Image.Image) -> bool:
    """Pillow turns TIFFs whose white is 0, but not those of 16 bits."""
    return _tag(image, _MEANING_TAG) == _WHITE_IS_ZERO


@functools.cache
def _levels(most: int, negative: bool) -> NDArray[np.uint8]:
    """uint8 (65536,): the grey of every 16-bit value, of which `most` is white."""
    shares = np.minimum(np.arange(65536) / most, 1)
    levels: NDArray[np.uint8] = np.rint(255 * (1 - shares if negative else shares)).astype(np.uint8)
    return levels


def _from_32_bit(values: NDArray[np.generic], *, is_float: bool) -> NDArray[np.uint8]:
    """A few rows at a time: the largest picture allowed would take gigabytes at once."""
    ranges = [(strip.min(), strip.max()) for _, strip in _strips(values)]
    low, high = float(min(low for low, _ in ranges)), float(max(high for _, high in ranges))
    offset, factor = 0.0, 1.0
    if low < 0 or high > 65535:
        offset, factor = low, 255 / max(high - low, 1e-12)
    elif is_float and high <= 1:
        factor = 255.0
    elif high > 255:
        factor = 1 / 257
    grey = np.empty(values.shape, np.uint8)
    for top, strip in _strips(values):
        grey[top : top + len(strip)] = np.rint((strip - offset) * factor)
    return grey


def _strips(values: NDArray[np.generic]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    height, width = values.shape
    rows = max(1, _STRIP_VALUES // width)
    for top in range(0, height, rows):
        strip = values[top : top + rows].astype(np.float64)
        yield top, np.nan_to_num(strip, posinf=0.0, neginf=0.0)
