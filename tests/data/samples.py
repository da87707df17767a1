"""Sound files of every format, to be damaged."""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image, PngImagePlugin

from tests.data import heic
from tests.data.pictures import encode, noise, turned

FORMS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIC")
TIFF_COMPRESSIONS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma")


@functools.cache
def make_samples() -> dict[str, list[bytes]]:
    """Sound files of each format, of a few kilobytes at most."""
    picture, grey = noise(40, 30), noise(40, 30).convert("L")
    frames = {"save_all": True, "append_images": [noise(40, 30, 1), noise(40, 30, 2)]}
    alpha = picture.convert("RGBA")
    alpha.putalpha(grey)
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    text = PngImagePlugin.PngInfo()
    text.add(b"noTe", bytes(3000), after_idat=True)
    return {
        "JPEG": [
            turned(picture, 6, "JPEG"),
            encode(picture, "JPEG", progressive=True),
            encode(picture.convert("CMYK"), "JPEG"),
            encode(picture, "MPO", **frames),
        ],
        "PNG": [
            turned(picture, 8, "PNG", pnginfo=text),
            encode(picture.quantize(16), "PNG", transparency=3, pnginfo=text),
            encode(deep, "PNG", pnginfo=text),
            encode(alpha, "PNG", **frames),
        ],
        "WEBP": [
            turned(picture, 3, "WEBP"),
            encode(alpha, "WEBP", lossless=True),
            encode(picture, "WEBP", **frames),
        ],
        "GIF": [encode(picture, "GIF"), encode(picture, "GIF", transparency=3, **frames)],
        "TIFF": [
            *(encode(picture, "TIFF", compression=name) for name in TIFF_COMPRESSIONS),
            encode(grey.convert("1"), "TIFF", compression="group4"),
            encode(grey.convert("F"), "TIFF", compression="tiff_lzw"),
            encode(picture, "TIFF", compression="tiff_lzw", **frames),
        ],
        "BMP": [encode(picture, "BMP"), encode(picture.quantize(16), "BMP")],
        "AVIF": [
            turned(picture, 5, "AVIF"),
            encode(alpha, "AVIF"),
            encode(picture, "AVIF", **frames),
        ],
        "HEIC": [heic.PLAIN, heic.TURNED, heic.HALF_TRANSPARENT, heic.SECOND_IS_PRIMARY],
    }
