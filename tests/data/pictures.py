"""What tests of the reader share: pictures to encode, and what came out of them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dlcli.data.pixels import PixelFormat, Resize, UnreadableImageError, decode_image

SMALL = PixelFormat((32, 32))
RESIZES: tuple[Resize, ...] = get_args(Resize)
RED, GREEN, BLUE, WHITE, GREY = (
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 255),
    (127, 127, 127),
)
# How a camera held that way stores an upright picture: the inverse of what the tag asks for.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def encode(
    image: Image.Image, form: str, append_images: Sequence[Image.Image] = (), **options: object
) -> bytes:
    stream = io.BytesIO()
    # Copies: saving leaves a format's own settings behind on a picture.
    others = {"append_images": [other.copy() for other in append_images]} if append_images else {}
    image.copy().save(stream, form, **others, **options)
    return stream.getvalue()


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """Coarse colours, so that neither JPEG nor a resize changes them much."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def raw_png(header: tuple[int, int, int, int], packed: bytes, *chunks: bytes) -> bytes:
    """A PNG from its (width, height, bit depth, kind of colour) and its compressed rows, with
    `chunks` in front of these."""
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", struct.pack(">IIBBBBB", *header, 0, 0, 0)),
            *chunks,
            png_chunk(b"IDAT", packed),
            png_chunk(b"IEND", b""),
        )
    )


def grey_tiff(
    width: int, height: int, bits: int, pixels: bytes, white_is_zero: bool = False
) -> bytes:
    """An uncompressed TIFF in the little-endian order; 12-bit values are packed two in 3 bytes."""
    tags = {
        256: width,
        257: height,
        258: bits,
        259: 1,
        262: 0 if white_is_zero else 1,
        273: 8,
        277: 1,
        278: height,
        279: len(pixels),
    }
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory


def lying(image: Image.Image, orientation: int) -> Image.Image:
    """An upright picture as a camera stores it that notes `orientation`."""
    stored = STORED[orientation]
    return image if stored is None else image.transpose(stored)


def turned(image: Image.Image, orientation: int, form: str, **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(lying(image, orientation), form, exif=exif, **options)


def whole(content: bytes, height: int, width: int) -> NDArray[np.uint8]:
    """The pixels of a picture of that size as they are: nothing is cut or resized."""
    return decode_image(content, PixelFormat((height, width), "stretch"))


def colour(content: bytes) -> tuple[int, ...]:
    """The one colour of a picture of one colour."""
    pixels = decode_image(content, SMALL)
    colours = np.unique(pixels.reshape(-1, 3), axis=0)
    assert len(colours) == 1
    return tuple(int(channel) for channel in colours[0])


def mean_difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def pixels_or_reason(content: bytes) -> bool:
    """Whether the bytes gave pixels; anything but pixels or a reason fails the test."""
    pixels, reason = None, ""
    try:
        pixels = decode_image(content, SMALL)
    except UnreadableImageError as error:
        reason = str(error)
    if pixels is None:
        assert reason.strip()
        return False
    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == np.uint8
    return True
