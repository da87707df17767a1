"""Files -> pixels: every kind of picture, and everything that is none."""

from __future__ import annotations

import io
import os
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from dlcli.data.pixels import (
    PixelFormat,
    Resize,
    UnreadableImageError,
    crop_box,
    decode_image,
    read_image,
)
from tests.conftest import needs_shared

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


def encode(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """Coarse colours, so that neither JPEG nor a resize changes them much."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def turned(image: Image.Image, orientation: int, form: str, **options: object) -> bytes:
    stored = STORED[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = image if stored is None else image.transpose(stored)
    return encode(image, form, exif=exif, **options)


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


# --- orientation ---


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_is_turned_upright(orientation: int, form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    upright = noise(60, 40)
    pixel_format = PixelFormat((32, 48))
    found = decode_image(turned(upright, orientation, form, **options), pixel_format)
    expected = decode_image(encode(upright, "PNG"), pixel_format)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("orientation", STORED)
def test_a_large_turned_jpeg_is_the_full_picture_resized(orientation: int, resize: Resize) -> None:
    upright = noise(900, 600)
    pixel_format = PixelFormat((40, 64), resize)
    found = decode_image(turned(upright, orientation, "JPEG", quality=95), pixel_format)
    expected = decode_image(encode(upright, "PNG"), pixel_format)
    assert mean_difference(found, expected) < 2


def test_the_same_photo_in_eight_orientations_gives_the_same_picture() -> None:
    files = sorted(needs_shared("hostile", "exif_orientation").glob("*.jpg"))
    assert len(files) == 8
    pictures = [read_image(file, PixelFormat()) for file in files]
    differences = [mean_difference(pictures[0], other) for other in pictures]
    assert max(differences) < 4


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_picture_with_damaged_exif_is_still_a_picture(form: str) -> None:
    assert pixels_or_reason(encode(noise(40, 40), form, exif=b"Exif\0\0no TIFF header here"))


# --- modes ---


def test_cmyk_becomes_rgb() -> None:
    red = Image.new("CMYK", (20, 20), (0, 255, 255, 0))
    assert colour(encode(red, "TIFF")) == RED
    found = decode_image(encode(red, "JPEG", quality=95), SMALL)
    assert mean_difference(found, np.full_like(found, RED)) < 4


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("LA", (100, 255), (100, 100, 100)),
        ("LA", (100, 0), WHITE),
        ("LA", (0, 51), (204, 204, 204)),
        ("RGBA", (255, 0, 0, 255), RED),
        ("RGBA", (255, 0, 0, 0), WHITE),
        ("RGBA", (255, 0, 0, 51), (255, 204, 204)),
    ],
)
def test_transparency_is_laid_over_white(
    mode: str, value: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert colour(encode(Image.new(mode, (20, 20), value), "PNG")) == expected


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_a_palette_gives_its_colours(form: str) -> None:
    image = Image.new("P", (20, 20), 1)
    image.putpalette([*GREEN, *BLUE])
    assert colour(encode(image, form)) == BLUE
    assert colour(encode(image, form, transparency=1)) == WHITE
    assert colour(encode(image, form, transparency=0)) == BLUE


def test_a_transparent_colour_is_laid_over_white() -> None:
    assert colour(encode(Image.new("RGB", (9, 9), RED), "PNG", transparency=RED)) == WHITE


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize(("value", "grey"), [(0, 0), (257, 1), (100 * 257, 100), (65535, 255)])
def test_16_bit_greys_are_divided_by_257(form: str, value: int, grey: int) -> None:
    image = Image.fromarray(np.full((20, 20), value, np.uint16))
    assert image.mode == "I;16"
    assert colour(encode(image, form)) == (grey,) * 3


@pytest.mark.parametrize(
    ("mode", "values", "greys"),
    [
        ("I", [0, 100, 255], [0, 100, 255]),
        ("I", [0, 257, 65535], [0, 1, 255]),
        ("I", [0, 500_000, 1_000_000], [0, 128, 255]),
        ("I", [-100, 0, 100], [0, 128, 255]),
        ("F", [0, 0.2, 1], [0, 51, 255]),
        ("F", [0, 100, 255], [0, 100, 255]),
        ("F", [0, 25_700, 65535], [0, 100, 255]),
        ("F", [-1, 0, 1], [0, 128, 255]),
        ("F", [0, 1e30, 2e30], [0, 128, 255]),
        ("F", [np.nan, np.inf, 1], [0, 0, 255]),
    ],
)
def test_32_bit_values_are_scaled_by_their_range(
    mode: str, values: list[float], greys: list[int]
) -> None:
    rows = np.repeat(np.array(values, np.int32 if mode == "I" else np.float32), 20)
    image = Image.fromarray(np.tile(rows[:, None], (1, 20)))
    assert image.mode == mode
    pixels = decode_image(encode(image, "TIFF"), PixelFormat((60, 20), "stretch"))
    for band, grey in enumerate(greys):
        middle = pixels[band * 20 + 10]
        assert abs(middle.astype(int) - grey).max() <= 1


def test_one_bit_is_black_and_white() -> None:
    assert colour(encode(Image.new("1", (20, 20), 1), "PNG")) == WHITE
    assert colour(encode(Image.new("1", (20, 20), 0), "TIFF")) == (0, 0, 0)


def test_lab_becomes_rgb() -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = Image.new("RGB", (20, 20), (200, 60, 30))
    converted = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    assert converted is not None
    found = colour(encode(converted, "TIFF"))
    assert np.abs(np.subtract(found, (200, 60, 30))).max() <= 4


def test_a_grey_jpeg_has_three_equal_channels() -> None:
    pixels = decode_image(encode(noise(300, 200).convert("L"), "JPEG"), SMALL)
    assert (pixels == pixels[..., :1]).all()
    assert pixels.std() > 10


# --- grey pixels ---


GREY_FORMATS = [PixelFormat((32, 40), resize, "grayscale") for resize in RESIZES]


def test_a_format_says_its_channels() -> None:
    assert PixelFormat().color == "rgb"
    assert PixelFormat().num_channels == 3
    assert PixelFormat(color="grayscale").num_channels == 1


@pytest.mark.parametrize("pixel_format", GREY_FORMATS, ids=RESIZES)
@pytest.mark.parametrize(
    ("form", "options"), [("PNG", {}), ("TIFF", {}), ("JPEG", {"quality": 95})]
)
def test_a_grey_picture_comes_through_as_it_is(
    pixel_format: PixelFormat, form: str, options: dict[str, object]
) -> None:
    content = encode(noise(36, 30).convert("L"), form, **options)
    height, width = pixel_format.image_size
    with Image.open(io.BytesIO(content)) as stored:
        if pixel_format.resize == "stretch":
            expected = stored.resize((width, height), Image.Resampling.BILINEAR)
        elif pixel_format.resize == "crop":
            box = crop_box(stored.height, stored.width, pixel_format.image_size)
            expected = stored.resize((width, height), Image.Resampling.BILINEAR, box=box)
        else:
            expected = Image.new("L", (width, height), 127)
            expected.paste(stored.resize((38, 32), Image.Resampling.BILINEAR), (1, 0))
    found = decode_image(content, pixel_format)
    assert found.shape == (32, 40, 1)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found[..., 0], np.asarray(expected))


def test_every_grey_level_is_kept() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pixel_format = PixelFormat((16, 16), color="grayscale")
    for image in (Image.fromarray(levels), Image.fromarray(np.dstack([levels] * 3))):
        found = decode_image(encode(image, "PNG"), pixel_format)
        np.testing.assert_array_equal(found[..., 0], levels)


@pytest.mark.parametrize(
    ("image", "options", "luma"),
    [
        (Image.new("RGB", (20, 20), RED), {}, 76),
        (Image.new("RGB", (20, 20), GREEN), {}, 150),
        (Image.new("RGB", (20, 20), BLUE), {}, 29),
        (Image.new("RGBA", (20, 20), (255, 0, 0, 0)), {}, 255),
        (Image.new("RGBA", (20, 20), (0, 0, 0, 51)), {}, 204),
        (Image.new("LA", (20, 20), (0, 51)), {}, 204),
        (Image.new("L", (20, 20), 9), {"transparency": 9}, 255),
        (Image.new("1", (20, 20), 1), {}, 255),
        (Image.fromarray(np.full((20, 20), 100 * 257, np.uint16)), {}, 100),
    ],
)
def test_grey_is_the_luma_of_the_finished_colours(
    image: Image.Image, options: dict[str, object], luma: int
) -> None:
    found = decode_image(encode(image, "PNG", **options), PixelFormat((8, 8), color="grayscale"))
    assert found.shape == (8, 8, 1)
    assert (found == luma).all()


def test_a_grey_picture_is_padded_with_grey() -> None:
    content = encode(Image.new("L", (64, 32), 3), "PNG")
    found = decode_image(content, PixelFormat((32, 32), "pad", "grayscale"))
    assert (found[8:24] == 3).all()
    assert (found[:8] == 127).all()
    assert (found[24:] == 127).all()


@pytest.mark.parametrize("resize", RESIZES)
def test_a_large_colour_jpeg_has_the_luma_of_its_colours(resize: Resize) -> None:
    """Saturated colours: the luma a JPEG stores is not that of the colours it stands for."""
    bright = np.random.default_rng(0).choice([0, 255], (5, 7, 3)).astype(np.uint8)
    image = Image.fromarray(bright).resize((900, 600), Image.Resampling.NEAREST)
    content = encode(image, "JPEG", quality=80)
    found = decode_image(content, PixelFormat((300, 450), resize, "grayscale"))
    colours = decode_image(content, PixelFormat((300, 450), resize))
    expected = np.asarray(Image.fromarray(colours).convert("L"))
    assert np.abs(found[..., 0].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("resize", RESIZES)
def test_the_thinnest_grey_picture_is_a_picture(resize: Resize) -> None:
    content = encode(Image.new("L", (1, 3000), 255), "PNG")
    found = decode_image(content, PixelFormat((40, 64), resize, "grayscale"))
    assert found.shape == (40, 64, 1)
    assert (found == 255).any()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_whatever_is_read_in_colour_is_read_in_grey() -> None:
    files = [path for path in sorted(needs_shared("hostile").rglob("*")) if path.is_file()]
    num_read = 0
    for path in files:
        content = path.read_bytes()
        try:
            colours = decode_image(content, SMALL)
        except UnreadableImageError as error:
            with pytest.raises(UnreadableImageError, match=re.escape(str(error))):
                decode_image(content, PixelFormat((32, 32), color="grayscale"))
            continue
        found = decode_image(content, PixelFormat((32, 32), color="grayscale"))
        assert found.shape == (32, 32, 1)
        luma = np.asarray(Image.fromarray(colours).convert("L"))
        assert np.abs(found[..., 0].astype(int) - luma).max() <= 2
        num_read += 1
    assert num_read > 150


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_counts(form: str) -> None:
    frames = [Image.new("RGB", (20, 20), frame) for frame in (RED, BLUE, GREEN)]
    options = {"lossless": True} if form == "WEBP" else {}
    content = encode(frames[0], form, save_all=True, append_images=frames[1:], **options)
    with Image.open(io.BytesIO(content)) as image:
        assert image.n_frames == 3
    assert colour(content) == RED


def test_the_content_and_not_the_suffix_tells_the_format(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode(Image.new("RGB", (9, 9), GREEN), "PNG"))
    assert (read_image(path, SMALL) == GREEN).all()


# --- geometry ---


@settings(derandomize=True, deadline=None, database=None, max_examples=300)
@given(
    height=st.integers(1, 5000),
    width=st.integers(1, 5000),
    image_size=st.tuples(st.integers(32, 1024), st.integers(32, 1024)),
)
def test_the_crop_is_the_largest_centred_box_of_the_right_shape(
    height: int, width: int, image_size: tuple[int, int]
) -> None:
    left, top, right, bottom = crop_box(height, width, image_size)
    box_width, box_height = right - left, bottom - top
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert box_width == width or box_height == height
    assert abs(left - (width - right)) <= 1
    assert abs(top - (height - bottom)) <= 1
    wanted_height, wanted_width = image_size
    exact = (height * wanted_width / wanted_height, width * wanted_height / wanted_width)
    assert abs(box_width - max(1, min(width, exact[0]))) <= 0.5
    assert abs(box_height - max(1, min(height, exact[1]))) <= 0.5


def test_crop_keeps_the_middle() -> None:
    image = Image.new("RGB", (96, 32), RED)
    image.paste(GREEN, (32, 0, 64, 32))
    assert colour(encode(image, "PNG")) == GREEN


def test_pad_keeps_all_on_grey() -> None:
    content = encode(Image.new("RGB", (64, 32), GREEN), "PNG")
    pixels = decode_image(content, PixelFormat((32, 32), "pad"))
    assert (pixels[8:24] == GREEN).all()
    assert (pixels[:8] == GREY).all()
    assert (pixels[24:] == GREY).all()


def test_stretch_keeps_all_and_ignores_the_shape() -> None:
    image = Image.new("RGB", (100, 20), RED)
    image.paste(BLUE, (50, 0, 100, 20))
    pixels = decode_image(encode(image, "PNG"), PixelFormat((32, 32), "stretch"))
    assert (pixels[:, :14] == RED).all()
    assert (pixels[:, 18:] == BLUE).all()


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (2, 999)])
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_the_thinnest_picture_is_a_picture(
    size: tuple[int, int], resize: Resize, form: str
) -> None:
    pixels = decode_image(
        encode(Image.new("RGB", size, WHITE), form), PixelFormat((40, 64), resize)
    )
    assert pixels.shape == (40, 64, 3)
    assert (pixels == 255).any()


# --- what is no picture ---


def big_png(side: int) -> bytes:
    """A valid black 1-bit PNG that is far smaller than its pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    packer = zlib.compressobj(1)
    row = bytes(1 + (side + 7) // 8)
    packed = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("side", "megapixels"), [(30_000, "900"), (10_000, "100")])
def test_a_bomb_is_refused_by_its_size(side: int, megapixels: str) -> None:
    content = big_png(side)
    assert len(content) < 1_000_000
    decode_image(encode(noise(9, 9), "PNG"), SMALL)
    warnings.simplefilter("ignore")  # any program around may do so; pytest puts it back
    with pytest.raises(UnreadableImageError, match=f"^{megapixels} megapixels; the limit is 89$"):
        decode_image(content, SMALL)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "^an empty file$"),
        (b"not a picture at all\n" * 20, "^not a picture$"),
        (b"\0" * 500, "^not a picture$"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "^not a picture$"),
        (b"\xff\xd8 and no more", "header of a JPEG file"),
        (b"\x89PNG\r\n\x1a\n", "header of a PNG file"),
        (encode(noise(200, 200), "JPEG")[:-800], "^truncated"),
        (encode(noise(200, 200), "PNG")[:-800], "^truncated"),
        (encode(noise(200, 200), "GIF")[:-800], "^truncated"),
        (encode(noise(200, 200), "BMP")[:-800], "^truncated"),
    ],
    ids=["empty", "text", "zeros", "svg", "eps", "jpeg header", "png header"]
    + [f"cut {form}" for form in ("jpeg", "png", "gif", "bmp")],
)
def test_what_is_no_picture_has_a_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match=reason):
        read_image(path, SMALL)


def make_folder(path: Path) -> None:
    path.mkdir()


def make_dangling_link(path: Path) -> None:
    path.symlink_to(path.with_name("gone.jpg"))


def make_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def make_nothing(path: Path) -> None:
    assert not path.exists()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_nothing, "^no such file$"),
        (make_folder, "^a folder, not a picture$"),
        (make_dangling_link, "^a link that leads nowhere$"),
        (make_link_to_itself, "^cannot be read: "),
    ],
)
def test_what_is_no_file_has_a_reason(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / "photo.jpg"
    make(path)
    with pytest.raises(UnreadableImageError, match=reason):
        read_image(path, SMALL)


@pytest.mark.parametrize("path", ["a\0b.jpg", "x" * 5000, ""])
def test_an_impossible_path_has_a_reason(path: str) -> None:
    with pytest.raises(UnreadableImageError, match=r"cannot be read|no such file"):
        read_image(path, SMALL)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    os.mkfifo(path)
    reasons = []

    def read() -> None:
        try:
            read_image(path, SMALL)
        except UnreadableImageError as error:
            reasons.append(str(error))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(30)
    assert reasons == ["not a regular file"]


# --- hostile and damaged files ---


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_hostile_file_gives_pixels_or_a_reason() -> None:
    files = [path for path in sorted(needs_shared("hostile").rglob("*")) if path.is_file()]
    readable = {path for path in files if pixels_or_reason(path.read_bytes())}
    assert len(files) > 200
    assert 150 < len(readable) < len(files)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_known_to_be_sound_is_read() -> None:
    folder = needs_shared("hostile")
    sound = [*folder.glob("pillow/ok/*"), *folder.glob("pngsuite/[!x]*.png")]
    refused = [path.name for path in sound if not pixels_or_reason(path.read_bytes())]
    assert len(sound) > 190
    assert refused == []


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, and now and then a piece cut out or the end cut off."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 9)):
        changed[rng.integers(len(changed))] = rng.integers(256)
    start, end = sorted(rng.integers(0, len(changed), 2))
    match rng.integers(4):
        case 0:
            del changed[start:]
        case 1:
            del changed[start:end]
        case _:
            pass
    return bytes(changed)


def damage(form: str, times: int) -> None:
    content = encode(noise(40, 30), form)
    rng = np.random.default_rng(len(form) + times)
    readable = sum(pixels_or_reason(damaged(content, rng)) for _ in range(times))
    assert readable < times


DAMAGED_FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("form", DAMAGED_FORMATS)
def test_damaged_bytes_give_pixels_or_a_reason(form: str) -> None:
    damage(form, 50)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("form", DAMAGED_FORMATS)
def test_many_damaged_bytes_give_pixels_or_a_reason(form: str) -> None:
    damage(form, 334)
