"""What is found out about each picture, and that no damage stays unseen."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli.data import inspection as inspection_module
from dlcli.data.inspection import (
    FACTS,
    STAGE,
    PictureFacts,
    inspect_picture,
    inspect_pictures,
)
from dlcli.data.likeness import near_duplicates
from dlcli.data.pixels import PixelFormat, UnreadableImageError, decode_image
from dlcli.events import Event, NullReporter, StageAdvanced, StageEnded, StageStarted
from dlcli.workers import worker_processes
from tests.data.drawings import draw, save, write_drawings
from tests.data.pictures import encode, turned


def facts_of(path: Path) -> PictureFacts:
    found = inspect_picture(path)
    assert isinstance(found, PictureFacts), found
    return found


def facts_of_content(content: bytes, path: Path) -> PictureFacts:
    path.write_bytes(content)
    return facts_of(path)


def test_facts_of_a_drawing(tmp_path: Path) -> None:
    path = save(draw(1, (96, 80)), tmp_path / "a.png")
    facts = facts_of(path)
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).digest()
    assert (facts.format, facts.mode, facts.num_frames) == ("PNG", "RGB", 1)
    assert (facts.height, facts.width) == (80, 96)
    assert [facts.has_wrong_suffix, facts.is_transparent, facts.is_turned] == [False] * 3


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_turned_picture_is_measured_upright(form: str, orientation: int, tmp_path: Path) -> None:
    facts = facts_of_content(turned(draw(1, (90, 60)), orientation, form), tmp_path / "a")
    assert (facts.height, facts.width) == (60, 90)
    assert facts.is_turned == (orientation != 1)
    upright = facts_of(save(draw(1, (90, 60)), tmp_path / "b.png"))
    assert len(near_duplicates(np.array([facts.look, upright.look]))) == 1


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_has_its_whole_size(orientation: int, tmp_path: Path) -> None:
    content = turned(draw(1, (1500, 1000)), orientation, "JPEG")
    facts = facts_of_content(content, tmp_path / "a.jpg")
    assert (facts.height, facts.width) == (1000, 1500)
    small = facts_of(save(draw(1, (1500, 1000)), tmp_path / "b.png"))
    assert len(near_duplicates(np.array([facts.look, small.look]))) == 1
    assert facts.sharpness == pytest.approx(small.sharpness, rel=0.25)


def test_frames_are_counted(tmp_path: Path) -> None:
    more = {"save_all": True, "append_images": [draw(2), draw(3)]}
    counted = {
        form: facts_of_content(encode(draw(1), form, **more), tmp_path / form).num_frames
        for form in ("GIF", "TIFF", "WEBP", "MPO")
    }
    assert counted == {"GIF": 3, "TIFF": 3, "WEBP": 3, "MPO": 1}


def test_a_photo_with_a_preview_is_a_jpg(tmp_path: Path) -> None:
    content = encode(draw(1), "MPO", save_all=True, append_images=[draw(2)])
    assert not facts_of_content(content, tmp_path / "a.jpg").has_wrong_suffix


def with_alpha(least: int) -> Image.Image:
    image = draw(1).convert("RGBA")
    image.putalpha(Image.new("L", image.size, 255))
    image.putpixel((5, 5), (0, 0, 0, least))
    return image


def test_transparency_is_what_shows(tmp_path: Path) -> None:
    """A channel that says "opaque" throughout makes nothing transparent."""
    palette = draw(1).quantize(8)
    images = {
        "opaque": encode(with_alpha(255), "PNG"),
        "a pixel": encode(with_alpha(254), "PNG"),
        "grey": encode(with_alpha(0).convert("LA"), "PNG"),
        "palette": encode(palette, "PNG", transparency=int(np.asarray(palette)[0, 0])),
        "palette, unused": encode(palette, "PNG", transparency=200),
        "16 bits": encode(Image.new("I;16", (40, 40), 900), "PNG", transparency=900),
        "no channel": encode(draw(1), "PNG"),
    }
    found = {
        name: facts_of_content(content, tmp_path / "x").is_transparent
        for name, content in images.items()
    }
    assert found == {
        "opaque": False,
        "a pixel": True,
        "grey": True,
        "palette": True,
        "palette, unused": False,
        "16 bits": True,
        "no channel": False,
    }


def test_brightness_and_spread_by_hand(tmp_path: Path) -> None:
    halves = Image.new("L", (40, 40), 0)
    halves.paste(200, (0, 0, 20, 40))
    facts = facts_of(save(halves, tmp_path / "halves.png"))
    assert facts.brightest == 200
    assert facts.spread == pytest.approx(100)
    plain = facts_of(save(Image.new("L", (40, 40), 30), tmp_path / "plain.png"))
    assert (plain.brightest, plain.spread) == (30, 0)


def test_a_few_bright_pixels_do_not_make_a_picture_bright(tmp_path: Path) -> None:
    stars = Image.new("L", (100, 100), 10)
    stars.paste(255, (0, 0, 9, 10))  # 90 of 10,000
    assert facts_of(save(stars, tmp_path / "stars.png")).brightest == 10


def test_reasons(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("words")
    (tmp_path / "cut.jpg").write_bytes(encode(draw(1), "JPEG")[:900])
    (tmp_path / "folder.jpg").mkdir()
    names = ("empty", "text", "cut", "folder", "missing")
    found = {name: inspect_picture(tmp_path / f"{name}.jpg") for name in names}
    assert found == {
        "empty": "an empty file",
        "text": "not a picture",
        "cut": "truncated: the file ends before the picture does",
        "folder": "a folder, not a picture",
        "missing": "no such file",
    }


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut, or with up to ten bytes replaced."""
    if rng.random() < 0.4:
        return content[: rng.integers(2, len(content))]
    changed = bytearray(content)
    for place in rng.integers(0, len(content), rng.integers(1, 10)):
        changed[place] = rng.integers(0, 256)
    return bytes(changed)


def verdict_in_full(content: bytes, size: tuple[int, int]) -> str | None:
    """Of the reader, asked for every pixel."""
    try:
        decode_image(content, PixelFormat(size))
    except UnreadableImageError as error:
        return str(error)
    return None


def test_a_jpeg_decoded_at_a_fraction_shows_the_same_damage(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    size, num_damaged = (300, 400), 0
    sound = [
        encode(draw(1, size[::-1]).convert(mode), "JPEG", **options)
        for mode in ("RGB", "L", "CMYK")
        for options in ({}, {"progressive": True}, {"restart_marker_rows": 2})
    ]
    for number in range(270):
        content = damaged(sound[number % len(sound)], rng)
        (tmp_path / "a.jpg").write_bytes(content)
        found = inspect_picture(tmp_path / "a.jpg")
        reason = found if isinstance(found, str) else None
        assert reason == verdict_in_full(content, size)
        num_damaged += reason is not None
    assert 100 < num_damaged < 260


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def report(self, event: Event) -> None:
        self.events.append(event)


def test_pictures_keep_their_rows(tmp_path: Path) -> None:
    write_drawings(tmp_path, {"a": 40})
    (tmp_path / "a" / "017.png").write_bytes(b"no picture")
    (tmp_path / "a" / "030.png").write_bytes(encode(draw(7).convert("L"), "JPEG"))
    paths = [f"a/{number:03}.png" for number in range(40)]
    recorder = Recorder()
    inspection = inspect_pictures(tmp_path, paths, recorder)
    assert inspection.reasons == {17: "not a picture"}
    assert np.flatnonzero(~inspection.readable).tolist() == [17]
    for row, path in enumerate(paths):
        if row == 17:
            continue
        own, alone = inspection.facts[row], facts_of(tmp_path / path)
        assert inspection.formats[own["format"]] == alone.format
        assert inspection.modes[own["mode"]] == alone.mode
        assert own["look"] == alone.look
        assert own["sha256"] == alone.sha256.rstrip(b"\0")
        for name in ("height", "width", "num_frames", "brightest", "has_wrong_suffix"):
            assert own[name] == getattr(alone, name)
    assert (inspection.formats, inspection.modes) == (["PNG", "JPEG"], ["RGB", "L"])
    assert recorder.events[0] == StageStarted(STAGE, 40)
    assert recorder.events[-2:] == [StageAdvanced(STAGE, 40), StageEnded(STAGE)]


def test_processes_find_what_threads_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [f"{number:02}.png" for number in range(40)]
    for number, path in enumerate(paths):
        Image.new("RGB", (30, 20), (number, 0, 0)).save(tmp_path / path)
    (tmp_path / paths[7]).write_bytes(b"no picture")
    by_threads = inspect_pictures(tmp_path, paths, NullReporter())
    monkeypatch.setattr(inspection_module, "_MANY", 40)
    monkeypatch.setattr(inspection_module, "num_threads", lambda: 2)
    used = []

    def processes(count: int) -> AbstractContextManager[Executor]:
        used.append(count)
        return worker_processes(count)

    monkeypatch.setattr(inspection_module, "worker_processes", processes)
    by_processes = inspect_pictures(tmp_path, paths, NullReporter())
    assert used == [2]
    assert by_processes.facts.tobytes() == by_threads.facts.tobytes()
    assert by_processes.reasons == by_threads.reasons
    assert list(by_processes.reasons) == [7]


def test_no_pictures_at_all() -> None:
    inspection = inspect_pictures(Path(), [], NullReporter())
    assert (len(inspection.facts), inspection.reasons) == (0, {})


def test_a_picture_takes_less_than_a_kilobyte() -> None:
    assert FACTS.itemsize < 1000


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (3, 2), (5000, 8)])
def test_odd_shapes_are_measured(size: tuple[int, int], tmp_path: Path) -> None:
    content = io.BytesIO()
    Image.new("RGB", size, "red").save(content, "PNG")
    facts = facts_of_content(content.getvalue(), tmp_path / "a.png")
    assert (facts.width, facts.height) == size
    assert facts.spread == 0
