"""Drawn pictures with sharp edges, none like another, for the tests of `check`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def draw(seed: int, size: tuple[int, int] = (96, 80)) -> Image.Image:
    """RGB, `size` (width, height): twenty rectangles of random colours."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(rng.integers(0, 256, 3).tolist()))
    pen = ImageDraw.Draw(image)
    for _ in range(20):
        left, right = sorted(rng.integers(0, size[0], 2).tolist())
        top, bottom = sorted(rng.integers(0, size[1], 2).tolist())
        pen.rectangle((left, top, right, bottom), tuple(rng.integers(0, 256, 3).tolist()))
    return image


def save(image: Image.Image, path: Path, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def write_drawings(folder: Path, counts: dict[str, int]) -> Path:
    """Class folders with so many drawings each; `a/b` stands for class b in the part a."""
    for number, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for picture in range(count):
            save(draw(1000 * number + picture), folder / name / f"{picture:03}.png")
    return folder
