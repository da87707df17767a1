"""Whether a file's name says what the file holds."""

from __future__ import annotations

import functools
import os
import re

from PIL import Image

_SUFFIXES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".hif": "HEIF",
    ".mpo": "JPEG",
    ".jif": "JPEG",
}
"""The common ones, for which Pillow's many plugins need not be loaded, and some that it lacks."""

_FAMILIES = {"MPO": "JPEG", "DIB": "BMP", "CUR": "ICO", "AVIF": "HEIF"}
"""Formats that go by each other's suffixes: a photo with a preview behind it (MPO) is a .jpg, and
AVIF and HEIC share one container, whose common suffix is .heif."""

_SUFFIX = re.compile(r"\.[a-z][a-z0-9]{0,7}")
"""What counts as a suffix: neither the end of "IMG.2021" nor that of "no. 7 (old)"."""


def has_wrong_suffix(path: str, image_format: str) -> bool:
    """Whether the name ends in a suffix that does not belong to `image_format`, Pillow's name of
    what the file holds. A name without a suffix says nothing wrong."""
    suffix = os.path.splitext(path)[1].lower()
    if not _SUFFIX.fullmatch(suffix):
        return False
    named = _SUFFIXES.get(suffix) or _registered().get(suffix, "")
    return _FAMILIES.get(named, named) != _FAMILIES.get(image_format, image_format)


@functools.cache
def _registered() -> dict[str, str]:
    return dict(Image.registered_extensions())
