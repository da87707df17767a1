"""Which pictures TensorFlow reads as the reader does."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from dlcli.data.tensorflow_limits import is_read_alike

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'


def encoded(form: str, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (9, 7)).save(file, form, **options)
    return file.getvalue()


def oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encoded("JPEG"), True),
        (encoded("JPEG", exif=oriented(6)), True),
        (encoded("JPEG", exif=oriented(77)), True),
        (encoded("JPEG", exif=b"Exif\0\0nonsense"), True),
        (encoded("JPEG", xmp=XMP), False),
        (encoded("JPEG", xmp=XMP, exif=oriented(6)), True),
        (encoded("PNG"), True),
        (encoded("PNG", "RGBA"), True),
        (encoded("PNG", exif=oriented(1)), True),
        (encoded("PNG", exif=oriented(6)), False),
        (encoded("GIF"), True),
        (encoded("GIF", "P", transparency=0), False),
        (encoded("BMP"), True),
        (encoded("TIFF"), False),
        (encoded("WEBP"), False),
    ],
)
def test_formats_turns_and_transparency(content: bytes, expected: bool) -> None:
    assert is_read_alike(content) is expected
