"""Copies of a picture are found, other pictures are not taken for it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from dlcli.data.groups import connected
from dlcli.data.likeness import LOOK, look_of, near_duplicates
from tests.conftest import needs_shared


def drawn(seed: int, size: tuple[int, int] = (240, 180)) -> Image.Image:
    """A picture of coarse coloured noise, none like another."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def looks_of(*images: Image.Image) -> NDArray[np.void]:
    return np.array([look_of(image) for image in images], LOOK)


def saved(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def cut(image: Image.Image, share: float) -> Image.Image:
    width, height = image.size
    return image.crop(
        (
            round(width * share),
            round(height * share),
            round(width * (1 - share)),
            round(height * (1 - share)),
        )
    )


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "the same": lambda image: image.copy(),
    "poor JPEG": lambda image: saved(image, 30),
    "a quarter of the size": lambda image: image.resize((60, 45), Image.Resampling.LANCZOS),
    "larger": lambda image: image.resize((700, 525)),
    "squeezed to a square": lambda image: image.resize((224, 224)),
    "cut at the edges": lambda image: cut(image, 0.005),
}
OTHERS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "mirrored": ImageOps.mirror,
    "on its head": ImageOps.flip,
    "half of it": lambda image: cut(image, 0.25),
    "in grey": lambda image: image.convert("L").convert("RGB"),
    "its negative": ImageOps.invert,
    "much darker": lambda image: ImageEnhance.Brightness(image).enhance(0.5),
    "its colours exchanged": lambda image: Image.merge("RGB", image.split()[::-1]),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_found(name: str) -> None:
    found = near_duplicates(looks_of(drawn(1), drawn(2), COPIES[name](drawn(1)), drawn(3)))
    assert found.tolist() == [[0, 2]]


@pytest.mark.parametrize("name", OTHERS)
def test_another_picture_is_none(name: str) -> None:
    assert len(near_duplicates(looks_of(drawn(1), OTHERS[name](drawn(1))))) == 0


def test_nothing_and_one_picture_have_no_duplicates() -> None:
    assert near_duplicates(np.empty(0, LOOK)).shape == (0, 2)
    assert near_duplicates(looks_of(drawn(1))).shape == (0, 2)


def test_a_picture_of_one_pixel_has_a_look() -> None:
    look = look_of(Image.new("RGB", (1, 1), (10, 20, 30)))
    assert look["thumbnail"].reshape(-1, 3).tolist() == [[10, 20, 30]] * 256


def random_looks(count: int, seed: int = 0) -> NDArray[np.void]:
    rng = np.random.default_rng(seed)
    looks = np.zeros(count, LOOK)
    looks["hash"] = rng.integers(0, 2**64, count, np.uint64)
    looks["thumbnail"] = rng.integers(0, 256, (count, 16, 16, 3), np.uint8)
    return looks


@pytest.mark.parametrize("num_bits", range(7))
def test_hashes_may_differ_in_four_bits_wherever_they_stand(num_bits: int) -> None:
    rng = np.random.default_rng(7)
    looks = random_looks(400)
    copies = looks.copy()
    for copy in copies:
        for bit in rng.choice(64, num_bits, replace=False).tolist():
            copy["hash"] ^= np.uint64(1 << bit)
    found = near_duplicates(np.concatenate([looks, copies]))
    expected = [[row, row + 400] for row in range(400)] if num_bits <= 4 else []
    assert found.tolist() == expected


@pytest.mark.parametrize(("levels", "is_found"), [(5, True), (6, False)])
def test_thumbnails_may_differ_by_five_levels(levels: int, is_found: bool) -> None:
    looks = np.repeat(random_looks(1), 2)
    looks["thumbnail"] = 100
    looks["thumbnail"][:, :8] = 50
    looks[1]["thumbnail"] += levels
    assert bool(len(near_duplicates(looks))) == is_found


def test_blank_pictures_are_no_duplicates() -> None:
    looks = np.repeat(random_looks(1), 3)
    looks["thumbnail"] = 100
    assert len(near_duplicates(looks)) == 0


def test_thousands_of_like_pictures_are_one_group_without_all_their_pairs() -> None:
    looks = np.concatenate([np.repeat(random_looks(1), 20_000), random_looks(10, 1)])
    links = near_duplicates(looks)
    assert len(links) < 3 * 20_000
    assert len(set(connected(len(looks), links).tolist())) == 11


def test_the_order_of_the_rows_does_not_matter() -> None:
    looks = looks_of(*(drawn(seed) for seed in range(12)), *(drawn(seed) for seed in range(6)))
    order = np.random.default_rng(3).permutation(len(looks))
    links = {tuple(sorted(link)) for link in order[near_duplicates(looks[order])].tolist()}
    assert links == {(row, row + 12) for row in range(6)}
    assert links == {tuple(link) for link in near_duplicates(looks).tolist()}


def test_no_two_different_photos_are_taken_for_each_other() -> None:
    files: list[Path] = sorted(needs_shared("data", "hymenoptera", "val").rglob("*.jpg"))
    assert len(files) > 100
    looks = looks_of(*(Image.open(file).convert("RGB") for file in files))
    assert near_duplicates(looks).tolist() == []
    copies = looks_of(*(saved(Image.open(file).convert("RGB"), 40) for file in files[:20]))
    found = near_duplicates(np.concatenate([looks, copies]))
    assert found.tolist() == [[row, row + len(files)] for row in range(20)]
