"""Files -> pixels: which way up, which part, of what size; and every path that is no picture."""

from __future__ import annotations

import io
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from dlcli.data.picture_formats import opened_image
from dlcli.data.pixels import (
    PixelFormat,
    Resize,
    UnreadableImageError,
    crop_box,
    decode_image,
    lies_sideways,
    open_image,
    read_image,
)
from tests.conftest import needs_shared
from tests.data import heic
from tests.data.pictures import (
    BLUE,
    GREEN,
    GREY,
    RED,
    RESIZES,
    SMALL,
    STORED,
    WHITE,
    colour,
    encode,
    lying,
    mean_difference,
    noise,
    pixels_or_reason,
    turned,
    whole,
)

ORIENTATION_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{}"/></rdf:RDF></x:xmpmeta>'
)

# --- orientation ---


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_is_turned_upright(orientation: int, form: str, resize: Resize) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    upright = noise(60, 40)
    pixel_format = PixelFormat((32, 44), resize)
    found = decode_image(turned(upright, orientation, form, **options), pixel_format)
    expected = decode_image(encode(upright, "PNG"), pixel_format)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("form", ["JPEG", "AVIF"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_large_turned_photo_is_the_full_picture_resized(
    orientation: int, form: str, resize: Resize
) -> None:
    upright = noise(450, 300) if form == "JPEG" else noise(90, 60)
    options: dict[str, object] = {"quality": 95} | ({} if form == "JPEG" else {"speed": 10})
    pixel_format = PixelFormat((40, 64), resize)
    found = decode_image(turned(upright, orientation, form, **options), pixel_format)
    expected = decode_image(encode(upright, "PNG"), pixel_format)
    assert mean_difference(found, expected) < 2


@pytest.mark.parametrize("resize", RESIZES)
def test_the_same_photo_in_eight_orientations_gives_the_same_picture(resize: Resize) -> None:
    files = sorted(needs_shared("hostile", "exif_orientation").glob("*.jpg"))
    assert len(files) == 8
    pictures = [read_image(file, PixelFormat(resize=resize)) for file in files]
    differences = [mean_difference(pictures[0], other) for other in pictures]
    assert max(differences) < 4


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_header_tells_which_side_is_up(orientation: int, form: str, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(turned(noise(60, 40), orientation, form))
    with open_image(path) as image:
        height, width = image.size if lies_sideways(image) else image.size[::-1]
    assert (height, width) == (40, 60)


def test_a_heic_is_upright_from_the_beginning() -> None:
    pytest.importorskip("pi_heif")
    with opened_image(io.BytesIO(heic.TURNED)) as image:
        assert (image.size, lies_sideways(image)) == ((48, 32), False)


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
@pytest.mark.parametrize("orientation", STORED)
def test_xmp_tells_the_orientation_where_exif_does_not(orientation: int, form: str) -> None:
    """Some programs for photos write only that."""
    options: dict[str, object] = {"lossless": True}
    xmp = ORIENTATION_XMP.format(orientation).encode()
    upright = noise(60, 40)
    if form == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        options = {"pnginfo": text}
    else:
        options["xmp"] = xmp
    content = encode(lying(upright, orientation), form, **options)
    np.testing.assert_array_equal(whole(content, 40, 60), np.asarray(upright))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_picture_with_damaged_exif_is_still_a_picture(form: str) -> None:
    assert pixels_or_reason(encode(noise(40, 40), form, exif=b"Exif\0\0no TIFF header here"))


def test_a_picture_is_turned_whatever_else_its_exif_says() -> None:
    """The maker's name as a fraction: Pillow reads the orientation, and cannot write the rest."""
    entries = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack(">HHII", 0x010F, 5, 1, 38)
    tags = struct.pack(">H", 2) + entries + bytes(4)
    exif = b"Exif\0\0MM\0*" + struct.pack(">I", 8) + tags + struct.pack(">II", 72, 1)
    upright = noise(60, 40)
    content = encode(lying(upright, 6), "PNG", exif=exif)
    np.testing.assert_array_equal(whole(content, 40, 60), np.asarray(upright))


# --- which picture ---


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_the_first_frame_counts(form: str) -> None:
    frames = [Image.new("RGB", (20, 20), frame) for frame in (RED, BLUE, GREEN)]
    options = {"GIF": {}, "WEBP": {"lossless": True}, "AVIF": {"quality": 100}}.get(form, {})
    content = encode(frames[0], form, save_all=True, append_images=frames[1:], **options)
    with Image.open(io.BytesIO(content)) as image:
        assert image.n_frames == 3
    found = decode_image(content, SMALL)
    assert mean_difference(found, np.full_like(found, RED)) < 1


def test_the_photo_of_an_mpo_counts() -> None:
    photo, preview = noise(60, 40), Image.new("RGB", (30, 20), BLUE)
    content = encode(photo, "MPO", save_all=True, append_images=[preview], quality=95)
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.n_frames) == ("MPO", 2)
    assert mean_difference(whole(content, 40, 60), np.asarray(photo)) < 3


@pytest.mark.parametrize("form", ["ICO", "ICNS"])
def test_the_largest_icon_counts(form: str) -> None:
    icons = [Image.new("RGBA", (size, size), "red") for size in (16, 32)]
    largest = Image.new("RGBA", (128, 128), "lime")
    sizes = {"sizes": [(16, 16), (32, 32), (128, 128)]} if form == "ICO" else {}
    content = encode(largest, form, append_images=icons, **sizes)
    assert colour(content) == GREEN


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


# --- what is no file ---


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
