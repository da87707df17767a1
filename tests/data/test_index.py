"""What was named -> a folder's list or a manifest's."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.data.index import index_dataset
from dlcli.errors import UsageError
from tests.conftest import write_classes


def test_a_folder_and_a_manifest_of_it_hold_the_same(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "data", {"cat": 3, "dog": 2})
    by_folder = index_dataset(folder)
    rows = [f"{file.path},{by_folder.class_names[file.label]}" for file in by_folder.files]
    manifest = folder / "labels.CSV"
    manifest.write_text("\n".join(["path,label", *rows]))
    by_manifest = index_dataset(manifest)
    assert by_manifest.files == by_folder.files
    assert by_manifest.class_names == by_folder.class_names
    assert by_manifest.folder == by_folder.folder == by_folder.source == folder
    assert by_manifest.source == manifest
    assert (by_folder.is_manifest, by_manifest.is_manifest) == (False, True)


def test_a_folder_called_like_a_manifest_is_a_folder(tmp_path: Path) -> None:
    assert not index_dataset(write_classes(tmp_path / "a.csv", {"cat": 1})).is_manifest


def test_what_is_not_there_and_what_is_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone: there is no such folder\. Name a folder"):
        index_dataset(tmp_path / "gone")
    with pytest.raises(UsageError, match=r"gone\.csv: there is no such file\. Name a manifest"):
        index_dataset(tmp_path / "gone.csv")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"file: this is a file, not a folder\. .*\(\.csv\)\.$"):
        index_dataset(tmp_path / "file")
