"""Pictures made for a measurement, and what to call the data of one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from dlcli.data.index import index_dataset
from tests.conftest import SHARED

NUM_CLASSES = 10
SAMPLE_DRAWINGS, SAMPLE_PHOTO = "the sample drawings", "the sample photo"


def described(folder: Path) -> str:
    """`animals5/train, 750 photos`: a folder of shared/data, and how many pictures it lists.

    Raises:
        UsageError: if it is not there.
    """
    name = folder.relative_to(SHARED / "data").as_posix()
    return f"{name}, {len(index_dataset(folder).files):,} photos"


def made(count: int, side: int) -> str:
    """`made: 20,000 noise JPEGs of 256 px`: what `write_small_pictures` writes."""
    return f"made: {count:,} noise JPEGs of {side} px"


def write_small_pictures(folder: Path, count: int, side: int = 64) -> Path:
    """`count` JPEG files of coarse coloured noise in ten class folders, none like another."""
    for name in range(NUM_CLASSES):
        (folder / f"class-{name}").mkdir(parents=True)

    def write(number: int) -> None:
        coarse = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        picture = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        picture.save(folder / f"class-{number % NUM_CLASSES}" / f"{number:06}.jpg", quality=85)

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(write, range(count), chunksize=1000):
            pass
    return folder


def write_large_pictures(folder: Path, photos: list[Path], size: tuple[int, int]) -> Path:
    """The photos enlarged to `size` (width, height) as JPEG files of a camera's quality, in two
    class folders."""
    for number, photo in enumerate(photos):
        name = folder / f"class-{number % 2}" / f"{number:03}.jpg"
        name.parent.mkdir(parents=True, exist_ok=True)
        enlarged = Image.open(photo).convert("RGB").resize(size, Image.Resampling.BICUBIC)
        enlarged.save(name, quality=90)
    return folder


def write_names(folder: Path, count: int) -> Path:
    """`count` empty files in a hundred class folders."""
    for name in range(100):
        (folder / f"class-{name:02}").mkdir(parents=True)
        for number in range(count // 100):
            (folder / f"class-{name:02}" / f"{number:06}.jpg").touch()
    return folder
