"""A folder made ready for training, and what the user hears about it."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli.data.dataset import (
    Dataset,
    expected_sizes,
    list_dataset,
    prepare_dataset,
)
from dlcli.data.index import SkippedFile
from dlcli.data.pixels import PixelFormat, read_image
from dlcli.data.split import TEST, TRAIN, VAL, SplitFractions
from dlcli.errors import DataError
from dlcli.events import Event, Said, Warned
from tests.conftest import write_classes, write_image

SMALL = PixelFormat((32, 32))


class Heard:
    """Keeps the lines a user would read."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []

    def report(self, event: Event) -> None:
        if isinstance(event, Warned):
            self.warned.append(event.text)
        elif isinstance(event, Said):
            self.said.append(event.text)


def prepare(
    folder: Path, shares: SplitFractions | None = None, *, strict: bool = False
) -> tuple[Dataset, Heard]:
    heard = Heard()
    shares = shares or SplitFractions()
    index = list_dataset(folder, heard)
    return prepare_dataset(index, SMALL, shares, heard, strict=strict), heard


def write_parts(folder: Path, parts: dict[str, dict[str, int]]) -> Path:
    """Pictures in `part/class/`, none like another."""
    seeds = itertools.count()
    for part, counts in parts.items():
        for name, count in counts.items():
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                write_image(folder / part / name / f"{number}.png", next(seeds))
    return folder


def paths(dataset: Dataset, split: str) -> set[str]:
    return {dataset.index.files[row].path for row in dataset.rows(split)}


# --- a folder of classes ---


def test_the_sizes_of_the_parts_are_known_before_a_picture_is_read(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "data", {"cat": 20, "dog": 40})
    index = list_dataset(folder, Heard())
    for picture in (folder / "cat").iterdir():
        picture.write_bytes(b"no picture any longer")
    expected = expected_sizes(index, SplitFractions())
    assert expected == {"train": 42, "val": 9, "test": 9, "skipped": 0}


def test_every_picture_is_in_one_split_with_its_label(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "data", {"cat": 20, "dog": 40})
    dataset, heard = prepare(folder)
    assert dataset.class_names == ("cat", "dog")
    assert dataset.num_images() == {"train": 42, "val": 9, "test": 9, "skipped": 0}
    rows = np.concatenate([dataset.rows(split) for split in (TRAIN, VAL, TEST)])
    assert sorted(rows) == list(range(60))
    for row in rows:
        name = dataset.index.files[row].path.split("/")[0]
        assert dataset.class_names[dataset.labels(rows[rows == row])[0]] == name
    assert heard.said == [
        "data · 2 classes · 60 pictures · cat 20, dog 40",
        "split: 42 train, 9 val, 9 test (seed 0)",
    ]


def test_the_pixels_of_a_row_are_those_of_its_file(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, {"cat": 3, "dog": 3})
    dataset, _ = prepare(folder)
    for row, file in enumerate(dataset.index.files):
        expected = read_image(folder / file.path, SMALL)
        np.testing.assert_array_equal(dataset.store.read([row])[0], expected)


def test_the_same_seed_gives_the_same_split_and_another_one_another(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, {"cat": 20, "dog": 20})
    splits = [prepare(folder, SplitFractions(seed=seed))[0].splits for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]


def test_split_csv_names_every_used_picture(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, {"cat": 3, "dog": 3})
    (folder / "cat" / "broken.png").write_bytes(b"words")
    dataset, _ = prepare(folder)
    rows = list(dataset.split_rows())
    assert len(rows) == 6
    for path, label, split, group, sha256 in rows:
        assert path.startswith(f"{label}/")
        assert path in paths(dataset, split)
        assert len(sha256) == 64
        assert sha256.startswith(group)


def test_the_folder_is_never_written_to(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "data", {"cat": 3, "dog": 3})

    def content() -> dict[str, bytes]:
        return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}

    before = content()
    prepare(folder)
    assert content() == before


def test_duplicates_share_a_split_and_a_group(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, {"cat": 12, "dog": 12})
    for number in range(3):
        shutil.copy(folder / "cat" / "000.png", folder / "cat" / f"copy-{number}.png")
    for seed in range(8):
        dataset, heard = prepare(folder, SplitFractions(0.3, 0.3, seed))
        rows = np.arange(len(dataset.index.files))
        twins = [row for row in rows if dataset.index.files[row].path in TWINS]
        assert len(twins) == 4
        assert len({dataset.splits[row] for row in twins}) == 1
        assert len(set(dataset.groups(rows[twins]))) == 1
        assert len(set(dataset.groups(rows))) == 24
        assert "; 3 duplicates kept together)" in heard.said[-1]


TWINS = {"cat/000.png", "cat/copy-0.png", "cat/copy-1.png", "cat/copy-2.png"}


def test_near_duplicates_share_a_split_and_a_group(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, {"cat": 12, "dog": 12})
    for number in range(3):
        small = Image.open(folder / "cat" / "000.png").resize((40 - number, 36))
        small.save(folder / "cat" / f"near-{number}.png")
    alike = {"cat/000.png", "cat/near-0.png", "cat/near-1.png", "cat/near-2.png"}
    for seed in range(8):
        dataset, heard = prepare(folder, SplitFractions(0.3, 0.3, seed))
        rows = np.arange(len(dataset.index.files))
        twins = [row for row in rows if dataset.index.files[row].path in alike]
        assert len({dataset.splits[row] for row in twins}) == 1
        assert len(set(dataset.groups(rows[twins]))) == 1
        assert len(set(dataset.groups(rows))) == 24
        assert "; 3 near duplicates kept together)" in heard.said[-1]


def test_near_duplicates_in_two_parts_are_warned_of(tmp_path: Path) -> None:
    counts = {part: {"cat": 6, "dog": 6} for part in ("train", "val", "test")}
    folder = write_parts(tmp_path, counts)
    Image.open(folder / "test/cat/0.png").resize((90, 75)).save(folder / "train/cat/near.png")
    dataset, heard = prepare(folder)
    assert dataset.num_images() == {"train": 13, "val": 12, "test": 12, "skipped": 0}
    assert [line for line in heard.warned if line.startswith("1 training pictures belong togeth")]


def test_a_class_of_one_scene_is_warned_of(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, {"cat": 12, "dog": 1})
    scene = Image.open(folder / "dog/000.png")
    for number in range(20):
        scene.resize((60 + number, 50)).save(folder / "dog" / f"near-{number}.png")
    _, heard = prepare(folder)
    assert [line for line in heard.warned if line.startswith("most pictures look alike in dog:")]


def test_a_picture_in_two_classes_is_warned_of(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, {"cat": 5, "dog": 5})
    shutil.copy(folder / "cat" / "000.png", folder / "dog" / "twin.png")
    dataset, heard = prepare(folder)
    assert "1 pictures lie in two classes, e.g. cat/000.png = dog/twin.png" in heard.warned
    split_of = {
        file.path: split for file, split in zip(dataset.index.files, dataset.splits, strict=True)
    }
    assert split_of["cat/000.png"] == split_of["dog/twin.png"]


def test_an_unreadable_picture_is_skipped_with_its_reason(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, {"cat": 5, "dog": 5})
    (folder / "dog" / "broken.jpg").write_bytes(b"words")
    (folder / "stray.png").write_bytes(b"words")
    dataset, heard = prepare(folder)
    assert dataset.skipped == (
        SkippedFile("stray.png", "lies beside the class folders, not in one"),
        SkippedFile("dog/broken.jpg", "not a picture"),
    )
    assert dataset.num_images()["skipped"] == 2
    assert not any("dog/broken.jpg" in paths(dataset, split) for split in (TRAIN, VAL, TEST))
    assert any(
        line.startswith("skipped 2: ") and "dog/broken.jpg (not a picture)" in line
        for line in heard.warned
    )


def test_strict_refuses_an_unreadable_picture_by_name(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, {"cat": 5, "dog": 5})
    prepare(folder, strict=True)
    (folder / "dog" / "broken.jpg").write_bytes(b"words")
    with pytest.raises(DataError, match=r"cannot be used: dog/broken\.jpg \(not a picture\)\."):
        prepare(folder, strict=True)


def test_strict_refuses_what_a_manifest_names_and_is_not_there(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, {"cat": 5, "dog": 5})
    rows = [f"{path.relative_to(folder)},{path.parent.name}" for path in folder.rglob("*.png")]
    manifest = folder / "list.csv"
    manifest.write_text("\n".join(["path,label", *rows, "dog/gone.png,dog"]))
    with pytest.raises(DataError, match=r"^list.csv|1 pictures cannot be used: dog/gone\.png"):
        prepare(manifest, strict=True)
    dataset, _ = prepare(manifest)
    assert [one.path for one in dataset.skipped] == ["dog/gone.png"]


def test_one_class_is_refused(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, {"cat": 5})
    with pytest.raises(DataError, match=r"only one class here \(cat\)\. .*at least two"):
        prepare(folder)


def test_a_class_of_one_picture_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, {"cat": 5, "dog": 1})
    with pytest.raises(DataError, match=r"too few different pictures .*: dog\."):
        prepare(folder)


def test_a_class_of_copies_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, {"cat": 5, "dog": 1})
    for number in range(4):
        shutil.copy(folder / "dog" / "000.png", folder / "dog" / f"copy-{number}.png")
    with pytest.raises(DataError, match=r"too few different pictures .*: dog\."):
        prepare(folder)


def test_a_class_without_readable_pictures_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, {"cat": 5, "dog": 0})
    for number in range(4):
        (folder / "dog" / f"{number}.png").write_bytes(b"words")
    with pytest.raises(DataError, match=r"too few different pictures .*: dog\."):
        prepare(folder)


def test_what_is_left_out_and_passed_over_is_said(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, {"cat": 5, "dog": 5, "emu": 0})
    for name in ("notes.txt", "cat/labels.csv"):
        (folder / name).touch()
    _, heard = prepare(folder)
    assert "passed over: 2 files that are no pictures" in heard.said
    assert "left out, since there are no pictures in it: emu" in heard.warned


def test_many_classes_are_summed_up(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "data", {f"class {number}": 2 for number in range(10)})
    _, heard = prepare(folder)
    assert heard.said[0].startswith("data · 10 classes · 20 pictures · class 0 2, class 1 2, ")
    assert heard.said[0].endswith(", class 7 2, and 2 more classes")


def test_few_test_pictures_are_warned_of(tmp_path: Path) -> None:
    _, heard = prepare(write_classes(tmp_path / "few", {"cat": 20, "dog": 20, "emu": 2}))
    assert "6 test pictures are too few for a number to trust" in heard.warned
    assert "too few pictures to test: emu" in heard.warned
    enough = write_classes(tmp_path / "enough", {"cat": 40, "dog": 40})
    _, heard = prepare(enough, SplitFractions(0.1, 0.4))
    assert heard.warned == []


def test_without_a_share_for_test_a_warning_says_so(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, {"cat": 10, "dog": 10})
    dataset, heard = prepare(folder, SplitFractions(0.2, 0.0))
    assert dataset.num_images() == {"train": 16, "val": 4, "test": 0, "skipped": 0}
    assert [line for line in heard.warned if line.startswith("there is no test part")]


# --- a folder that is split already ---


def test_three_parts_are_taken_as_they_are(tmp_path: Path) -> None:
    counts = {"train": {"cat": 4, "dog": 4}, "valid": {"cat": 2, "dog": 2}, "Test": {"dog": 3}}
    dataset, heard = prepare(write_parts(tmp_path, counts))
    assert dataset.num_images() == {"train": 8, "val": 4, "test": 3, "skipped": 0}
    for split, part in ((TRAIN, "train/"), (VAL, "valid/"), (TEST, "Test/")):
        assert all(path.startswith(part) for path in paths(dataset, split))
    assert "split: 8 train, 4 val, 3 test (as the folders say)" in heard.said


def test_without_val_it_is_split_off_train(tmp_path: Path) -> None:
    counts = {"train": {"cat": 20, "dog": 20}, "test": {"cat": 5, "dog": 5}}
    dataset, _ = prepare(write_parts(tmp_path, counts))
    assert dataset.num_images() == {"train": 34, "val": 6, "test": 10, "skipped": 0}
    assert all(path.startswith("train/") for path in paths(dataset, TRAIN) | paths(dataset, VAL))
    assert all(path.startswith("test/") for path in paths(dataset, TEST))


def test_with_train_and_val_there_is_no_test_and_a_warning(tmp_path: Path) -> None:
    counts = {"train": {"cat": 5, "dog": 5}, "val": {"cat": 2, "dog": 2}}
    dataset, heard = prepare(write_parts(tmp_path, counts))
    assert dataset.num_images() == {"train": 10, "val": 4, "test": 0, "skipped": 0}
    assert [line for line in heard.warned if "val, which also chose the model" in line]


def test_train_alone_is_split_in_three(tmp_path: Path) -> None:
    dataset, _ = prepare(write_parts(tmp_path, {"train": {"cat": 20, "dog": 20}}))
    assert dataset.num_images() == {"train": 28, "val": 6, "test": 6, "skipped": 0}


def test_a_twin_of_a_later_part_is_taken_out_and_named(tmp_path: Path) -> None:
    counts = {part: {"cat": 6, "dog": 6} for part in ("train", "val", "test")}
    folder = write_parts(tmp_path, counts)
    shutil.copy(folder / "test/cat/0.png", folder / "train/cat/twin.png")
    shutil.copy(folder / "test/dog/0.png", folder / "val/dog/twin.png")
    shutil.copy(folder / "val/cat/0.png", folder / "train/dog/twin.png")
    dataset, heard = prepare(folder)
    assert dataset.num_images() == {"train": 12, "val": 12, "test": 12, "skipped": 3}
    assert set(dataset.skipped) == {
        SkippedFile("train/cat/twin.png", "the same picture as test/cat/0.png"),
        SkippedFile("val/dog/twin.png", "the same picture as test/dog/0.png"),
        SkippedFile("train/dog/twin.png", "the same picture as val/cat/0.png"),
    }
    assert any(line.startswith("skipped 3: ") for line in heard.warned)


def test_duplicates_within_a_part_stay(tmp_path: Path) -> None:
    counts = {part: {"cat": 6, "dog": 6} for part in ("train", "val", "test")}
    folder = write_parts(tmp_path, counts)
    shutil.copy(folder / "train/cat/0.png", folder / "train/cat/twin.png")
    dataset, _ = prepare(folder)
    assert dataset.num_images() == {"train": 13, "val": 12, "test": 12, "skipped": 0}


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_class_that_train_does_not_hold_is_refused_by_name(tmp_path: Path, part: str) -> None:
    counts = {"train": {"cat": 5, "dog": 5}, part: {"cat": 2, "emu": 2}}
    with pytest.raises(DataError, match=r"val or test holds classes that train does not: emu\."):
        prepare(write_parts(tmp_path, counts))


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_class_left_without_training_pictures_is_refused_by_name(
    tmp_path: Path, part: str
) -> None:
    counts = {"train": {"cat": 5, "dog": 5, "emu": 1}, part: {"cat": 2, "dog": 2, "emu": 2}}
    folder = write_parts(tmp_path, counts)
    (folder / "train/emu/0.png").write_bytes(b"words")
    with pytest.raises(DataError, match="emu"):
        prepare(folder)


def test_a_class_may_be_missing_from_test(tmp_path: Path) -> None:
    counts = {"train": {"cat": 5, "dog": 5}, "val": {"cat": 2, "dog": 2}, "test": {"dog": 2}}
    dataset, _ = prepare(write_parts(tmp_path, counts))
    assert dataset.class_names == ("cat", "dog")
    assert set(dataset.labels(dataset.rows(TEST))) == {1}
