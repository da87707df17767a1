"""Small copies of pictures, to be shown on a page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dlcli.data.picture_formats import opened_image
from dlcli.data.pixels import UnreadableImageError, read_file, to_rgb, turn_upright
from dlcli.events import Reporter, StageAdvanced, StageEnded, StageStarted
from dlcli.processor import num_threads
from dlcli.workers import in_order

STAGE = "thumbnails"
MOST_PIXELS = 160
_QUALITY, _GOOD_QUALITY = 70, 92


def make_thumbnails(folder: Path, paths: Sequence[str], reporter: Reporter) -> dict[str, bytes]:
    """JPEGs of the pictures at `paths` (relative to `folder`), as `make_thumbnail` makes them;
    those that cannot be read are missing."""
    made: dict[str, bytes] = {}
    reporter.report(StageStarted(STAGE, len(paths)))
    files = (folder / path for path in paths)
    for number, content in enumerate(in_order(make_thumbnail, files, num_threads())):
        if content is not None:
            made[paths[number]] = content
        reporter.report(StageAdvanced(STAGE, number + 1))
    reporter.report(StageEnded(STAGE))
    return made


def make_thumbnail(path: Path) -> bytes | None:
    """The picture in a file upright, in RGB, at most `MOST_PIXELS` wide and high, as a JPEG; None
    where it cannot be read."""
    try:
        with opened_image(io.BytesIO(read_file(path))) as image:
            if image.format in ("JPEG", "MPO"):
                image.draft(None, (MOST_PIXELS, MOST_PIXELS))
            small = to_rgb(turn_upright(image))
            if max(small.size) > MOST_PIXELS:
                small = _shrink(small)
            return _jpeg(small)
    except UnreadableImageError:
        return None


def thumbnail_of(pixels: NDArray[np.uint8]) -> bytes:
    """A picture as a model sees it, uint8 (H, W, C), at most `MOST_PIXELS` wide and high, as a
    JPEG; one of less than half that size enlarged, pixel by pixel."""
    image = _image_of(pixels)
    factor = MOST_PIXELS // max(image.size)
    if factor > 1:
        larger = (image.width * factor, image.height * factor)
        image = image.resize(larger, Image.Resampling.NEAREST)
    return _jpeg(_shrink(image) if max(image.size) > MOST_PIXELS else image)


def encode_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """uint8 (H, W, C), C 3 or 1, as a JPEG of good quality that holds nothing else."""
    return _jpeg(_image_of(pixels), _GOOD_QUALITY)


def _image_of(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _jpeg(image: Image.Image, quality: int = _QUALITY) -> bytes:
    content = io.BytesIO()
    image.save(content, "JPEG", quality=quality)
    return content.getvalue()


def _shrink(image: Image.Image) -> Image.Image:
    """Image.thumbnail would do it in place, and decode nothing that is decoded already."""
    scale = MOST_PIXELS / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
