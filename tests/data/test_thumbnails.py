"""Thumbnails: small, upright, and missing where there is nothing to see."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli.data.thumbnails import MOST_PIXELS, make_thumbnail, make_thumbnails, thumbnail_of
from dlcli.events import NullReporter
from tests.data.drawings import draw, save
from tests.data.pictures import turned


def opened(content: bytes | None) -> Image.Image:
    assert content is not None
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((1000, 500), (160, 80)),
        ((500, 1000), (80, 160)),
        ((60, 40), (60, 40)),
        ((3000, 2), (160, 1)),
    ],
)
def test_sizes(size: tuple[int, int], shown: tuple[int, int], tmp_path: Path) -> None:
    thumbnail = opened(make_thumbnail(save(draw(0, size), tmp_path / "a.png")))
    assert thumbnail.size == shown
    assert (thumbnail.format, thumbnail.mode) == ("JPEG", "RGB")
    assert max(shown) <= MOST_PIXELS


@pytest.mark.parametrize("orientation", [3, 6])
def test_upright(orientation: int, tmp_path: Path) -> None:
    image = draw(0, (1200, 800))
    (tmp_path / "a.jpg").write_bytes(turned(image, orientation, "JPEG"))
    thumbnail = opened(make_thumbnail(tmp_path / "a.jpg"))
    wanted = image.resize(thumbnail.size, Image.Resampling.BOX)
    assert thumbnail.size == (160, 107)
    difference = np.asarray(thumbnail, np.int16) - np.asarray(wanted, np.int16)
    assert np.abs(difference).mean() < 6


def test_modes_that_jpeg_does_not_know(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    pixel = opened(make_thumbnail(save(clear, tmp_path / "a.png"))).getpixel((5, 5))
    assert pixel == (255, 255, 255)


def test_what_cannot_be_read_is_missing(tmp_path: Path) -> None:
    save(draw(0), tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    made = make_thumbnails(tmp_path, ["b.png", "a.png", "c.png"], NullReporter())
    assert list(made) == ["a.png"]


@pytest.mark.parametrize(
    ("shape", "shown", "mode"),
    [
        ((224, 224, 3), (160, 160), "RGB"),
        ((28, 14, 1), (70, 140), "L"),
        ((100, 90, 3), (90, 100), "RGB"),
        ((8, 400, 3), (160, 3), "RGB"),
    ],
)
def test_pixels_that_a_model_saw(
    shape: tuple[int, int, int], shown: tuple[int, int], mode: str
) -> None:
    pixels = np.zeros(shape, np.uint8)
    pixels[: shape[0] // 2] = 255
    thumbnail = opened(thumbnail_of(pixels))
    assert (thumbnail.size, thumbnail.mode) == (shown, mode)
    seen = np.asarray(thumbnail.convert("L"))
    assert (seen[0].min() > 250, seen[-1].max() < 5) == (True, True)
