"""Why a picture cannot be used, in plain words."""

from __future__ import annotations

import errno
import re

from PIL import Image, UnidentifiedImageError


class UnreadableImageError(Exception):
    """A picture that cannot be used; the message is the reason, without the path."""


CANNOT_BE_READ = "cannot be read: "
CHANGED = "changed while it was being read"
_TOO_LARGE_FOR_MEMORY = "too large for the memory"
_NO_PICTURE = "not a picture"
_UNDECODABLE = "damaged: its pixels cannot be decoded"

# What decoders say -> what it means; the first that fits, {} is what was said.
_MEANINGS = (
    ("out of memory", _TOO_LARGE_FOR_MEMORY),
    ("truncated", "truncated: the file ends before the picture does"),
    ("invalid literal", _NO_PICTURE),  # a program's text that begins as some textual formats do
    ("support|not implemented", "of a kind that is not supported: {}"),
    ("too large|text chunks", "damaged: its remarks unpack to more than they may"),
    ("data stream|decod|overrun|cannot load|next frame|not enough image", _UNDECODABLE),
)
_SIGNATURES = (
    (b"\xff\xd8", 0, "JPEG"),
    (b"\x89PN", 0, "PNG"),
    (b"GIF8", 0, "GIF"),
    (b"BM", 0, "BMP"),
    (b"II*\0", 0, "TIFF"),
    (b"MM\0*", 0, "TIFF"),
    (b"WEBP", 8, "WebP"),
    (b"ftypavi", 4, "AVIF"),
)
_OTHER_KINDS = (
    (b"%!PS", 0, "an EPS drawing, not pixels"),
    (b"%PDF", 0, "a PDF document, not a picture"),
    (b"ftypqt", 4, "a video, not a picture"),
    (b"ftypisom", 4, "a video, not a picture"),
    (b"ftypmp4", 4, "a video, not a picture"),
    (b"\x1aE\xdf\xa3", 0, "a video, not a picture"),
    (b"AVI ", 8, "a video, not a picture"),
)


def is_passing(reason: str) -> bool:
    """Whether the reason lies in the machine and not in the file: it may be gone next time."""
    return reason.startswith(CANNOT_BE_READ) or reason in (_TOO_LARGE_FOR_MEMORY, CHANGED)


def too_many_pixels(num_pixels: int, limit: float, of_what: str = "") -> str:
    """The reason of a picture that would need too much memory or time: "900 megapixels; the limit
    is 89"."""
    return f"{num_pixels / 1e6:,.0f} megapixels{of_what}; the limit is {limit / 1e6:.0f}"


def reason_of(error: Exception, beginning: bytes) -> str:
    """What an error of the decoders means for a file that begins like that."""
    message = " ".join(str(error).split())
    if isinstance(error, UnreadableImageError):
        return message
    if isinstance(error, UnidentifiedImageError):
        return _what_instead(beginning)
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        pixels = re.search(r"\((\d+) pixels\)", message)
        return too_many_pixels(int(pixels[1]) if pixels else 0, Image.MAX_IMAGE_PIXELS or 0)
    return _what_is_wrong(error, message)


def _what_is_wrong(error: Exception, message: str) -> str:
    if isinstance(error, MemoryError):
        return _TOO_LARGE_FOR_MEMORY
    if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
        return CANNOT_BE_READ + (error.strerror or message)  # the system's; of bytes only EINVAL
    for words, meaning in _MEANINGS:
        if re.search(words, message, re.IGNORECASE):
            return meaning.format(message)
    is_a_sentence = isinstance(error, OSError | ValueError) and message
    return f"damaged: {message}" if is_a_sentence else _UNDECODABLE


def _what_instead(beginning: bytes) -> str:
    """A better word than "not a picture" where the first bytes allow one."""
    if b"<svg" in beginning.lower():
        return "an SVG drawing, not pixels"
    for signature, start, name in _SIGNATURES:
        if beginning.startswith(signature, start):
            return f"damaged: the header says {name}, and there is no {name} picture behind it"
    for signature, start, kind in _OTHER_KINDS:
        if beginning.startswith(signature, start):
            return kind
    return _NO_PICTURE
