"""The one reader: every command decodes a picture with `read_image`, so that answers never shift.

The rules, in the order in which they apply:
- the format is known by its content, never by its suffix (`picture_formats` says which are read);
- one picture of each file counts: of animations and documents the first, of an APNG the one that
  other programs show, of HEIC the primary one, of ICO, ICNS and CUR the largest, of MPO the photo
  (its second picture is a preview, a gain map or the other eye), of PSD the merged layers;
- it is turned upright: by EXIF orientation, where there is none by XMP's, in TIFF by its own tag,
  in AVIF and HEIC by the container's turn and not by EXIF, as these formats demand;
- greys of 16 and 32 bits and floats are scaled to 0-255 (see `colors`), of colours with 16 bits a
  channel the upper 8 are taken, HEIC and AVIF with 10 or 12 bits are rounded by their decoders;
- CMYK, YCbCr, LAB and palettes are converted as Pillow does, transparency is laid over white;
- ICC profiles and gamma are not applied: the numbers in the file count, as in most data sets that
  networks were trained on, and a camera's wide colours look a little pale;
- `resize` fits the picture: `crop` takes the largest centred box of the right shape, `pad` keeps
  the whole picture on grey 127, `stretch` ignores the shape; all with Pillow's antialiased
  bilinear filter. A large JPEG is decoded at a fraction of its size where that suffices (`draft`);
- where one channel is wanted it is the luma of those colours (ITU-R 601, as Pillow computes it),
  taken before the resize, and a grey picture keeps its values. The luma that a JPEG stores is not
  used: it is another where the JPEG means a colour that RGB cannot show (in one photo of seven,
  by up to 7 levels), and decoding it alone saves but a fifth of the time.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import stat
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dlcli.data.colors import to_grey, to_rgb
from dlcli.data.picture_formats import opened_image
from dlcli.data.unreadable import CANNOT_BE_READ, CHANGED, UnreadableImageError, is_passing

__all__ = [
    "CHANGED",
    "MAX_FILE_BYTES",
    "READER_VERSION",
    "Color",
    "PixelFormat",
    "Resize",
    "UnreadableImageError",
    "crop_box",
    "decode_and_see",
    "decode_image",
    "is_passing",
    "lies_sideways",
    "open_image",
    "orientation_of",
    "read_file",
    "read_image",
    "to_rgb",
    "turn_upright",
]

Resize = Literal["crop", "pad", "stretch"]
Color = Literal["rgb", "grayscale"]
_Seen = TypeVar("_Seen")

READER_VERSION = 2
"""Raised whenever the same file would give other pixels; kept pixels and models name it."""

MAX_FILE_BYTES = 1 << 30
PAD_GREY = 127
_ORIENTATION_TAG = 0x0112
_UPRIGHT = 1
_SIDEWAYS = (5, 6, 7, 8)
_BROKEN_EXIF = (SyntaxError, TypeError, ValueError, KeyError, struct.error)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class PixelFormat:
    """What a network sees: pictures of `image_size` (height, width), fitted by `resize`, in
    `color`."""

    image_size: tuple[int, int] = (224, 224)
    resize: Resize = "crop"
    color: Color = "rgb"

    @property
    def num_channels(self) -> int:
        """3 for RGB, 1 for grey."""
        return 3 if self.color == "rgb" else 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a picture: (H, W, C)."""
        return (*self.image_size, self.num_channels)


def read_file(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a regular file.

    Raises:
        UnreadableImageError: if there is no such file, it cannot be read, or it is none.
    """
    with _opened_file(path) as file:
        return file.read()


@contextlib.contextmanager
def open_image(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """The picture in a file with only its header read: nothing is decoded or turned yet.

    Raises:
        UnreadableImageError: with the reason, also for what goes wrong with it inside the block.
    """
    with _opened_file(path) as file, opened_image(file) as image:
        yield image


@contextlib.contextmanager
def _opened_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise UnreadableImageError("a folder, not a picture")
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImageError("not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise UnreadableImageError(f"{status.st_size / 1e9:.1f} GB; the limit is 1 GB")
        with open(path, "rb") as file:
            yield file
    except FileNotFoundError as error:
        dangling = "a link that leads nowhere" if os.path.islink(path) else "no such file"
        raise UnreadableImageError(dangling) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableImageError(CANNOT_BE_READ + reason) from error


def read_image(path: str | os.PathLike[str], pixel_format: PixelFormat) -> NDArray[np.uint8]:
    """The picture in a file as `decode_image` gives it.

    Raises:
        UnreadableImageError: with the reason.
    """
    return decode_image(read_file(path), pixel_format)


def decode_image(content: bytes, pixel_format: PixelFormat) -> NDArray[np.uint8]:
    """Encoded bytes -> uint8 (H, W, C), 0-255, of the size in `pixel_format`; C is 3 (RGB) or
    1 (grey) as its `color` says.

    Raises:
        UnreadableImageError: with the reason, whatever is wrong with the bytes.
    """
    return decode_and_see(content, pixel_format, lambda _: None)[0]


def decode_and_see(
    content: bytes, pixel_format: PixelFormat, see: Callable[[Image.Image], _Seen]
) -> tuple[NDArray[np.uint8], _Seen]:
    """What `decode_image` gives, and what `see` finds in the picture before it is fitted: upright,
    in RGB or grey.

    Raises:
        UnreadableImageError: with the reason, whatever is wrong with the bytes.
    """
    if not content:
        raise UnreadableImageError("an empty file")
    with opened_image(io.BytesIO(content)) as image:
        _draft(image, pixel_format)
        upright = turn_upright(image)
        colored = to_rgb(upright) if pixel_format.color == "rgb" else to_grey(upright)
        pixels = np.asarray(_fit(colored, pixel_format))
        return pixels.reshape(pixel_format.shape), see(colored)


def _draft(image: Image.Image, pixel_format: PixelFormat) -> None:
    """Lets the JPEG decoder shrink to the smallest of 1/1, 1/2, 1/4, 1/8 that is large enough."""
    if image.format not in ("JPEG", "MPO"):
        return
    height, width = pixel_format.image_size
    if lies_sideways(image):
        height, width = width, height
    scales = (width / image.width, height / image.height)
    if pixel_format.resize == "stretch":
        wanted = (width, height)
    else:
        scale = max(scales) if pixel_format.resize == "crop" else min(scales)
        wanted = (math.ceil(image.width * scale), math.ceil(image.height * scale))
    image.draft(None, wanted)


def turn_upright(image: Image.Image) -> Image.Image:
    """The decoded picture as it is meant to be seen; the same object where nothing is to turn."""
    image.load()
    turn = _TURNS.get(orientation_of(image.getexif))
    return image if turn is None else image.transpose(turn)


def lies_sideways(image: Image.Image) -> bool:
    """Whether the size in an undecoded picture's header is (height, width) once it is upright."""
    if image.format == "TIFF":
        return False  # Pillow turns these itself and gives the upright size from the beginning
    # Not a PNG's own getexif: it decodes the picture to see whether EXIF stands at its end.
    return orientation_of(lambda: Image.Image.getexif(image)) in _SIDEWAYS


def orientation_of(read_exif: Callable[[], Image.Exif]) -> int:
    """As EXIF counts them; broken EXIF says nothing about which way is up, and the pixels may be
    sound."""
    try:
        orientation = read_exif().get(_ORIENTATION_TAG)
    except _BROKEN_EXIF:
        return _UPRIGHT
    return orientation if isinstance(orientation, int) else _UPRIGHT


def _fit(image: Image.Image, pixel_format: PixelFormat) -> Image.Image:
    height, width = pixel_format.image_size
    if pixel_format.resize == "crop":
        box = crop_box(image.height, image.width, pixel_format.image_size)
        return image.resize((width, height), Image.Resampling.BILINEAR, box=box)
    if pixel_format.resize == "pad":
        # ImageOps.pad would fit and centre the same way, but rounds a thin picture to 0 pixels.
        scale = min(width / image.width, height / image.height)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        canvas = Image.new("L", (width, height), PAD_GREY).convert(image.mode)
        corner = ((width - size[0]) // 2, (height - size[1]) // 2)
        canvas.paste(image.resize(size, Image.Resampling.BILINEAR), corner)
        return canvas
    return image.resize((width, height), Image.Resampling.BILINEAR)


def crop_box(height: int, width: int, image_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest centred box with the shape of `image_size`: (left, top, right, bottom), whole
    pixels, at least one each way."""
    wanted_height, wanted_width = image_size
    box_width = max(1, min(width, round(height * wanted_width / wanted_height)))
    box_height = max(1, min(height, round(width * wanted_height / wanted_width)))
    left, top = (width - box_width) // 2, (height - box_height) // 2
    return left, top, left + box_width, top + box_height
