"""Why a picture cannot be used, in plain words."""

from __future__ import annotations

import errno
import struct

import pytest
from PIL import Image, UnidentifiedImageError

from dlcli.data.unreadable import (
    CANNOT_BE_READ,
    CHANGED,
    UnreadableImageError,
    is_passing,
    reason_of,
)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UnreadableImageError("why"), "why"),
        (UnidentifiedImageError(), "not a picture"),
        (OSError("image file is truncated (3 bytes not processed)"), "truncated: the file ends"),
        (OSError("Truncated File Read"), "truncated: the file ends"),
        (OSError("broken data stream when reading image file"), "pixels cannot be decoded"),
        (OSError("decoder error -2"), "pixels cannot be decoded"),
        (struct.error("unpack requires a buffer of 4 bytes"), "pixels cannot be decoded"),
        (KeyError(3), "pixels cannot be decoded"),
        (ValueError(), "pixels cannot be decoded"),
        (ValueError("invalid literal for int() with base 10: b'x'"), "not a picture"),
        (ValueError("Invalid dimensions"), "damaged: Invalid dimensions"),
        (ValueError("two\nlines\n"), "^damaged: two lines$"),
        (OSError("Unsupported BMP header type (16)"), "not supported: Unsupported BMP header type"),
        (Image.DecompressionBombError("(200000000 pixels)"), "200 megapixels; the limit is 89"),
        (MemoryError(), "too large for the memory"),
        (OSError("out of memory error when reading image file"), "too large for the memory"),
        (OSError(errno.EMFILE, "Too many open files"), "cannot be read: Too many open files"),
        (OSError(errno.EINVAL, "Invalid argument"), r"damaged: .*Invalid argument"),
    ],
)
def test_an_error_is_a_plain_sentence(error: Exception, reason: str) -> None:
    found = reason_of(error, b"")
    with pytest.raises(UnreadableImageError, match=reason):
        raise UnreadableImageError(found)


@pytest.mark.parametrize(
    ("beginning", "reason"),
    [
        (b"\xff\xd8\xff", "damaged: the header says JPEG, and there is no JPEG picture behind it"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "damaged: the header says WebP, and there is no WebP picture"),
        (b"\0\0\0\x1cftypavif", "damaged: the header says AVIF"),
        (b"MM\0*", "damaged: the header says TIFF"),
        (b"\n<SVG>", "an SVG drawing, not pixels"),
        (b"%PDF-1.7", "a PDF document, not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "an EPS drawing, not pixels"),
        (b"\0\0\0\x20ftypisom", "a video, not a picture"),
        (b"\0\0\0\x14ftypqt  ", "a video, not a picture"),
        (b"\x1aE\xdf\xa3\x01", "a video, not a picture"),
        (b"plain text", "not a picture"),
        (b"", "not a picture"),
    ],
)
def test_what_is_no_picture_is_called_by_its_name(beginning: bytes, reason: str) -> None:
    assert reason_of(UnidentifiedImageError(), beginning).startswith(reason)


@pytest.mark.parametrize(
    ("reason", "passing"),
    [
        (CANNOT_BE_READ + "Input/output error", True),
        (CHANGED, True),
        ("too large for the memory", True),
        ("truncated: the file ends before the picture does", False),
        ("900 megapixels; the limit is 89", False),
    ],
)
def test_only_what_lies_in_the_machine_may_pass(reason: str, passing: bool) -> None:
    assert is_passing(reason) is passing
