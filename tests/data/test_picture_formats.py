"""Which files are pictures, what is said of the others, and that no library talks over it."""

from __future__ import annotations

import importlib.metadata
import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli.data import heif
from dlcli.data.pixels import UnreadableImageError, decode_image, read_image
from tests.conftest import needs_shared
from tests.data import heic
from tests.data.pictures import (
    SMALL,
    encode,
    grey_tiff,
    lying,
    mean_difference,
    noise,
    pixels_or_reason,
    png_chunk,
    raw_png,
    whole,
)

FORMATS = (
    *("AVIF", "BMP", "DDS", "DIB", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "MPO", "PCX"),
    *("PNG", "PPM", "QOI", "SGI", "TGA", "TIFF", "WEBP"),
)
HEIF_BRANDS = (*(b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1"),)


@pytest.mark.parametrize("form", FORMATS)
def test_what_pillow_knows_is_read_by_its_content(form: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.txt"
    picture = noise(128, 128)
    path.write_bytes(encode(picture, form))
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR))
    drafted = form in ("JPEG", "MPO")
    assert mean_difference(read_image(path, SMALL), expected) <= (2 if drafted else 0)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_a_tiff_is_read_however_it_is_compressed(compression: str) -> None:
    picture = noise(60, 40)
    content = encode(picture, "TIFF", compression=compression)
    np.testing.assert_array_equal(whole(content, 40, 60), np.asarray(picture))


@pytest.mark.parametrize("brand", [b"avif", b"mif1"])
def test_an_avif_is_known_by_any_of_its_brands(brand: bytes) -> None:
    picture = noise(60, 40)
    content = encode(picture, "AVIF", quality=95).replace(b"ftypavif", b"ftyp" + brand, 1)
    assert mean_difference(whole(content, 40, 60), np.asarray(picture)) < 3


# --- HEIC ---


@pytest.mark.parametrize("name", ["PLAIN", "TURNED", "SECOND_IS_PRIMARY", "TEN_BITS"])
def test_a_heic_is_read(name: str) -> None:
    pytest.importorskip("pi_heif")
    found = whole(getattr(heic, name), 32, 48)
    assert mean_difference(found, np.asarray(heic.drawing())) < 1


def test_the_transparency_of_a_heic_is_laid_over_white() -> None:
    pytest.importorskip("pi_heif")
    found = whole(heic.HALF_TRANSPARENT, 32, 48)
    assert mean_difference(found[:, :24], np.asarray(heic.drawing())[:, :24]) < 1
    assert (found[:, 24:] == 255).all()


def test_a_heic_is_turned_once() -> None:
    """Its EXIF says what the container has done already; one without the other says nothing."""
    pytest.importorskip("pi_heif")
    assert heic.TURNED.count(struct.pack(">HHIH", 0x0112, 3, 1, 6)) == 1
    assert heic.TURNED.count(b"irot\x03") == 1
    unturned = whole(heic.TURNED.replace(b"irot\x03", b"irot\x00"), 48, 32)
    assert mean_difference(unturned, np.asarray(lying(heic.drawing(), 6))) < 1


def test_reading_heic_changes_nothing_for_others() -> None:
    pytest.importorskip("pi_heif")
    whole(heic.PLAIN, 32, 48)
    assert "HEIF" not in Image.OPEN
    with pytest.raises(Image.UnidentifiedImageError):
        Image.open(io.BytesIO(heic.PLAIN))


@pytest.mark.parametrize("brand", HEIF_BRANDS)
def test_without_the_plugin_the_reason_says_how_to_get_it(
    brand: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    content = heic.PLAIN.replace(b"ftypheic", b"ftyp" + brand, 1)
    with pytest.raises(UnreadableImageError, match=r"pip install 'dlcli-vision\[heif\]'$"):
        decode_image(content, SMALL)
    assert heif.heif_version() is None
    assert pixels_or_reason(encode(noise(40, 30), "AVIF"))


def test_the_plugin_tells_its_version() -> None:
    pytest.importorskip("pi_heif")
    assert heif.heif_version() == importlib.metadata.version("pi-heif")


@pytest.mark.parametrize("kind", [b"Exi\xab", b"\xff\xfe\xfd\xfc"])
def test_a_heic_that_would_crash_the_plugin_is_refused(kind: bytes) -> None:
    """With pi_heif 1.4 these end the process by a signal."""
    pytest.importorskip("pi_heif")
    content = heic.TURNED.replace(b"Exif\0", kind + b"\0", 1)
    assert content != heic.TURNED
    with pytest.raises(UnreadableImageError, match="items of no known kind"):
        decode_image(content, SMALL)


def test_bytes_that_happen_to_name_an_item_do_no_harm() -> None:
    pytest.importorskip("pi_heif")
    content = heic.PLAIN + b"infe\xff\xfe\xfd" * 20
    np.testing.assert_array_equal(whole(content, 32, 48), whole(heic.PLAIN, 32, 48))


# --- what is refused ---


def iptc(content: bytes) -> bytes:
    """An IPTC file with a file inside that says it is a JPEG."""

    def entry(record: int, number: int, data: bytes) -> bytes:
        return bytes((0x1C, record, number)) + struct.pack(">H", len(data)) + data

    header = entry(3, 60, b"\1\0") + entry(3, 20, b"\x09") + entry(3, 30, b"\x09")
    return header + entry(3, 120, b"\5") + entry(8, 10, content) + bytes(5)


def test_a_format_that_hides_another_is_refused() -> None:
    """Of an IPTC file Pillow opens whatever is inside, EPS included, which starts a program."""
    content = iptc(encode(noise(9, 9), "JPEG"))
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "IPTC"
    with pytest.raises(UnreadableImageError, match=r"^not a picture$"):
        decode_image(content, SMALL)


def big_png(side: int) -> bytes:
    """A valid black 1-bit PNG that is far smaller than its pixels."""
    packer = zlib.compressobj(1)
    row = bytes(1 + (side + 7) // 8)
    packed = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
    return raw_png((side, side, 1, 0), packed)


@pytest.mark.parametrize(("side", "megapixels"), [(30_000, "900"), (10_000, "100")])
def test_a_bomb_is_refused_by_its_size(side: int, megapixels: str) -> None:
    content = big_png(side)
    assert len(content) < 1_000_000
    decode_image(encode(noise(9, 9), "PNG"), SMALL)
    warnings.simplefilter("ignore")  # any program around may do so; pytest puts it back
    with pytest.raises(UnreadableImageError, match=f"^{megapixels} megapixels; the limit is 89$"):
        decode_image(content, SMALL)


@pytest.mark.parametrize(
    ("header", "form"),
    [
        (b"qoif" + struct.pack(">2I2B", 5000, 5000, 3, 0), "QOI"),
        (b"P5 5000 5000 200\n", "PPM"),
        (b"P2 5000 5000 255\n", "PPM"),
    ],
)
def test_a_large_picture_that_takes_minutes_is_refused(header: bytes, form: str) -> None:
    reason = f"^25 megapixels of {form}, which takes minutes to read; the limit is 16$"
    with pytest.raises(UnreadableImageError, match=reason):
        decode_image(header + bytes(100), SMALL)


def test_a_large_picture_that_is_read_quickly_is_not() -> None:
    """Of the same format: its values need no scaling in Python."""
    assert (decode_image(b"P5 5000 4000 255\n" + b"\x80" * 20_000_000, SMALL) == 128).all()


def scanned(side: int, times: int) -> bytes:
    """A progressive JPEG whose header claims `side`, with its last scan that many times."""
    content = encode(Image.new("L", (16, 16), 100), "JPEG", progressive=True)
    size = struct.pack(">2H", 16, 16)
    header = content.index(b"\xff\xc2") + 5
    assert content[header : header + 4] == size
    content = content[:header] + struct.pack(">2H", side, side) + content[header + 4 :]
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * times + content[-2:]


def test_a_jpeg_that_repeats_itself_for_minutes_is_refused() -> None:
    with pytest.raises(UnreadableImageError, match="sends its pixels more than 139 times"):
        decode_image(scanned(8000, 1000), SMALL)


@pytest.mark.parametrize("progressive", [False, True])
def test_what_only_looks_like_repetition_is_read(progressive: bool) -> None:
    """A preview in the header and a film behind the picture may hold any bytes."""
    marks = b"\xff\xda\0\2" * 15_000
    picture = noise(1000, 1000)
    exif = b"Exif\0\0" + marks[:60_000]
    plain = encode(picture, "JPEG", progressive=progressive)
    content = encode(picture, "JPEG", progressive=progressive, exif=exif) + marks * 3
    np.testing.assert_array_equal(decode_image(content, SMALL), decode_image(plain, SMALL))


def test_a_repetitive_jpeg_that_takes_no_time_is_read() -> None:
    assert (decode_image(scanned(16, 1000), SMALL) == 100).all()


def test_a_png_whose_pixels_do_not_match_their_checksum_is_refused() -> None:
    """Pillow shows such pixels without a word."""
    content = bytearray(raw_png((100, 100, 8, 0), zlib.compress(bytes(101 * 100))))
    content[-13] ^= 1  # in front of the 12 bytes of the last chunk
    with Image.open(io.BytesIO(content)) as image:
        image.load()
    with pytest.raises(UnreadableImageError, match="do not match their checksum"):
        decode_image(bytes(content), SMALL)


def test_every_piece_of_a_png_is_checked() -> None:
    packed = zlib.compress(bytes(101 * 100), 0)
    pieces = b"".join(png_chunk(b"IDAT", packed[at : at + 999]) for at in range(0, 9000, 999))
    sound = raw_png((100, 100, 8, 0), packed[9990:], pieces)
    assert pixels_or_reason(sound)
    last = sound.rindex(b"IDAT") + 8
    assert not pixels_or_reason(sound[:last] + b"\1" + sound[last + 1 :])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "^an empty file$"),
        (b"not a picture at all\n" * 20, "^not a picture$"),
        (b"#define something_width (-2)\n" * 20, "^not a picture$"),
        (b"\0" * 500, "^not a picture$"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "^an EPS drawing, not pixels$"),
        (b"\xff\xd8 and no more", "header says JPEG"),
        (b"\x89PNG\r\n\x1a\n", "header says PNG"),
        (encode(noise(200, 200), "JPEG")[:-800], "^truncated"),
        (encode(noise(200, 200), "PNG")[:-800], "^truncated"),
        (encode(noise(200, 200), "GIF")[:-800], "^truncated"),
        (encode(noise(200, 200), "BMP")[:-800], "^truncated"),
    ],
    ids=["empty", "text", "program", "zeros", "svg", "eps", "jpeg header", "png header"]
    + [f"cut {form}" for form in ("jpeg", "png", "gif", "bmp")],
)
def test_what_is_no_picture_has_a_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match=reason):
        read_image(path, SMALL)


# --- hostile files ---


@pytest.mark.filterwarnings("ignore")
def test_every_hostile_file_is_read_or_refused_as_it_should_be(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Sorted by what Pillow does with them; PngSuite's x*.png are damaged on purpose."""
    folder = needs_shared("hostile")
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    wrong, num_refused = [], 0
    for path in files:
        is_read = pixels_or_reason(path.read_bytes())
        sound = not path.name.startswith("x") if path.parent.name == "pngsuite" else None
        if sound is None:
            sound = path.parent.name in ("ok", "exif_orientation")
        num_refused += not is_read
        if is_read is not sound:
            wrong.append(path.name)
    assert wrong == []
    assert (len(files), num_refused) == (232, 27)
    assert capfd.readouterr() == ("", "")


# --- silence ---


def talking_tiffs(folder: Path) -> list[Path]:
    """One that libtiff complains of while it is decoded, one that Pillow logs an error about."""
    packed = bytearray(encode(noise(40, 30), "TIFF", compression="tiff_lzw"))
    packed[8:24] = bytes(16)  # where the pixels begin
    samples = struct.pack("<HHI", 277, 4, 1)
    many = grey_tiff(1, 1, 8, b"\0").replace(samples + b"\1", samples + b"\x28")
    paths = [folder / "talks.tif", folder / "logs.tif"]
    for path, written in zip(paths, (packed, many), strict=True):
        path.write_bytes(written)
    return paths


PILLOW_ALONE = """
import sys
from PIL import Image
try:
    Image.open(sys.argv[1]).load()
except OSError:
    pass
"""

WARNINGS_MEANWHILE = """
import os, sys, threading
from dlcli.ui import console
console.use_utf8()
from dlcli.data.pixels import PixelFormat, UnreadableImageError, read_image

def read() -> None:
    for _ in range(150):
        for path in sys.argv[1:]:
            try:
                read_image(path, PixelFormat())
            except UnreadableImageError:
                pass

threads = [threading.Thread(target=read) for _ in range(2)]
for thread in threads:
    thread.start()
said = 0
while said < 100 or any(thread.is_alive() for thread in threads):
    console.print_warning(f"number {said}")
    said += 1
for thread in threads:
    thread.join()
os.write(2, b"and what comes later\\n")
print(said)
"""


def test_a_library_is_silent_and_a_warning_is_heard(tmp_path: Path) -> None:
    paths = talking_tiffs(tmp_path)
    for path in paths:
        alone = run(PILLOW_ALONE, path)
        assert alone.stderr, f"{path.name} says nothing: it cannot be silenced"
    done = run(WARNINGS_MEANWHILE, *paths)
    said = int(done.stdout)
    expected = [f" warning: number {number}" for number in range(said)]
    assert done.stderr.splitlines() == [*expected, "and what comes later"]


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *map(os.fspath, arguments)]  # type: ignore[call-overload]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
