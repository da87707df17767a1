"""How many frames and pages: counted rightly, and never for long."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from dlcli.data.frames import MOST_FRAMES, count_frames
from dlcli.data.picture_formats import opened_image
from dlcli.data.pixels import open_image
from tests.conftest import needs_shared
from tests.data.heic import PLAIN, SECOND_IS_PRIMARY
from tests.data.pictures import encode, noise, png_chunk, raw_png

ANIMATED = ("GIF", "PNG", "WEBP", "TIFF", "AVIF")
GIF_FRAME = b"\x2c" + struct.pack("<4HB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\0"


def frames_of(content: bytes) -> int:
    with opened_image(io.BytesIO(content)) as image:
        return count_frames(image)


def animation(form: str, num_frames: int) -> bytes:
    frames = [noise(20, 20, seed) for seed in range(num_frames)]
    return encode(frames[0], form, save_all=True, append_images=frames[1:])


def gif(frames: bytes) -> bytes:
    return b"GIF89a" + struct.pack("<2H3B", 1, 1, 0x80, 0, 0) + bytes(6) + frames


def tiff(directories: list[bytes], *, big: bool = False) -> bytes:
    """A chain of directories behind a sound picture of one pixel."""
    form, count, entry = ("<Q", "<Q", "<HHQQ") if big else ("<I", "<H", "<HHII")
    tags = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 16, 277: 1, 278: 1, 279: 1}
    entries = b"".join(struct.pack(entry, tag, 4, 1, value) for tag, value in tags.items())
    header = b"II+\0\x08\0\0\0" if big else b"II*\0"
    content = header + struct.pack(form, 24) + bytes(24 - len(header) - struct.calcsize(form))
    content += struct.pack(count, len(tags)) + entries
    for directory in directories:
        content += struct.pack(form, len(content) + struct.calcsize(form)) + directory
    return content + struct.pack(form, 0)


@pytest.mark.parametrize("form", ANIMATED)
@pytest.mark.parametrize("num_frames", [1, 2, 7])
def test_every_frame_counts(form: str, num_frames: int) -> None:
    assert frames_of(animation(form, num_frames)) == num_frames


@pytest.mark.parametrize("form", ["JPEG", "BMP", "PPM", "TGA", "ICO"])
def test_a_picture_is_one(form: str) -> None:
    assert frames_of(encode(noise(20, 20), form)) == 1


def test_a_photo_with_a_preview_is_one_picture() -> None:
    photo = encode(noise(40, 40), "MPO", save_all=True, append_images=[noise(20, 20)])
    with opened_image(io.BytesIO(photo)) as image:
        assert (image.format, count_frames(image)) == ("MPO", 1)


def test_pictures_in_one_heic_count() -> None:
    pytest.importorskip("pi_heif")
    assert frames_of(PLAIN) == 1
    assert frames_of(SECOND_IS_PRIMARY) == 2


@pytest.mark.parametrize("big", [False, True])
def test_pages_are_counted_in_both_kinds_of_tiff(big: bool) -> None:
    empty = struct.pack("<Q" if big else "<H", 0)
    assert frames_of(tiff([], big=big)) == 1
    assert frames_of(tiff([empty] * 3, big=big)) == 4


def test_the_picture_can_be_read_afterwards(tmp_path: Path) -> None:
    for form in ANIMATED:
        path = tmp_path / form
        path.write_bytes(animation(form, 3))
        with open_image(path) as image:
            assert count_frames(image) == 3
            before = image.copy()
            assert count_frames(image) == 3
        with Image.open(path) as expected:
            assert before.tobytes() == expected.tobytes()


def test_hostile_files_have_the_frames_that_pillow_finds() -> None:
    num_compared, num_animated = 0, 0
    for file in sorted(needs_shared("hostile", "pillow", "ok").glob("*")):
        found = frames_of(file.read_bytes())
        with Image.open(file) as image:
            assert found == getattr(image, "n_frames", 1), file.name
        num_compared += 1
        num_animated += found > 1
    assert (num_compared, num_animated) == (36, 8)


# --- what would keep Pillow busy for minutes or for ever ---


def endless() -> dict[str, tuple[bytes, int]]:
    """Files that claim more than they should, and the frames that are counted in them."""
    many_pages = [struct.pack("<H", 0)] * (MOST_FRAMES + 500)
    loop = tiff([struct.pack("<H", 0)])
    looping = loop[:-4] + struct.pack("<I", 24)
    piece = b"\x01\0"
    return {
        "gif frames": (gif(GIF_FRAME * (MOST_FRAMES + 500)), MOST_FRAMES),
        "gif pieces": (gif(GIF_FRAME[:-1] + piece[:1] * 4_000_000), 1),
        "gif extensions": (gif(GIF_FRAME + b"\x21\xf9\0" * 2_000_000), 1),
        "gif without an end": (gif(GIF_FRAME * 3), 3),
        "gif and zeros": (gif(GIF_FRAME * 3 + bytes(4_000_000)), 3),
        "tiff pages": (tiff(many_pages), MOST_FRAMES),
        "tiff in a circle": (looping, 2),
        "tiff to nowhere": (loop[:-4] + struct.pack("<I", 2**32 - 9), 2),
        "tiff cut off": (loop[:-3], 2),
        "big tiff to nowhere": (tiff([], big=True)[:-8] + b"\xff" * 8, 1),
        "png claims": (claimed_png(2**31 - 1), MOST_FRAMES),
    }


def claimed_png(num_frames: int) -> bytes:
    claim = png_chunk(b"acTL", struct.pack(">2I", num_frames, 0))
    return raw_png((1, 1, 8, 0), zlib.compress(b"\0\0"), claim)


ENDLESS = endless()


@pytest.mark.parametrize("name", ENDLESS)
def test_no_claim_of_a_file_keeps_the_count_busy(name: str) -> None:
    content, expected = ENDLESS[name]
    assert frames_of(content) == expected
