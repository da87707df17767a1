"""Which pictures TensorFlow's decoders can be made to read as the reader does, and which not."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image

from dlcli.data.picture_formats import opened_image
from dlcli.data.pixels import orientation_of

JPEG, PNG, GIF, BMP = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM"
MAGIC = (JPEG, PNG, GIF, BMP)
"""How a file begins that TensorFlow can decode."""

_UPRIGHT = 1


def is_read_alike(content: bytes) -> bool:
    """Whether a SavedModel makes the same pixels of these bytes as the reader, which can read them.

    It knows JPEG, PNG, GIF and BMP, the EXIF of a JPEG and the transparency of a PNG.
    """
    if not content.startswith(MAGIC):
        return False
    with opened_image(io.BytesIO(content)) as image:
        if image.format == "GIF" and "transparency" in image.info:
            return False
        known = _UPRIGHT
        if image.format in ("JPEG", "MPO"):
            known = _turn(lambda: _own_exif(image))
        return known == _turn(image.getexif)


def _own_exif(image: Image.Image) -> Image.Exif:
    """Without the XMP that Pillow asks where EXIF says nothing."""
    exif = Image.Exif()
    exif.load(image.info.get("exif", b""))
    return exif


def _turn(read_exif: Callable[[], Image.Exif]) -> int:
    orientation = orientation_of(read_exif)
    return orientation if orientation in range(1, 9) else _UPRIGHT
