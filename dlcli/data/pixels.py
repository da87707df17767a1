"""The one reader: every command decodes a picture with `read_image`, so that answers never shift.

The rules, in the order in which they apply:
- the format is known by its content, never by its suffix; of animations and documents the first
  frame counts;
- EXIF orientation is applied;
- 16-bit and 32-bit integers and floats are scaled to 0-255 (see `_to_8_bit`), CMYK, LAB, palettes
  and the rest are converted, transparency is laid over white;
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
import functools
import io
import math
import os
import re
import stat
import struct
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

Resize = Literal["crop", "pad", "stretch"]
Color = Literal["rgb", "grayscale"]
_Seen = TypeVar("_Seen")

READER_VERSION = 1
"""Raised whenever the same file would give other pixels; kept pixels and models name it."""

MAX_FILE_BYTES = 1 << 30
_PAD_GREY = 127
_ORIENTATION_TAG = 0x0112
_SIDEWAYS = (5, 6, 7, 8)
_BROKEN_EXIF = (SyntaxError, TypeError, ValueError, KeyError, struct.error)
_COMMON_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM")
_SIGNATURES = {"JPEG": b"\xff\xd8", "PNG": b"\x89PN", "GIF": b"GIF8", "BMP": b"BM"}
# Stubs that identify but cannot decode, and formats that start other programs or have no magic.
_REFUSED_FORMATS = frozenset(
    ("BUFR", "EPS", "FPX", "GRIB", "HDF5", "IMT", "MIC", "MPEG", "PCD", "WMF", "XVTHUMB")
)


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


class UnreadableImageError(Exception):
    """A picture that cannot be used; the message is the reason, without the path."""


_CANNOT_BE_READ = "cannot be read: "
_TOO_LARGE_FOR_MEMORY = "too large for the memory"
CHANGED = "changed while it was being read"


def is_passing(reason: str) -> bool:
    """Whether the reason lies in the machine and not in the file: it may be gone next time."""
    return reason.startswith(_CANNOT_BE_READ) or reason in (_TOO_LARGE_FOR_MEMORY, CHANGED)


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
    with _opened_file(path) as file, _opened_image(file) as image:
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
        raise UnreadableImageError(_CANNOT_BE_READ + reason) from error


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
    with _opened_image(io.BytesIO(content)) as image:
        _draft(image, pixel_format)
        upright = _turn_upright(image)
        colored = to_rgb(upright) if pixel_format.color == "rgb" else _to_grey(upright)
        pixels = np.asarray(_fit(colored, pixel_format))
        shape = (*pixel_format.image_size, pixel_format.num_channels)
        return pixels.reshape(shape), see(colored)


@contextlib.contextmanager
def _opened_image(file: BinaryIO) -> Iterator[Image.Image]:
    _set_warning_filters()
    try:
        with _open(file) as image:
            _require_limit(image)
            yield image
    except Exception as error:
        # Pillow's decoders meet hostile bytes with a dozen kinds of exceptions (struct.error,
        # KeyError, zlib.error, MemoryError, ...): each of them means an unreadable picture.
        raise UnreadableImageError(_reason(error, file)) from error


@functools.cache
def _set_warning_filters() -> None:
    """Bombs become errors; remarks on broken metadata are no concern of the user's."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


@functools.cache
def _all_formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in Image.ID if name not in _REFUSED_FORMATS)


def _open(file: BinaryIO) -> Image.Image:
    """Tries the common formats first: loading every plugin of Pillow takes a while."""
    try:
        return Image.open(file, formats=_COMMON_FORMATS)
    except UnidentifiedImageError:
        return Image.open(file, formats=_all_formats())


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


def _require_limit(image: Image.Image) -> None:
    limit = Image.MAX_IMAGE_PIXELS or math.inf
    if image.width * image.height > limit:
        size = image.width * image.height / 1e6
        raise UnreadableImageError(f"{size:,.0f} megapixels; the limit is {limit / 1e6:.0f}")


def _turn_upright(image: Image.Image) -> Image.Image:
    """Broken EXIF says nothing about which way is up, and the pixels may be sound."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except _BROKEN_EXIF:
        return image


def lies_sideways(image: Image.Image) -> bool:
    """Whether the size in an undecoded picture's header is (height, width) once it is upright."""
    if image.format == "TIFF":
        return False  # Pillow turns these itself and gives the upright size from the beginning
    try:
        # Not a PNG's own getexif: it decodes the picture to see whether EXIF stands at its end.
        return Image.Image.getexif(image).get(_ORIENTATION_TAG) in _SIDEWAYS
    except _BROKEN_EXIF:
        return False


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode -> RGB, 0-255, transparency laid over white."""
    if image.mode.startswith(("I", "F")):
        image = _to_8_bit(image)
    if image.mode == "LAB":
        return _lab_to_rgb(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _to_grey(image: Image.Image) -> Image.Image:
    """The luma of what `to_rgb` gives, which of a grey picture is the picture itself."""
    if image.mode == "L" and not image.has_transparency_data:
        return image
    return to_rgb(image).convert("L")


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Greys beyond 8 bits: 16-bit modes and values up to 65535 are divided by 257, floats up to 1
    multiplied by 255, values up to 255 kept, and any other range stretched to 0-255."""
    values = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I;16"):
        values /= 257
    elif low < 0 or high > 65535:
        values = (values - low) * (255 / max(high - low, 1e-12))
    elif image.mode == "F" and high <= 1:
        values *= 255
    elif high > 255:
        values /= 257
    return Image.fromarray(np.rint(values).astype(np.uint8))


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    if converted is None:
        raise UnreadableImageError("LAB colours that cannot be converted")
    return converted


def _fit(image: Image.Image, pixel_format: PixelFormat) -> Image.Image:
    height, width = pixel_format.image_size
    if pixel_format.resize == "crop":
        box = crop_box(image.height, image.width, pixel_format.image_size)
        return image.resize((width, height), Image.Resampling.BILINEAR, box=box)
    if pixel_format.resize == "pad":
        # ImageOps.pad would fit and centre the same way, but rounds a thin picture to 0 pixels.
        scale = min(width / image.width, height / image.height)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        canvas = Image.new("L", (width, height), _PAD_GREY).convert(image.mode)
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


def _reason(error: Exception, file: BinaryIO) -> str:
    message = str(error)
    if isinstance(error, UnreadableImageError):
        return message
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        pixels = re.search(r"\((\d+) pixels\)", message)
        limit = round((Image.MAX_IMAGE_PIXELS or 0) / 1e6)
        size = f"{int(pixels[1]) / 1e6:,.0f} megapixels" if pixels else "too large"
        return f"{size}; the limit is {limit}"
    if isinstance(error, UnidentifiedImageError):
        return _what_instead(file)
    if isinstance(error, MemoryError):
        return _TOO_LARGE_FOR_MEMORY
    if "truncated" in message.lower():
        return f"truncated: {message}"
    return f"damaged: {message or type(error).__name__}"


def _what_instead(file: BinaryIO) -> str:
    """A better word than "not a picture" where the first bytes allow one."""
    file.seek(0)
    beginning = file.read(4096)
    if b"<svg" in beginning.lower():
        return "an SVG drawing, not pixels"
    for name, signature in _SIGNATURES.items():
        if beginning.startswith(signature):
            return f"damaged: the header of a {name} file, and no {name} picture behind it"
    return "not a picture"
