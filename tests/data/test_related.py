"""Which pictures must share a split."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli.data.index import DatasetIndex, index_dataset
from dlcli.data.pixels import PixelFormat
from dlcli.data.related import LARGE_CLASS, Related, name_alone, relate
from dlcli.data.store import open_store
from dlcli.events import NullReporter
from tests.conftest import write_classes, write_image

pytestmark = pytest.mark.usefixtures("own_cache")


def related(index: DatasetIndex) -> Related:
    paths = [file.path for file in index.files]
    return relate(index, open_store(index.folder, paths, PixelFormat((32, 32)), NullReporter()))


def groups(index: DatasetIndex) -> set[frozenset[str]]:
    """The paths of each group of two or more."""
    members: dict[str, set[str]] = {}
    for file, name in zip(index.files, related(index).names, strict=True):
        members.setdefault(name, set()).add(file.path)
    return {frozenset(own) for own in members.values() if len(own) > 1}


def put_in_groups(index: DatasetIndex, given: dict[str, str]) -> DatasetIndex:
    files = tuple(replace(file, group=given.get(file.path)) for file in index.files)
    return replace(index, files=files)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_classes(tmp_path / "data", {"cat": 4, "dog": 4})


def save_again(source: Path, target: Path) -> None:
    """Another file with the same look."""
    Image.open(source).resize((90, 75)).save(target)


def test_different_pictures_stand_alone(folder: Path) -> None:
    index = index_dataset(folder)
    found = related(index)
    assert groups(index) == set()
    assert (found.num_copies, found.num_near, found.uniform_classes) == (0, 0, ())


def test_copies_near_duplicates_and_given_groups_are_joined(folder: Path) -> None:
    shutil.copy(folder / "cat/000.png", folder / "dog/copy.png")
    save_again(folder / "dog/copy.png", folder / "dog/near.png")
    index = put_in_groups(
        index_dataset(folder),
        {"cat/001.png": "one", "dog/001.png": "one", "cat/002.png": "two", "cat/000.png": "two"},
    )
    assert groups(index) == {
        frozenset({"cat/000.png", "dog/copy.png", "dog/near.png", "cat/002.png"}),
        frozenset({"cat/001.png", "dog/001.png"}),
    }
    found = related(index)
    assert (found.num_copies, found.num_near) == (1, 1)
    names = dict(zip((file.path for file in index.files), found.names, strict=True))
    assert names["dog/near.png"] == "two"
    assert names["dog/001.png"] == "one"


def test_blank_pictures_are_alike_and_do_not_belong_together(folder: Path) -> None:
    for number in range(3):
        Image.new("RGB", (40 + number, 40), (90, 90, 90)).save(folder / f"cat/blank{number}.png")
    assert related(index_dataset(folder)).num_near == 0


def test_names_outlast_what_is_added(folder: Path) -> None:
    index = index_dataset(folder)
    before = dict(zip((file.path for file in index.files), related(index).names, strict=True))
    write_image(folder / "aardvark" / "000.png", 99)
    index = index_dataset(folder)
    after = dict(zip((file.path for file in index.files), related(index).names, strict=True))
    assert {path: after[path] for path in before} == before
    assert len(set(after.values())) == 9


def test_unreadable_files_are_like_no_other(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / "cat" / f"{name}.png").write_bytes(b"words")
        (folder / "cat" / f"{name}-link.png").symlink_to("nowhere")
    index = index_dataset(folder)
    found = related(index)
    assert found.num_copies == 0
    names = dict(zip((file.path for file in index.files), found.names, strict=True))
    assert names["cat/a-link.png"] != names["cat/b-link.png"]


def write_scene(folder: Path, count: int) -> None:
    """Pictures of one scene: the same but for a spot."""
    folder.mkdir(parents=True)
    scene = np.random.default_rng(5).integers(0, 256, (6, 8, 3), np.uint8)
    base = np.asarray(Image.fromarray(scene).resize((96, 72), Image.Resampling.BICUBIC))
    for number in range(count):
        pixels = base.copy()
        pixels[number : number + 3, number : number + 3] = number
        Image.fromarray(pixels).save(folder / f"{number:03}.png")


def test_in_a_large_class_of_one_scene_likeness_does_not_count(folder: Path) -> None:
    write_scene(folder / "line", LARGE_CLASS)
    shutil.copy(folder / "line/000.png", folder / "line/copy.png")
    save_again(folder / "cat/000.png", folder / "cat/near.png")
    index = index_dataset(folder)
    assert groups(index) == {
        frozenset({"line/000.png", "line/copy.png"}),
        frozenset({"cat/000.png", "cat/near.png"}),
    }
    assert related(index).uniform_classes == ("line",)


def test_a_small_class_of_one_scene_is_one_burst(folder: Path) -> None:
    write_scene(folder / "line", LARGE_CLASS - 1)
    index = index_dataset(folder)
    (burst,) = groups(index)
    assert len(burst) == LARGE_CLASS - 1
    assert related(index).uniform_classes == ()


def test_before_a_picture_is_read_groups_are_those_given(folder: Path) -> None:
    index = put_in_groups(index_dataset(folder), {"cat/000.png": "one", "cat/001.png": "one"})
    names = name_alone(index)
    assert names[:2] == ("one", "one")
    assert len(set(names)) == 7
