"""The reader as a graph: the same pixels as `read_image` gives, and refusals before decoding."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dlcli import backend
from dlcli.data.pixels import Color, PixelFormat, Resize, decode_image


@pytest.fixture(scope="module")
def tensorflow() -> Any:
    backend.prepare()
    return backend.tensorflow()


def picture(width: int = 150, height: int = 97, mode: str = "RGB") -> Image.Image:
    """Smooth colours with some noise, no two corners alike."""
    rng = np.random.default_rng(width * height)
    coarse = rng.integers(0, 256, (7, 9, 3), np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    noise = rng.integers(-12, 13, (height, width, 3))
    pixels = np.clip(np.asarray(image, np.int64) + noise, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


def encoded(image: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def oriented(orientation: int, kind: type = int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif[0x0112] = kind(orientation)
    return exif


def in_graph(tensorflow: Any, contents: list[bytes], pixel_format: PixelFormat) -> NDArray[Any]:
    from dlcli.export.picture_graph import decode_pictures

    graph = tensorflow.function(
        lambda contents: decode_pictures(contents, pixel_format),
        input_signature=[tensorflow.TensorSpec((None,), tensorflow.string)],
        autograph=False,
    )
    pixels: NDArray[Any] = graph(tensorflow.constant(contents)).numpy()
    return pixels


def assert_equal(tensorflow: Any, contents: list[bytes], pixel_format: PixelFormat) -> None:
    """Not alike: equal."""
    pixels = in_graph(tensorflow, contents, pixel_format)
    assert pixels.dtype == np.uint8
    for number, (found, content) in enumerate(zip(pixels, contents, strict=True)):
        expected = decode_image(content, pixel_format)
        np.testing.assert_array_equal(found, expected, str(number))


SIZES = [(150, 97), (97, 150), (32, 24), (20, 11), (601, 400), (1, 1), (3, 200), (1000, 40)]


@pytest.mark.parametrize("color", ["rgb", "grayscale"])
@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_sizes_and_shapes(tensorflow: Any, resize: Resize, color: Color) -> None:
    contents = [encoded(picture(*size), quality=95) for size in SIZES]
    contents += [encoded(picture(*size), "PNG") for size in SIZES]
    assert_equal(tensorflow, contents, PixelFormat((32, 24), resize, color))
    assert_equal(tensorflow, contents[:4], PixelFormat((24, 40), resize, color))


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_pictures_are_turned_by_exif(tensorflow: Any, resize: Resize) -> None:
    contents = [encoded(picture(500, 330), exif=oriented(orientation)) for orientation in range(10)]
    assert_equal(tensorflow, contents, PixelFormat((40, 64), resize))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_exif_of_either_byte_order_and_behind_other_segments(tensorflow: Any) -> None:
    plain = encoded(picture())
    entries = struct.pack(">HHHIHH", 1, 0x0112, 3, 1, 6, 0)
    big = b"Exif\0\0MM\0*" + struct.pack(">I", 8) + entries
    entries = struct.pack("<HHHIHH", 1, 0x0112, 3, 1, 8, 0)
    little = b"Exif\0\0II*\0" + struct.pack("<I", 8) + entries

    def with_segments(*segments: tuple[int, bytes]) -> bytes:
        parts = [struct.pack(">BBH", 0xFF, kind, len(body) + 2) + body for kind, body in segments]
        return plain[:2] + b"".join(parts) + plain[2:]

    contents = [
        with_segments((0xE1, big)),
        with_segments((0xE1, little)),
        with_segments((0xFE, b"a comment"), (0xE2, b"x" * 5000), (0xE1, big)),
        with_segments((0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"), (0xE1, little)),
    ]
    assert_equal(tensorflow, contents, PixelFormat((40, 40)))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("cut", [6, 9, 13, 16, 20])
def test_broken_exif_turns_nothing(tensorflow: Any, cut: int) -> None:
    plain = encoded(picture())
    body = (b"Exif\0\0MM\0*" + struct.pack(">I", 8) + struct.pack(">HHH", 9, 0x0112, 3))[:cut]
    content = plain[:2] + struct.pack(">BBH", 0xFF, 0xE1, len(body) + 2) + body + plain[2:]
    assert_equal(tensorflow, [content], PixelFormat((40, 40)))


def test_greys_palettes_transparency_and_animations(tensorflow: Any) -> None:
    alpha = picture().convert("RGBA")
    alpha.putalpha(picture(mode="L"))
    faint = picture(mode="L")
    faint.putalpha(picture(mode="L"))
    see_through = picture().convert("P", palette=Image.Palette.ADAPTIVE)
    frames = [picture(seed, 97).resize((150, 97)) for seed in (150, 151)]
    contents = [
        encoded(picture(mode="L")),
        encoded(picture(mode="L"), "PNG"),
        encoded(picture(mode="1"), "PNG"),
        encoded(alpha, "PNG"),
        encoded(faint, "PNG"),
        encoded(see_through, "PNG"),
        encoded(see_through, "PNG", transparency=3),
        encoded(picture(), "BMP"),
        encoded(picture(mode="L"), "BMP"),
        encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        encoded(picture(), progressive=True),
        encoded(picture(), subsampling=0),
    ]
    for color in ("rgb", "grayscale"):
        assert_equal(tensorflow, contents, PixelFormat((48, 48), "crop", color))


def huge_png() -> bytes:
    """A few bytes that say 50,000 x 50,000."""
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(9))), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def huge_jpeg() -> bytes:
    content = bytearray(encoded(picture(64, 64)))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", 60_000, 60_000)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "JPEG, PNG, GIF and BMP"),
        (b"GI", "JPEG, PNG, GIF and BMP"),
        (b"hello, I am a text", "JPEG, PNG, GIF and BMP"),
        (encoded(picture(), "TIFF"), "JPEG, PNG, GIF and BMP"),
        (huge_png(), "the limit is"),
        (huge_jpeg(), "the limit is"),
        (b"GIF89a" + struct.pack("<HH", 60_000, 60_000) + bytes(20), "the limit is"),
        (b"BM" + bytes(16) + struct.pack("<ii", 60_000, -60_000) + bytes(40), "the limit is"),
        (encoded(picture())[:400], ""),
        (encoded(picture(), "PNG")[:400], ""),
    ],
)
def test_what_cannot_be_served_is_refused(tensorflow: Any, content: bytes, sentence: str) -> None:
    with pytest.raises(tensorflow.errors.InvalidArgumentError) as caught:
        in_graph(tensorflow, [content], PixelFormat((32, 32)))
    assert sentence in str(caught.value)


def test_an_empty_batch_has_no_pictures(tensorflow: Any) -> None:
    from dlcli.export.picture_graph import decode_pictures

    empty = tensorflow.constant([], tensorflow.string)
    assert decode_pictures(empty, PixelFormat((8, 6))).shape == (0, 8, 6, 3)
