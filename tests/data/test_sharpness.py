"""Sharpness: blur lowers it; contrast, size and what is shown hardly matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from dlcli.data.inspection import PictureFacts, inspect_picture
from dlcli.data.picture_rules import BLURRED_SHARPNESS
from dlcli.data.sharpness import SIDE, sharpness_of, small_size
from tests.conftest import needs_shared
from tests.data.drawings import draw


def sharpness(image: Image.Image) -> float:
    small = image.convert("L").resize(small_size(*image.size), Image.Resampling.BOX)
    return sharpness_of(small)


def blurred(image: Image.Image, per_mille: float) -> Image.Image:
    """By a Gaussian whose deviation is that part of the longer side."""
    return image.filter(ImageFilter.GaussianBlur(max(image.size) * per_mille / 1000))


def test_an_edge_by_hand() -> None:
    """Black beside white: 4 * 255 - 3 * 255 on both sides of it, at both sizes."""
    edge = Image.new("L", (120, 120), 0)
    edge.paste(255, (60, 0, 120, 120))
    assert sharpness_of(edge) == 1
    slope = Image.fromarray(np.tile(np.arange(0, 240, 2, np.uint8), (120, 1)))
    assert sharpness_of(slope) == 0


@pytest.mark.parametrize("seed", range(5))
def test_blur_lowers_it(seed: int) -> None:
    image = draw(seed, (600, 450))
    values = [sharpness(blurred(image, part)) for part in (0, 4, 8, 16)]
    assert values[0] > BLURRED_SHARPNESS > values[2]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("seed", range(5))
def test_contrast_does_not_matter(seed: int) -> None:
    image = draw(seed, (240, 180))
    faint = image.point(lambda value: 100 + value // 4)
    assert sharpness(faint) == pytest.approx(sharpness(image), rel=0.2)
    assert sharpness(blurred(faint, 8)) < BLURRED_SHARPNESS


@pytest.mark.parametrize("seed", range(5))
def test_size_does_not_matter(seed: int) -> None:
    image = blurred(draw(seed, (2400, 1800)), 8)
    for width in (600, 240):
        smaller = image.resize((width, width * 3 // 4), Image.Resampling.LANCZOS)
        assert sharpness(smaller) == pytest.approx(sharpness(image), rel=0.2)


def test_small_pictures_are_judged_at_their_own_size() -> None:
    assert small_size(28, 20) == (28, 20)
    assert small_size(3 * SIDE, SIDE) == (SIDE, SIDE // 3)
    assert small_size(10_000, 2) == (SIDE, 1)
    assert sharpness(draw(0, (28, 28))) > BLURRED_SHARPNESS
    assert sharpness(draw(0, (5, 40))) == np.inf


def sharpness_of_file(path: Path) -> float:
    found = inspect_picture(path)
    assert isinstance(found, PictureFacts), found
    return found.sharpness


def test_few_photos_are_called_blurred_and_most_blurred_ones_are(tmp_path: Path) -> None:
    """The rates that picture_rules states, on every twentieth photo."""
    folders = [needs_shared("data", name) for name in ("animals5", "hymenoptera", "clothing10")]
    photos = [path for folder in folders for path in sorted(folder.rglob("*.jpg"))][::20]
    readable = [path for path in photos if isinstance(inspect_picture(path), PictureFacts)]
    assert len(readable) > 100
    false = sum(sharpness_of_file(path) < BLURRED_SHARPNESS for path in readable)
    found = 0
    for path in readable:
        blurred(Image.open(path).convert("RGB"), 8).save(tmp_path / "b.jpg", quality=85)
        found += sharpness_of_file(tmp_path / "b.jpg") < BLURRED_SHARPNESS
    assert false <= 0.01 * len(readable)
    assert found >= 0.97 * len(readable)
