"""`dlcli check`: its speed against decoding alone, and its memory."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dlcli.data.pixels import PixelFormat, UnreadableImageError, read_image
from tests.benchmarks.measure import DLCLI, Measured, repeat, run, seconds
from tests.benchmarks.pictures import described, made, write_small_pictures
from tests.benchmarks.row import Row, against, alone, said
from tests.conftest import SHARED

HYMENOPTERA, HOSTILE = SHARED / "data" / "hymenoptera", SHARED / "hostile"
DECODING = Path(__file__).with_name("full_decoding.py")
NUM_PHOTOS, NUM_SMALL, SIDE, TURNS = 10_000, 100_000, 64, 5


def rows() -> Iterator[Row]:
    """Its time on photos and on nasty files, and its memory on many small pictures."""
    if not HYMENOPTERA.exists():
        yield said("check on photos", f"absent: {HYMENOPTERA}", asked="present")
        return
    files = [path for path in HOSTILE.rglob("*") if path.is_file()]
    what, data = "the slowest of nasty files, read or refused", f"hostile, {len(files)} files"
    yield alone(what, [max(map(seconds_to_read, files))], "s", asked="<= 5 s", data=data)
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as folder:
        photos = link_photos(Path(folder) / "photos")
        [ours, theirs] = repeat(
            TURNS, lambda: check(photos), lambda: run((sys.executable, DECODING, photos))
        )
        what = f"check {NUM_PHOTOS:,} photos, against decoding them in full"
        data = f"{described(HYMENOPTERA)}, under {NUM_PHOTOS:,} names"
        yield against(what, seconds(ours), seconds(theirs), "s", asked="<= 1.3x", data=data)
        small = write_small_pictures(Path(folder) / "small", NUM_SMALL, SIDE)
        done = check(small)
        yield Row(
            f"peak memory of check, {NUM_SMALL:,} pictures of {SIDE} px",
            f"{done.peak_megabytes:.0f} MB, {done.seconds:.0f} s",
            asked="<= 600 MB",
            data=made(NUM_SMALL, SIDE),
            unit="MB",
            values=(done.peak_megabytes,),
        )


def seconds_to_read(path: Path) -> float:
    """Of one file, whether it is a picture or not."""
    started = time.perf_counter()
    with contextlib.suppress(UnreadableImageError):
        read_image(path, PixelFormat())
    return time.perf_counter() - started


def link_photos(folder: Path) -> Path:
    """The same photos again and again, under other names, until there are enough."""
    photos = sorted(path for path in HYMENOPTERA.rglob("*.jpg") if path.is_file())
    for number in range(NUM_PHOTOS):
        photo = photos[number % len(photos)]
        copy = folder / photo.parent.name / f"{number:05}.jpg"
        copy.parent.mkdir(parents=True, exist_ok=True)
        if number < len(photos):
            shutil.copyfile(photo, copy)
        else:
            earlier = photos[number % len(photos)].parent.name
            os.link(folder / earlier / f"{number % len(photos):05}.jpg", copy)
    return folder


def check(folder: Path) -> Measured:
    """The whole command."""
    done = run((*DLCLI, "check", folder, "--json", "--quiet"))
    assert json.loads(done.stdout)["num_images"] in (NUM_PHOTOS, NUM_SMALL)
    return done
