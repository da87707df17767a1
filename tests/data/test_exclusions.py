"""Pictures left out by a list or by what a check printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dlcli.data.exclusions import exclude
from dlcli.data.index import DatasetIndex, ImageFile, SkippedFile
from dlcli.errors import DataError, UsageError
from dlcli.events import Event, Warned

PATHS = ("cat/1.png", "cat/2.png", "cat/deep/3.png", "dog/1.png", "emu/1.png", "emu/2.png")


@pytest.fixture
def index(tmp_path: Path) -> DatasetIndex:
    names = ("cat", "dog", "emu")
    files = tuple(ImageFile(path, names.index(path.split("/")[0])) for path in PATHS)
    skipped = (SkippedFile("stray.png", "lies beside the class folders, not in one"),)
    return DatasetIndex(tmp_path, names, files, skipped, empty_classes=("fox",), source=tmp_path)


class Heard:
    def __init__(self) -> None:
        self.warned: list[str] = []

    def report(self, event: Event) -> None:
        assert isinstance(event, Warned)
        self.warned.append(event.text)


def left_out(index: DatasetIndex, content: Any) -> tuple[set[str], list[str]]:
    """What is excluded by a file with that text, or that JSON, and what is said."""
    file, heard = index.folder / "list.txt", Heard()
    file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8-sig")
    found = exclude(index, file, heard)
    excluded = {one.path for one in found.skipped if one.reason == "excluded by list.txt"}
    assert {one.path for one in found.files} == {*PATHS} - excluded
    return excluded, heard.warned


def test_a_list_names_pictures_and_folders(index: DatasetIndex) -> None:
    text = f"# not these\r\n\r\n./cat/1.png\r\ncat/deep/\r\n {index.folder / 'emu' / '2.png'} \r\n"
    assert left_out(index, text) == ({"cat/1.png", "cat/deep/3.png", "emu/2.png"}, [])


def test_a_json_list_does_as_well(index: DatasetIndex) -> None:
    assert left_out(index, ["cat/1.png", "dog"]) == ({"cat/1.png", "dog/1.png"}, [])


def test_findings_say_what_to_leave_out(index: DatasetIndex) -> None:
    findings = [
        {"kind": "duplicate", "paths": ["cat/1.png", "cat/2.png"], "exclude": ["cat/2.png"]},
        {"kind": "dark", "paths": ["dog/1.png"], "exclude": []},
        {"kind": "corrupt", "paths": ["emu/1.png"], "detail": "truncated"},
        {"kind": "turned", "paths": ["emu/2.png"], "detail": "by EXIF"},
    ]
    document = {"schema": 1, "command": "check", "findings": findings}
    assert left_out(index, document) == ({"cat/2.png", "emu/1.png"}, [])


def test_what_is_named_and_not_there_is_said(index: DatasetIndex) -> None:
    excluded, warned = left_out(index, "stray.png\nno/1\ncat/1.png\nno/2\nno/3\nno/4\n")
    assert excluded == {"cat/1.png"}
    (warning,) = warned
    assert warning.startswith("4 paths are named by ")
    assert warning.endswith("and not in the data: no/1, no/2, no/3, ...")


def test_an_empty_list_leaves_all(index: DatasetIndex) -> None:
    assert left_out(index, "# nothing yet\n") == (set(), [])


def test_labels_are_numbered_anew_where_a_class_is_gone(index: DatasetIndex) -> None:
    (index.folder / "list").write_text("dog\n")
    found = exclude(index, index.folder / "list", Heard())
    assert found.class_names == ("cat", "emu")
    assert found.empty_classes == ("fox", "dog")
    assert [found.class_names[one.label] for one in found.files] == ["cat"] * 3 + ["emu"] * 2


@pytest.mark.parametrize("text", ["{", '{"findings": 3}', '{"runs": []}', "[1, 2]", "[[]]", "{}"])
def test_what_cannot_be_understood_is_refused(index: DatasetIndex, text: str) -> None:
    with pytest.raises(DataError, match="neither a list of paths nor the output of a check"):
        left_out(index, text)


def test_leaving_nothing_is_refused(index: DatasetIndex) -> None:
    with pytest.raises(DataError, match="leaves nothing of the pictures"):
        left_out(index, "cat\ndog\nemu\n")


def test_a_file_that_is_not_there_is_named(index: DatasetIndex) -> None:
    with pytest.raises(UsageError, match=r"^data\.exclude .*gone: there is no such file\."):
        exclude(index, index.folder / "gone", Heard())
    with pytest.raises(UsageError, match=r"^data\.exclude .*: cannot be read: "):
        exclude(index, index.folder, Heard())
