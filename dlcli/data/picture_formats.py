"""Which files are pictures: everything that Pillow knows by its content, and HEIC.

HEIC and HEIF are read with the extra `heif` (pi-heif), of a file with several pictures the primary
one, turned upright by the container's own turn, as the format demands. Not read are stubs that
Pillow knows and cannot decode, and what would start another program or hide another picture (EPS,
WMF, IPTC).

Refused are pictures of more than `PIL.Image.MAX_IMAGE_PIXELS`, a JPEG that repeats itself for
minutes, large pictures of the few formats that Pillow decodes in Python (1.5 s a megapixel), and
PNGs whose pixels do not match their checksum, which Pillow would let pass.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image, ImageFile, UnidentifiedImageError

from dlcli.data.heif import is_heif, open_heif
from dlcli.data.unreadable import UnreadableImageError, reason_of, too_many_pixels
from dlcli.processor import silenced_stderr

_COMMON_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM")
_REFUSED_FORMATS = frozenset(
    ("BUFR", "EPS", "FPX", "GRIB", "HDF5", "IMT", "IPTC", "MIC", "MPEG", "PCD", "WMF", "XVTHUMB")
)
_TALKING_FORMATS = ("TIFF",)
"""What is decoded by a library that writes to descriptor 2; found by damaging files of each."""

_MOST_SLOW_PIXELS = 16_000_000
_MOST_SCANNED_PIXELS = 100 * 89_000_000
_LEAST_SCAN_BYTES = 12
_BEGINNING = 4096
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""Of a JPEG: neither a stuffed 255 nor a point to start over at, both of which lie in scans."""


@contextlib.contextmanager
def opened_image(file: BinaryIO) -> Iterator[Image.Image]:
    """The picture in an open file, its header read and its pixels not yet decoded. Libraries that
    talk are silent until the end of the block.

    Raises:
        UnreadableImageError: with the reason, also for what goes wrong with it inside the block.
    """
    _quieten_pillow()
    try:
        with _open(file) as image:
            _require_limits(image, file)
            _mend_header(image)
            with _silence(image):
                yield image
    except Exception as error:
        # The decoders meet hostile bytes with a dozen kinds of exceptions (struct.error, KeyError,
        # zlib.error, MemoryError, ...): each of them means an unreadable picture.
        raise UnreadableImageError(reason_of(error, _beginning(file))) from error


@functools.cache
def _quieten_pillow() -> None:
    """Bombs become errors; remarks on broken metadata are no concern of the user's."""
    import logging  # with the first plugin it comes anyway

    warnings.filterwarnings("ignore", module=r"PIL\.")
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    logging.getLogger("PIL").addHandler(logging.NullHandler())


def _silence(image: Image.Image) -> contextlib.AbstractContextManager[None]:
    return silenced_stderr() if image.format in _TALKING_FORMATS else contextlib.nullcontext()


def _open(file: BinaryIO) -> Image.Image:
    """Tries the common formats first: loading every plugin of Pillow takes a while."""
    with contextlib.suppress(UnidentifiedImageError):
        return Image.open(file, formats=_COMMON_FORMATS)
    if is_heif(_beginning(file)):
        return open_heif(file)
    return Image.open(file, formats=_all_formats())


def _beginning(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(_BEGINNING)


@functools.cache
def _all_formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in Image.ID if name not in _REFUSED_FORMATS)


def _mend_header(image: Image.Image) -> None:
    """The transparent colour of a PNG with 16 bits a channel, of whose pixels Pillow keeps the
    upper 8: it would compare them with the lower 8 of the colour."""
    transparent = image.info.get("transparency")
    if image.format == "PNG" and isinstance(transparent, tuple) and "RGB;16B" in _raw_modes(image):
        image.info["transparency"] = tuple(value >> 8 for value in transparent)


def _raw_modes(image: Image.Image) -> list[object]:
    return [tile.args for tile in image.tile] if isinstance(image, ImageFile.ImageFile) else []


def _require_limits(image: Image.Image, file: BinaryIO) -> None:
    num_pixels = image.width * image.height
    limit = Image.MAX_IMAGE_PIXELS or math.inf
    if num_pixels > limit:
        raise UnreadableImageError(too_many_pixels(num_pixels, limit))
    if num_pixels > _MOST_SLOW_PIXELS and _is_decoded_in_python(image):
        of_what = f" of {image.format}, which takes minutes to read"
        raise UnreadableImageError(too_many_pixels(num_pixels, _MOST_SLOW_PIXELS, of_what))
    position = file.tell()
    if image.format == "PNG":
        _require_checksums(file)
    elif image.format in ("JPEG", "MPO"):
        _require_few_scans(image, file)
    file.seek(position)


def _is_decoded_in_python(image: Image.Image) -> bool:
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    return any(tile.codec_name in Image.DECODERS for tile in tiles)


def _require_checksums(file: BinaryIO) -> None:
    """Of the chunks with a PNG's pixels; where the file ends too early Pillow says so."""
    file.seek(8)
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        if kind != b"IDAT":
            file.seek(length + 4, os.SEEK_CUR)
            continue
        data, checksum = file.read(length), file.read(4)
        if len(checksum) == 4 and zlib.crc32(data, zlib.crc32(kind)) != int.from_bytes(checksum):
            raise UnreadableImageError("damaged: its pixels do not match their checksum")


def _require_few_scans(image: Image.Image, file: BinaryIO) -> None:
    """A JPEG may send every pixel again and again, in scans of a few bytes: a megabyte of them
    would take minutes. Sound ones have about ten; a hundred of the largest picture are let pass."""
    most = _MOST_SCANNED_PIXELS // (image.width * image.height)
    if file.seek(0, os.SEEK_END) // _LEAST_SCAN_BYTES <= most:
        return
    file.seek(0)
    content = file.read()
    scans = _scans(content)
    first = next(scans, 0)
    if not image.info.get("progressive") and content[first + 4] == getattr(image, "layers", 0):
        return  # all channels in one scan that sends them whole: the decoder stops behind it
    if any(number > most for number, _ in enumerate(scans, 2)):
        raise UnreadableImageError(f"damaged: it sends its pixels more than {most} times")


def _scans(content: bytes) -> Iterator[int]:
    """Where the scans of a JPEG begin, up to its end; what follows there, a film or a second
    picture, is not looked at, nor is a preview inside the header."""
    start = 2
    while (marker := _MARKER.search(content, start)) and marker[0] != b"\xff\xd9":
        if marker[0] == b"\xff\xda":
            yield marker.start()
        start = marker.end() + int.from_bytes(content[marker.end() : marker.end() + 2])
