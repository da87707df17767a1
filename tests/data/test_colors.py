"""Pictures of every mode -> colours and greys of 8 bits."""

from __future__ import annotations

import io
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from dlcli.data.colors import to_rgb
from dlcli.data.pixels import (
    Color,
    PixelFormat,
    Resize,
    UnreadableImageError,
    crop_box,
    decode_image,
)
from tests.conftest import needs_shared
from tests.data.pictures import (
    BLUE,
    GREEN,
    RED,
    RESIZES,
    SMALL,
    WHITE,
    colour,
    encode,
    grey_tiff,
    mean_difference,
    noise,
    png_chunk,
    raw_png,
    whole,
)
from tests.data.plain_png import read_png

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


def test_12_bit_greys_are_stretched_alike() -> None:
    values = [0, 4095, 2048, 1000]
    packed = b"".join(
        (one << 12 | other).to_bytes(3)
        for one, other in zip(values[::2], values[1::2], strict=True)
    )
    found = whole(grey_tiff(4, 1, 12, packed), 1, 4)
    assert found[0, :, 0].tolist() == [0, 255, 128, 62]


@pytest.mark.parametrize("bits", [8, 16])
def test_a_tiff_may_say_that_white_is_0(bits: int) -> None:
    values = np.array([0, 2**bits - 1, 2**bits // 5], "<u1" if bits == 8 else "<u2")
    found = whole(grey_tiff(3, 1, bits, values.tobytes(), white_is_zero=True), 1, 3)
    assert found[0, :, 0].tolist() == [255, 0, 204]


def test_a_dark_picture_with_16_bits_stays_dark() -> None:
    """In a mode for 32 bits, where values up to 255 are taken for 8 of them."""
    values = np.array([[0, 255, 200]], ">u2")
    found = whole(b"P5 3 1 65535\n" + values.tobytes(), 1, 3)
    assert found[0, :, 0].tolist() == [0, 1, 1]


@pytest.mark.parametrize("color", ["rgb", "grayscale"])
def test_one_16_bit_grey_may_stand_for_transparency(color: Color) -> None:
    values = np.array([0, 1, 257, 65535], ">u2")
    packed = zlib.compress(b"\0" + values.tobytes())
    content = raw_png((4, 1, 16, 0), packed, png_chunk(b"tRNS", struct.pack(">H", 1)))
    found = decode_image(content, PixelFormat((1, 4), "stretch", color))
    assert found[0, :, 0].tolist() == [0, 255, 1, 255]


def test_one_colour_with_16_bits_a_channel_may_stand_for_transparency() -> None:
    """Of whose pixels Pillow keeps the upper 8 bits, and of the colour the lower ones."""
    key = (0x8001, 0x4002, 0x2003)
    values = np.array([key, (0x0101, 0x0202, 0x0303), (0, 0, 0)], ">u2")
    packed = zlib.compress(b"\0" + values.tobytes())
    content = raw_png((3, 1, 16, 2), packed, png_chunk(b"tRNS", struct.pack(">3H", *key)))
    assert whole(content, 1, 3)[0].tolist() == [[255, 255, 255], [1, 2, 3], [0, 0, 0]]


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


def test_a_large_float_picture_is_scaled_by_the_range_of_all_of_it() -> None:
    """It is scaled some rows at a time, each of them by the same range."""
    values = np.linspace(-5, 5, 1500 * 1000, dtype=np.float32).reshape(1500, 1000)
    expected = np.rint((values.astype(np.float64) + 5) * 25.5)
    grey = np.asarray(to_rgb(Image.fromarray(values)))[..., 0]
    assert np.abs(grey - expected).max() <= 1
    assert (grey.min(), grey.max()) == (0, 255)


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


def test_a_picture_in_rgb_is_not_copied() -> None:
    image = noise(9, 9)
    assert to_rgb(image) is image


def test_a_profile_is_not_applied() -> None:
    """The numbers count, whatever colours they stand for."""
    image = noise(40, 30)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    content = encode(image, "PNG", icc_profile=profile)
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.info["icc_profile"] == profile
    np.testing.assert_array_equal(whole(content, 30, 40), np.asarray(image))


def test_gamma_is_not_applied() -> None:
    packed = zlib.compress(b"\0" + bytes([0, 100, 255]))
    content = raw_png((3, 1, 8, 0), packed, png_chunk(b"gAMA", struct.pack(">I", 100_000)))
    assert whole(content, 1, 3)[0, :, 0].tolist() == [0, 100, 255]


# --- independent decoders ---


def test_pngs_of_every_kind_have_the_pixels_of_a_second_decoder() -> None:
    """Every bit depth and kind of colour, interlaced and not, with palettes and transparency; a
    level apart where 16 bits a channel become 8 by leaving the lower ones out."""
    files = sorted(needs_shared("hostile", "pngsuite").glob("[!x]*.png"))
    assert len(files) == 161
    for file in files:
        content = file.read_bytes()
        meant = read_png(content)
        found = whole(content, *meant.shape[:2])
        alpha = meant[..., 3:] / 65535
        expected = meant[..., :3] / 257 * alpha + 255 * (1 - alpha)
        most = 1 if is_16_bit(content) else 0.5
        assert np.abs(found - expected).max() <= most, file.name


def is_16_bit(content: bytes) -> bool:
    return content[24] == 16


def test_what_pillow_reads_it_reads_alike() -> None:
    """Its own colours and transparency; greys of 16 bits it would cut off at 255."""
    files = sorted(needs_shared("hostile", "pillow", "ok").glob("*"))
    num_compared = 0
    for file in files:
        with Image.open(file) as image:
            if image.mode.startswith("I"):
                continue
            meant = np.asarray(image.convert("RGBA")).astype(float)
        found = whole(file.read_bytes(), *meant.shape[:2])
        alpha = meant[..., 3:] / 255
        expected = meant[..., :3] * alpha + 255 * (1 - alpha)
        assert np.abs(found - expected).max() <= 0.51, file.name
        num_compared += 1
    assert num_compared == len(files) - 4 == 32


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
