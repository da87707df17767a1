"""A folder -> classes and candidates, by names alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dlcli.data.folders import index_folder, list_images, split_folders
from dlcli.data.index import DatasetIndex, SkippedFile
from dlcli.errors import DataError
from tests.conftest import is_root


def touch(folder: Path, *paths: str) -> Path:
    """Empty files: the index reads names only. A path that ends in / is a folder."""
    folder.mkdir(exist_ok=True)
    for path in paths:
        file = folder / path
        if path.endswith("/"):
            file.mkdir(parents=True)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    return folder


def paths(index: DatasetIndex) -> list[str]:
    return [file.path for file in index.files]


def link(path: Path, target: str) -> None:
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("links cannot be made here")


def test_classes_are_sorted_and_each_file_has_the_label_of_its_folder(tmp_path: Path) -> None:
    index = index_folder(touch(tmp_path, "zebra/1.png", "Ant/2.jpg", "Ant/10.jpg", "cat/a.webp"))
    assert index.class_names == ("Ant", "cat", "zebra")
    assert [(file.path, file.label, file.split) for file in index.files] == [
        ("Ant/10.jpg", 0, None),
        ("Ant/2.jpg", 0, None),
        ("cat/a.webp", 1, None),
        ("zebra/1.png", 2, None),
    ]
    assert index.counts() == {"Ant": 2, "cat": 1, "zebra": 1}
    assert not index.is_split


@pytest.mark.parametrize(
    "leftover",
    [
        *(".DS_Store", "._1.png", ".hidden.png", "Thumbs.db", "THUMBS.DB", "ehthumbs.db"),
        *("desktop.ini", "Desktop.ini", "__MACOSX/1.png", ".git/1.png", "@eaDir/1.png"),
        *(".ipynb_checkpoints/1.png", "$RECYCLE.BIN/1.png", "lost+found/1.png"),
        "System Volume Information/1.png",
    ],
)
def test_leftovers_are_neither_classes_nor_pictures(tmp_path: Path, leftover: str) -> None:
    touch(tmp_path, "cat/1.png", "dog/1.png", leftover, f"cat/{leftover}", f"cat/more/{leftover}")
    index = index_folder(tmp_path)
    assert index.class_names == ("cat", "dog")
    assert paths(index) == ["cat/1.png", "dog/1.png"]
    assert (index.skipped, index.num_ignored, index.empty_classes) == ((), 0, ())


def test_files_known_to_be_no_pictures_are_counted(tmp_path: Path) -> None:
    known = ("a.txt", "b.CSV", "c.json", "d.xml", "e.md", "f.ini", "g.db", "h.yaml")
    touch(tmp_path, "cat/1.png", "readme.md", *(f"cat/{name}" for name in known))
    index = index_folder(tmp_path)
    assert paths(index) == ["cat/1.png"]
    assert index.num_ignored == len(known) + 1
    assert index.skipped == ()


def test_a_stray_picture_is_skipped_with_its_reason(tmp_path: Path) -> None:
    index = index_folder(touch(tmp_path, "cat/1.png", "holiday.jpg"))
    assert paths(index) == ["cat/1.png"]
    (stray,) = index.skipped
    assert stray == SkippedFile("holiday.jpg", "lies beside the class folders, not in one")


@pytest.mark.parametrize("name", ["drawing.svg", "clip.mp4", "no_suffix", "photo.JPG", "a.heic"])
def test_all_else_under_a_class_is_a_candidate(tmp_path: Path, name: str) -> None:
    assert paths(index_folder(touch(tmp_path, f"cat/{name}"))) == [f"cat/{name}"]


def test_a_dangling_link_is_a_candidate(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.png")
    link(tmp_path / "cat" / "2.png", "nowhere.png")
    assert paths(index_folder(tmp_path)) == ["cat/1.png", "cat/2.png"]


def test_a_link_to_itself_is_a_candidate(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.png")
    link(tmp_path / "cat" / "2.png", "2.png")
    assert paths(index_folder(tmp_path)) == ["cat/1.png", "cat/2.png"]


def test_sub_folders_belong_to_their_class(tmp_path: Path) -> None:
    index = index_folder(touch(tmp_path, "cat/a/b/1.png", "cat/2.png", "cat/a/dog/3.png"))
    assert index.class_names == ("cat",)
    assert set(paths(index)) == {"cat/2.png", "cat/a/b/1.png", "cat/a/dog/3.png"}


def test_a_linked_folder_counts_and_a_circle_of_links_ends(tmp_path: Path) -> None:
    touch(tmp_path / "data", "cat/1.png", "dog/1.png")
    touch(tmp_path / "elsewhere", "3.png")
    link(tmp_path / "data" / "cat" / "more", str(tmp_path / "elsewhere"))
    link(tmp_path / "data" / "cat" / "up", "..")
    link(tmp_path / "elsewhere" / "self", ".")
    found = paths(index_folder(tmp_path / "data"))
    assert {"cat/1.png", "cat/more/3.png", "dog/1.png"} <= set(found)
    assert len(found) == len(set(found)) < 20


def test_an_empty_class_is_left_out_and_named(tmp_path: Path) -> None:
    index = index_folder(touch(tmp_path, "cat/1.png", "dog/", "emu/notes.txt", "fox/deep/er/"))
    assert index.class_names == ("cat",)
    assert index.empty_classes == ("dog", "emu", "fox")
    assert index.num_ignored == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], r"data: there are no pictures in this folder\. Put one sub-folder"),
        ([".hidden/1.png"], r"data: there are no pictures in this folder\."),
        (["1.png", "2.png"], r"no pictures in class folders here \(2 files beside them"),
        (["cat/", "dog/"], r"no pictures in class folders here .*empty folders: 2"),
    ],
)
def test_a_folder_without_pictures_in_classes_is_refused(
    tmp_path: Path, content: list[str], message: str
) -> None:
    folder = touch(tmp_path / "data", *content)
    with pytest.raises(DataError, match=message):
        index_folder(folder)


@pytest.mark.parametrize("error", [FileNotFoundError, NotADirectoryError])
def test_a_folder_that_changes_meanwhile_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    touch(tmp_path, "cat/1.png", "dog/deep/1.png")
    scan = os.scandir

    def scan_or_fail(folder: str) -> object:
        if str(folder).endswith("deep"):
            raise error(2, "gone")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", scan_or_fail)
    with pytest.raises(DataError, match=r"deep: this folder changed while it was being listed\."):
        index_folder(tmp_path)
    assert [Path(path).relative_to(tmp_path).as_posix() for path in list_images(tmp_path)] == [
        "cat/1.png",
        "dog/deep",
    ]


def test_folders_may_lie_deeper_than_calls_may(tmp_path: Path) -> None:
    touch(tmp_path, "dog/1.png")
    folders = [tmp_path / "cat"]
    try:
        for _ in range(sys.getrecursionlimit() + 100):
            folders[-1].mkdir()
            folders.append(folders[-1] / "d")
        picture = folders[-2] / "1.png"
        picture.touch()
    except OSError:
        pytest.skip("paths may not be that long here")
    try:
        assert paths(index_folder(tmp_path))[0] == picture.relative_to(tmp_path).as_posix()
        assert list(list_images(tmp_path / "cat")) == [str(picture)]
    finally:  # pytest, which removes it otherwise, would call itself as often
        picture.unlink()
        for folder in reversed(folders[:-1]):
            folder.rmdir()


@pytest.mark.skipif(is_root(), reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_refused_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.png", "dog/1.png")
    (tmp_path / "dog").chmod(0)
    try:
        with pytest.raises(DataError, match=r"dog: this folder may not be read\."):
            index_folder(tmp_path)
    finally:
        (tmp_path / "dog").chmod(0o700)


# --- folders that are split already ---


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "val", "test"),
        ("Training", "Validation", "Testing"),
        ("TRAIN", "valid", "Test"),
    ],
)
def test_split_folders_are_known_by_their_names(
    tmp_path: Path, train: str, val: str, test: str
) -> None:
    touch(tmp_path, f"{train}/cat/1.png", f"{train}/dog/2.png", f"{val}/cat/3.png")
    touch(tmp_path, f"{test}/dog/4.png", "notes.txt")
    index = index_folder(tmp_path)
    assert index.is_split
    assert index.class_names == ("cat", "dog")
    assert {(file.path, file.label, file.split) for file in index.files} == {
        (f"{train}/cat/1.png", 0, "train"),
        (f"{train}/dog/2.png", 1, "train"),
        (f"{val}/cat/3.png", 0, "val"),
        (f"{test}/dog/4.png", 1, "test"),
    }
    assert index.num_ignored == 1


@pytest.mark.parametrize("parts", [("train",), ("train", "test"), ("train", "val")])
def test_some_split_folders_suffice(tmp_path: Path, parts: tuple[str, ...]) -> None:
    touch(tmp_path, *(f"{part}/cat/1.png" for part in parts))
    index = index_folder(tmp_path)
    assert index.class_names == ("cat",)
    assert {file.split for file in index.files} == set(parts)


@pytest.mark.parametrize(
    "content",
    [
        ["train/1.png", "plane/1.png"],
        ["train/steam/1.png", "train/diesel/2.png", "plane/jet/1.png"],
        ["train/1.png", "test/1.png"],
        ["test/cat/1.png", "val/cat/1.png"],
    ],
    ids=["train is a vehicle", "of several kinds", "no folders below", "no train"],
)
def test_folders_that_only_sound_like_splits_are_classes(
    tmp_path: Path, content: list[str]
) -> None:
    index = index_folder(touch(tmp_path, *content))
    assert not index.is_split
    assert split_folders(tmp_path) == []
    assert index.class_names == tuple(sorted({path.split("/")[0] for path in content}))


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_part_without_class_folders_is_still_no_class(tmp_path: Path, part: str) -> None:
    index = index_folder(touch(tmp_path, "train/cat/1.png", "train/dog/2.png", f"{part}/3.png"))
    assert index.class_names == ("cat", "dog")
    assert [file.path for file in index.skipped] == [f"{part}/3.png"]


def test_another_folder_beside_the_parts_is_skipped_with_its_reason(tmp_path: Path) -> None:
    touch(tmp_path, "train/cat/1.png", "test/cat/2.png", "labels/cat/3.png")
    index = index_folder(tmp_path)
    assert index.class_names == ("cat",)
    assert index.skipped == (SkippedFile("labels/", "a folder that is no part of the split"),)


def test_strays_of_a_split_folder_are_skipped_with_their_reason(tmp_path: Path) -> None:
    index = index_folder(touch(tmp_path, "train/cat/1.png", "train/2.png", "3.png"))
    assert sorted(file.path for file in index.skipped) == ["3.png", "train/2.png"]
    assert all("beside the class folders" in file.reason for file in index.skipped)


# --- names ---


@pytest.mark.parametrize(
    "name",
    ["no", "null", "true", "1e5", "with space", "Größe", "猫", "[bold]", "a[0-9]*", "a;b,c"]
    + ["%s {0}", "-rf", "it's"]
    + ([] if os.name == "nt" else ["<script>", 'a"b', "two\nlines", "back\\slash", "tab\there"]),
)
def test_a_class_may_have_any_name(tmp_path: Path, name: str) -> None:
    touch(tmp_path, f"{name}/{name}.png", "other/1.png")
    index = index_folder(tmp_path)
    assert set(index.class_names) == {name, "other"}
    assert f"{name}/{name}.png" in paths(index)


def test_names_that_are_not_utf_8_are_kept(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    try:
        touch(tmp_path, f"{name}/{name}.png", "dog/1.png")
    except (OSError, UnicodeError):
        pytest.skip("this file system refuses names that are not UTF-8")
    index = index_folder(tmp_path)
    assert name in index.class_names
    found = next(path for path in paths(index) if path.startswith("caf"))
    assert os.fsencode(found) == b"caf\xe9/caf\xe9.png"
    assert (tmp_path / found).exists()


def test_the_pictures_below_a_folder_are_listed_as_given_paths(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.png", "b/10.png", "a.png", "c.txt", ".d/1.png", "b/e/1.svg")
    listed = [os.path.relpath(path, tmp_path) for path in list_images(tmp_path)]
    names = [("a.png",), ("b", "10.png"), ("b", "2.png"), ("b", "e", "1.svg")]
    assert listed == [os.path.join(*name) for name in names]
