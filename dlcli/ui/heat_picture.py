"""A picture beside itself with a heat map over it, and small pictures below: one PNG.

The colours go from violet over vermilion to yellow, each lighter than the one before: they are told
apart with any kind of colour blindness, and in print without colour.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dlcli.ui.console import printable

COLORS = ((0.0, (38, 16, 84)), (0.35, (134, 36, 112)), (0.7, (236, 104, 48)), (1.0, (255, 232, 96)))
"""What part of the most evidence in the picture, and its colour."""

_VEIL, _MOST_VEIL = 0.2, 0.8
"""How much of a colour lies over the picture where there is no evidence, and where most is."""

_PAPER, _INK, _FAINT = (255, 255, 255), (24, 24, 24), (110, 110, 110)
_MARGIN, _GAP, _THUMBNAIL = 16, 16, 160
_TEXT, _SMALL = 18, 14
_SCALE = (120, 12)

_Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Captioned:
    """A small picture, an encoded file's bytes, and a line below it; None where it is gone."""

    caption: str
    content: bytes | None


@dataclass(frozen=True)
class Explained:
    """`picture` is uint8 (H, W, 3) or (H, W, 1), `evidence` float32 (h, w), 0 or more, over all of
    it. `name` stands above the picture, `answer` above the one with the map, `about` below it."""

    picture: NDArray[np.uint8]
    evidence: NDArray[np.float32]
    name: str
    answer: str
    about: str
    nearest: Sequence[Captioned] = ()


def draw_explanation(explained: Explained) -> bytes:
    """The PNG: picture | picture with map, and the nearest pictures below them."""
    height, width = explained.picture.shape[:2]
    count = len(explained.nearest)
    row_width = count * _THUMBNAIL + (count - 1) * _GAP if count else 0
    canvas_width = 2 * _MARGIN + max(2 * width + _GAP, row_width)
    top = _MARGIN + _TEXT + 10
    row_top = top + height + _SMALL + 2 * _GAP
    canvas_height = row_top + (_SMALL + 8 + _THUMBNAIL + _SMALL + 8 + _MARGIN if count else 0)
    canvas = Image.new("RGB", (canvas_width, canvas_height), _PAPER)
    draw = ImageDraw.Draw(canvas)
    right = _MARGIN + width + _GAP
    _write(draw, (_MARGIN, _MARGIN), explained.name, width, _TEXT)
    _write(draw, (right, _MARGIN), explained.answer, width, _TEXT)
    canvas.paste(Image.fromarray(_in_color(explained.picture)), (_MARGIN, top))
    canvas.paste(Image.fromarray(lay_over(explained.picture, explained.evidence)), (right, top))
    about_top = top + height + 8
    _write(draw, (right, about_top), explained.about, width - _SCALE[0] - _GAP, _SMALL, _FAINT)
    canvas.paste(_scale(), (right + width - _SCALE[0], about_top + 3))
    if count:
        words = "The training pictures most like it (1.00: the same)"
        _write(draw, (_MARGIN, row_top), words, canvas_width - 2 * _MARGIN, _SMALL, _FAINT)
        for number, one in enumerate(explained.nearest):
            corner = (_MARGIN + number * (_THUMBNAIL + _GAP), row_top + _SMALL + 8)
            _paste_thumbnail(canvas, draw, corner, one)
    content = io.BytesIO()
    canvas.save(content, "PNG", optimize=True)
    return content.getvalue()


def lay_over(picture: NDArray[np.uint8], evidence: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The picture in grey under the colours of the evidence, scaled to its own maximum: uint8
    (H, W, 3)."""
    height, width = picture.shape[:2]
    heat = np.asarray(
        Image.fromarray(evidence.astype(np.float32)).resize(
            (width, height), Image.Resampling.BICUBIC
        )
    )
    most = max(float(heat.max()), np.finfo(np.float32).tiny)
    heat = np.clip(heat, 0, None) / most
    grey = np.asarray(Image.fromarray(_in_color(picture)).convert("L"), np.float32)[..., None]
    veil = (_VEIL + (_MOST_VEIL - _VEIL) * heat)[..., None]
    mixed: NDArray[np.float32] = (1 - veil) * grey + veil * colors_of(heat)
    return np.round(mixed).astype(np.uint8)


def colors_of(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Numbers (...) of 0-1 -> RGB (..., 3), 0-255."""
    places = [place for place, _ in COLORS]
    channels = zip(*(color for _, color in COLORS), strict=True)
    mixed = [np.interp(heat, places, channel) for channel in channels]
    return np.stack(mixed, axis=-1).astype(np.float32)


def _in_color(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.broadcast_to(picture, (*picture.shape[:2], 3)).copy()


def _scale() -> Image.Image:
    """The colours from none to most."""
    width, height = _SCALE
    row = colors_of(np.linspace(0, 1, width, dtype=np.float32)).astype(np.uint8)
    return Image.fromarray(np.repeat(row[None], height, axis=0))


def _paste_thumbnail(
    canvas: Image.Image, draw: ImageDraw.ImageDraw, corner: tuple[int, int], one: Captioned
) -> None:
    left, top = corner
    box = (left, top, left + _THUMBNAIL - 1, top + _THUMBNAIL - 1)
    if one.content is None:
        draw.rectangle(box, outline=_FAINT)
        _write(draw, (left + 8, top + _THUMBNAIL // 2 - 8), "not there", _THUMBNAIL, _SMALL, _FAINT)
    else:
        with Image.open(io.BytesIO(one.content)) as image:
            image.thumbnail((_THUMBNAIL, _THUMBNAIL))
            inset = ((_THUMBNAIL - image.width) // 2, (_THUMBNAIL - image.height) // 2)
            canvas.paste(image, (left + inset[0], top + inset[1]))
    _write(draw, (left, top + _THUMBNAIL + 6), one.caption, _THUMBNAIL, _SMALL)


def _write(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    text: str,
    width: int,
    size: int,
    color: tuple[int, int, int] = _INK,
) -> None:
    """One line, its end left out where there is no room."""
    font = ImageFont.load_default(size)
    shown = _drawable(text)
    if font.getlength(shown) > width:
        while shown and font.getlength(shown + "…") > width:
            shown = shown[:-1]
        shown += "…"
    draw.text(corner, shown, color, font)


def _drawable(text: str) -> str:
    """One line, without bytes that were no UTF-8: there is no glyph for them."""
    return printable(text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
