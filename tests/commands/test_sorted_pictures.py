"""Pictures put into a folder for each class."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dlcli.commands.sorted_pictures import (
    SortedPictures,
    Sorting,
    folder_name,
    require_new_folder,
)
from dlcli.errors import UsageError
from dlcli.events import Warned
from tests.conftest import Recorder

NAMES = ("cat", "dog")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    for name in ("a.jpg", "b/a.jpg", "c/A.jpg", "d/a-2.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def sorted_into(
    folder: Path, *, links: bool = False, names: tuple[str, ...] = NAMES
) -> SortedPictures:
    return SortedPictures(Sorting(folder, links), names, Recorder())


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


@pytest.mark.parametrize(
    "links",
    [
        False,
        pytest.param(True, marks=pytest.mark.skipif(os.name == "nt", reason="links need a right")),
    ],
)
def test_each_goes_to_its_class_and_none_over_another(
    links: bool, pictures: Path, tmp_path: Path
) -> None:
    into = sorted_into(tmp_path / "out", links=links)
    for name in ("a.jpg", "b/a.jpg", "c/A.jpg", "d/a-2.jpg"):
        into.place(str(pictures / name), "cat")
    into.place(str(pictures / "a.jpg"), "dog")
    into.place(str(pictures / "b/a.jpg"), None)
    assert contents(tmp_path / "out") == {
        "cat/a.jpg": "a.jpg",
        "cat/a-2.jpg": "b/a.jpg",
        "cat/A-3.jpg": "c/A.jpg",
        "cat/a-2-2.jpg": "d/a-2.jpg",
        "dog/a.jpg": "a.jpg",
        "unknown/a.jpg": "b/a.jpg",
    }
    assert (tmp_path / "out" / "cat" / "a.jpg").is_symlink() is links


def test_many_that_are_called_alike(pictures: Path, tmp_path: Path) -> None:
    into = sorted_into(tmp_path / "out")
    for _ in range(50):
        into.place(str(pictures / "a.jpg"), "cat")
    assert len(contents(tmp_path / "out")) == 50


def test_a_class_called_unknown_keeps_its_folder(pictures: Path, tmp_path: Path) -> None:
    into = sorted_into(tmp_path / "out", names=("Unknown", "cat"))
    into.place(str(pictures / "a.jpg"), None)
    into.place(str(pictures / "b/a.jpg"), "Unknown")
    assert contents(tmp_path / "out") == {"unknown-/a.jpg": "a.jpg", "Unknown/a.jpg": "b/a.jpg"}


def test_names_that_no_folder_can_have(pictures: Path, tmp_path: Path) -> None:
    into = sorted_into(tmp_path / "out", names=("a/b", "a:b", ".."))
    for name in ("a/b", "a:b", ".."):
        into.place(str(pictures / "a.jpg"), name)
    assert set(contents(tmp_path / "out")) == {"a_b/a.jpg", "a_b-/a.jpg", "_/a.jpg"}
    assert folder_name("tab\there.") == "tab_here"


def test_bytes_without_a_file_are_written(tmp_path: Path) -> None:
    into = sorted_into(tmp_path / "out")
    into.place("camera.jpg", "cat", b"bytes")
    assert contents(tmp_path / "out") == {"cat/camera.jpg": "bytes"}


def test_a_picture_that_is_gone_is_said_and_the_rest_goes_on(tmp_path: Path) -> None:
    into = sorted_into(tmp_path / "out")
    into.place(str(tmp_path / "gone.jpg"), "cat")
    assert isinstance(into.reporter, Recorder)
    (event,) = into.reporter.events
    assert isinstance(event, Warned)
    assert "gone.jpg is gone since it was read" in event.text
    assert contents(tmp_path / "out") == {}


def test_a_new_or_empty_folder_is_fine(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty", "new/below"):
        require_new_folder(Sorting(tmp_path / name), ())


def test_where_something_lies_or_is_read_is_refused(pictures: Path) -> None:
    with pytest.raises(UsageError, match=r"--copy-to .*in: there is something in this folder"):
        require_new_folder(Sorting(pictures), ())
    with pytest.raises(UsageError, match=r"--link-to .*a.jpg: this is no folder"):
        require_new_folder(Sorting(pictures / "a.jpg", links=True), ())
    with pytest.raises(UsageError, match="its pictures would be found again"):
        require_new_folder(Sorting(pictures / "sorted"), (str(pictures),))
