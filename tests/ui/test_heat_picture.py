"""The picture with its map: what is where, and colours that all can tell apart."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dlcli.ui.heat_picture import (
    COLORS,
    Captioned,
    Explained,
    colors_of,
    draw_explanation,
    lay_over,
)

PICTURE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


def jpeg(color: str, size: tuple[int, int] = (160, 90)) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size, color).save(content, "JPEG")
    return content.getvalue()


def peak(row: int, column: int, shape: tuple[int, int] = (3, 4)) -> NDArray[np.float32]:
    evidence = np.zeros(shape, np.float32)
    evidence[row, column] = 7
    return evidence


def drawn(explained: Explained) -> Image.Image:
    with Image.open(io.BytesIO(draw_explanation(explained))) as image:
        assert image.format == "PNG"
        return image.convert("RGB")


def luminance(colors: NDArray[np.floating]) -> NDArray[np.floating]:
    """Relative luminance (WCAG 2), 0-1."""
    shares = colors / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ [0.2126, 0.7152, 0.0722])


def test_the_colours_grow_lighter_all_the_way() -> None:
    steps = np.diff(luminance(colors_of(np.linspace(0, 1, 65, dtype=np.float32))))
    assert (steps > 0).all()


@pytest.mark.parametrize("missing", [0, 1])
def test_the_colours_differ_for_who_sees_no_red_or_no_green(missing: int) -> None:
    """As that cone's signal were that of the other (roughly what Viénot 1999 computes)."""
    colors = colors_of(np.linspace(0, 1, 6, dtype=np.float32)).copy()
    colors[:, missing] = colors[:, 1 - missing]
    apart = np.linalg.norm(colors[:, None] - colors[None], axis=-1)
    assert apart[~np.eye(6, dtype=bool)].min() > 20


def test_the_colours_are_those_of_the_scale() -> None:
    for place, color in COLORS:
        np.testing.assert_allclose(colors_of(np.array(place, np.float32)), color, atol=0.01)


def test_the_most_evidence_is_yellow_and_none_is_dark() -> None:
    grey = np.full((60, 80, 3), 128, np.uint8)
    over = lay_over(grey, peak(2, 3)).astype(int)
    assert over.shape == (60, 80, 3)
    red, green, blue = over[-1, -1]
    assert red > 200
    assert green > 180
    assert blue < 130
    assert over[0, 0].max() < 128
    # Only what is most counts: twice the evidence everywhere is the same picture.
    np.testing.assert_array_equal(lay_over(grey, 2 * peak(2, 3)), over)


def test_without_evidence_the_picture_shows_everywhere_alike() -> None:
    plain = np.full((60, 80, 3), 200, np.uint8)
    over = lay_over(plain, np.zeros((3, 4), np.float32))
    assert (over == over[0, 0]).all()


def test_the_map_lies_right_of_the_picture() -> None:
    canvas = np.asarray(drawn(Explained(PICTURE, peak(0, 0), "a.jpg", "cat 0.98", "about")))
    height, width = PICTURE.shape[:2]
    places = [
        (top, left)
        for top in range(canvas.shape[0] - height)
        for left in range(canvas.shape[1] - width)
        if (canvas[top, left] == PICTURE[0, 0]).all()
        and (canvas[top : top + height, left : left + width] == PICTURE).all()
    ]
    assert len(places) == 1
    (top, left), gap = places[0], 16
    right = canvas[top : top + height, left + width + gap : left + 2 * width + gap]
    np.testing.assert_array_equal(right, lay_over(PICTURE, peak(0, 0)))


def test_grey_pictures_are_drawn() -> None:
    over = lay_over(PICTURE[..., :1], peak(1, 1))
    assert over.shape == (60, 80, 3)
    drawn(Explained(PICTURE[..., :1], peak(1, 1), "a", "b", "c"))


def test_the_nearest_pictures_stand_below() -> None:
    explained = Explained(PICTURE, peak(0, 0), "a.jpg", "cat 0.98", "about")
    alone = drawn(explained)
    nearest = [Captioned("cat 0.91", jpeg("red")), Captioned("dog 0.85", None)]
    canvas = drawn(replace(explained, nearest=nearest))
    assert canvas.height > alone.height + 160
    below = np.asarray(canvas)[alone.height :].astype(int)
    is_red = (below[..., 0] > 200) & (below[..., 1:].max(axis=-1) < 60)
    assert is_red.sum() == pytest.approx(160 * 90, rel=0.02)


@pytest.mark.parametrize("name", ["two\nlines", "no utf-8 \udcff", "日本", "", "long " * 200])
def test_any_name_is_drawn_on_one_line(name: str) -> None:
    nearest = [Captioned(name, jpeg("blue", (20, 20)))]
    plain = drawn(Explained(PICTURE, peak(0, 0), "a", "b", "c", nearest))
    named = drawn(Explained(PICTURE, peak(0, 0), name, name, name, nearest))
    assert named.size == plain.size
