"""Pictures left out by a list or by what a check printed."""

from __future__ import annotations

import json
import os
from dataclasses import replace
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


def test_absolute_paths_of_a_manifest_are_met_by_either_spelling(tmp_path: Path) -> None:
    away = (tmp_path.parent / "away").as_posix()
    listed = ("1.png", f"{tmp_path.as_posix()}/2.png", "../x/3.png", f"{away}/4.png")
    files = tuple(ImageFile(path, 0) for path in (*listed, "5.png"))
    index = DatasetIndex(tmp_path, ("cat",), files, source=tmp_path / "labels.csv")
    text = f"{tmp_path / '1.png'}\n2.png\n{tmp_path.parent / 'x'}/\n{away}/4.png\n"
    file, heard = tmp_path / "list", Heard()
    file.write_text(text)
    found = exclude(index, file, heard)
    assert [one.path for one in found.files] == ["5.png"]
    assert tuple(one.path for one in found.skipped) == listed
    assert heard.warned == []


def test_a_list_may_begin_like_json(index: DatasetIndex) -> None:
    files = (*index.files, ImageFile("[old]/1.png", 0), ImageFile("{x", 0))
    for text in ("[old]\ncat/1.png\n", "{x\ncat/1.png\n", "\n[old]/1.png\n{x\n"):
        (index.folder / "list").write_text(text)
        found = exclude(replace(index, files=files), index.folder / "list", Heard())
        assert len(files) - len(found.files) == 2


def test_a_number_alone_is_a_path(index: DatasetIndex) -> None:
    (index.folder / "list").write_text("3\n")
    found = exclude(
        replace(index, files=(*index.files, ImageFile("3/1.png", 0))),
        index.folder / "list",
        Heard(),
    )
    assert found.files == index.files


def test_names_that_are_not_utf_8_are_met(index: DatasetIndex) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    index = replace(index, files=(*index.files, ImageFile(name, 0)))
    for content in (b"caf\xe9.png\n", json.dumps([name]).encode()):
        (index.folder / "list").write_bytes(content)
        found = exclude(index, index.folder / "list", Heard())
        assert name not in [one.path for one in found.files]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_another_encoding_is_refused(index: DatasetIndex, encoding: str) -> None:
    (index.folder / "list").write_bytes("cat/1.png\n".encode(encoding))
    with pytest.raises(DataError, match=r"list: is not UTF-8 text\. Save it in UTF-8\."):
        exclude(index, index.folder / "list", Heard())


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


@pytest.mark.parametrize(
    "text",
    [
        *('{"findings": 3}', '{"runs": []}', '["cat/1.png", 2]', "{}", '["cat/1.png", ""]'),
        *('{"findings": ["cat/1.png"]}', '{"findings": [{"exclude": "cat"}]}', '["dog",]\n'),
        *('{"findings": [{"kind": "corrupt"}]}', '{"findings": [{"kind": [], "paths": []}]}'),
        *('{"command": "train", "findings": []}', '{"a":' * 100_000, '{"findings": [\n{}'),
        '{"findings": [{"exclude": {"cat/1.png": 1}}]}',
    ],
)
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
