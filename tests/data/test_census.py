"""What a sample of pictures is like."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli.data import census
from dlcli.data.census import Census, take_census
from tests.conftest import needs_shared

RED = (255, 0, 0)
NOTHING = Census(0, 0, 0, is_grey=False)


def save(path: Path, image: Image.Image, **options: object) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path.name


def shades(width: int, height: int) -> Image.Image:
    """Grey noise, mode L."""
    values = np.random.default_rng(width).integers(0, 256, (height, width), np.uint8)
    return Image.fromarray(values)


def take_of(tmp_path: Path, *images: Image.Image, suffix: str = ".png") -> Census:
    names = [save(tmp_path / f"{row}{suffix}", image) for row, image in enumerate(images)]
    return take_census(tmp_path, names)


# --- sizes ---


def test_sizes_are_medians(tmp_path: Path) -> None:
    sizes = [(28, 20), (30, 22), (500, 400)]
    assert take_of(tmp_path, *(Image.new("RGB", size, RED) for size in sizes)) == Census(
        3, height=22, width=30, is_grey=False
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_turned_picture_has_its_upright_size(tmp_path: Path, form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    name = save(tmp_path / "a", Image.new("RGB", (60, 40), RED), format=form, exif=exif)
    found = take_census(tmp_path, [name])
    turned = orientation >= 5
    assert (found.height, found.width) == ((60, 40) if turned else (40, 60))


def test_the_same_photo_in_eight_orientations_has_one_size() -> None:
    folder = needs_shared("hostile", "exif_orientation")
    paths = sorted(path.name for path in folder.glob("*.jpg"))
    assert len(paths) == 8
    sizes = {(one.height, one.width) for one in (take_census(folder, [path]) for path in paths)}
    assert len(sizes) == 1


def test_the_sample_is_spread_evenly(tmp_path: Path) -> None:
    """The pictures grow along the list, from 10 to 19 pixels."""
    paths = [
        save(tmp_path / f"{number:03}.png", Image.new("L", (10 + number // 10,) * 2))
        for number in range(100)
    ]
    found = take_census(tmp_path, paths, most=10)
    assert found == Census(10, 14, 14, is_grey=True)
    last = take_census(tmp_path, paths[90:], most=1)
    assert (last.num_looked_at, last.height) == (1, 19)


@pytest.mark.parametrize(("count", "most", "expected"), [(7, 200, 7), (7, 7, 7), (7, 3, 3)])
def test_at_most_so_many_are_looked_at(
    tmp_path: Path, count: int, most: int, expected: int
) -> None:
    paths = [save(tmp_path / f"{number}.png", Image.new("L", (9, 9))) for number in range(count)]
    assert take_census(tmp_path, paths, most).num_looked_at == expected


# --- colour ---


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "P", "RGB", "RGBA"])
def test_grey_in_every_mode(tmp_path: Path, mode: str) -> None:
    image = shades(20, 30)
    made = Image.fromarray(np.asarray(image, np.uint16) * 257) if mode == "I;16" else image
    assert take_of(tmp_path, made.convert(mode)) == Census(1, 30, 20, is_grey=True)


@pytest.mark.parametrize("mode", ["P", "RGB", "RGBA", "CMYK", "HSV", "LAB"])
def test_colour_in_every_mode(tmp_path: Path, mode: str) -> None:
    if mode == "LAB":
        image = Image.new("LAB", (20, 30), (120, 60, 30))
    else:
        image = Image.new("RGB", (20, 30), RED).convert(mode)
    suffix = ".png" if mode in ("P", "RGB", "RGBA") else ".tif"
    if mode == "HSV":
        image = image.convert("YCbCr")
    assert take_of(tmp_path, image, suffix=suffix) == Census(1, 30, 20, is_grey=False)


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_a_grey_photo_kept_as_a_colour_jpeg_is_grey(tmp_path: Path, quality: int) -> None:
    image = shades(700, 500).convert("RGB")
    save(tmp_path / "a.jpg", image, quality=quality)
    assert take_census(tmp_path, ["a.jpg"]) == Census(1, 500, 700, is_grey=True)


def test_one_picture_in_colour_makes_a_set_in_colour(tmp_path: Path) -> None:
    grey = [shades(20, 20).convert("RGB") for _ in range(4)]
    spot = grey[0].copy()
    spot.putpixel((3, 4), (10, 11, 10))
    assert take_of(tmp_path, *grey).is_grey
    assert not take_of(tmp_path, *grey, spot).is_grey


def test_what_shows_through_is_white_and_not_a_colour(tmp_path: Path) -> None:
    hidden = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert take_of(tmp_path, hidden).is_grey


def test_more_than_can_be_decoded_in_time_counts_as_colour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grey = [shades(20, 20).convert("RGB") for _ in range(3)]
    monkeypatch.setattr(census, "MOST_DECODED_PIXELS", 1200)
    assert take_of(tmp_path, *grey).is_grey
    monkeypatch.setattr(census, "MOST_DECODED_PIXELS", 1199)
    assert not take_of(tmp_path, *grey).is_grey
    assert take_of(tmp_path, *(image.convert("L") for image in grey)).is_grey


@pytest.mark.parametrize("orientation", [None, 6])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_the_header_is_enough_where_it_tells(
    tmp_path: Path, form: str, orientation: int | None
) -> None:
    """A picture cut off behind its header cannot be decoded."""
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    path = tmp_path / "cut"
    save(path, shades(640, 480), format=form, exif=exif)
    path.write_bytes(path.read_bytes()[:2000])
    size = (640, 480) if orientation else (480, 640)
    assert take_census(tmp_path, [path.name]) == Census(1, *size, is_grey=True)


# --- what cannot be read ---


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "words.jpg").write_bytes(b"words")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder.jpg").mkdir()
    save(tmp_path / "cut.png", shades(300, 300).convert("RGB"))
    cut = tmp_path / "cut.png"
    cut.write_bytes(cut.read_bytes()[:-5000])
    save(tmp_path / "sound.png", shades(20, 30))
    paths = ["words.jpg", "empty.jpg", "folder.jpg", "cut.png", "gone.png", "sound.png"]
    assert take_census(tmp_path, paths) == Census(1, 30, 20, is_grey=True)
    assert take_census(tmp_path, paths[:-1]) == NOTHING


def test_nothing_is_nothing(tmp_path: Path) -> None:
    assert take_census(tmp_path, []) == NOTHING


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert take_census(tmp_path, ["pipe.jpg"]) == NOTHING


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_hostile_files_do_no_harm() -> None:
    folder = needs_shared("hostile")
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    paths = [path.relative_to(folder).as_posix() for path in files]
    assert len(paths) > 200
    found = take_census(folder, paths, most=1000)
    assert 150 < found.num_looked_at < len(paths)
    assert not found.is_grey


# --- real pictures ---


def test_photos_are_in_colour() -> None:
    folder = needs_shared("data", "hymenoptera")
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))
    found = take_census(folder, paths)
    assert found.num_looked_at == 200
    assert not found.is_grey
    assert 200 < found.height < 600
