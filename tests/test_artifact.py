"""The artefact: written, read back, and every damage found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlcli.artifact import (
    BODY,
    HEAD,
    MODEL_JSON,
    TYPICALITY,
    ModelFacts,
    open_artifact,
    sha256_of,
    write_artifact,
)
from dlcli.data.pixels import PixelFormat
from dlcli.errors import DataError

READING = {"reader": 2, "color": "rgb", "image_size": [96, 128], "resize": "pad"}
FACTS = ModelFacts("efficientnet-lite0", "imagenet", 3_415_586, 2562)
NAMES = ("cat", "dög", 'a,"b"\n', "\udcff")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in (BODY, HEAD, TYPICALITY):
        (folder / name).write_bytes(name.encode() * 100)
    write_artifact(folder, NAMES, PixelFormat((96, 128), "pad"), FACTS, 0.05)
    return folder


def change(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    path = folder / MODEL_JSON
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


def test_what_is_written_is_read_back(folder: Path) -> None:
    artifact = open_artifact(folder)
    assert artifact.class_names == NAMES
    assert artifact.pixel_format == PixelFormat((96, 128), "pad")
    assert artifact.model == FACTS
    assert artifact.unknown_below == 0.05
    assert set(artifact.sha256s) == {BODY, HEAD, TYPICALITY}
    assert artifact.file(HEAD) == folder / HEAD


def test_a_model_of_before_int8_bodies_has_one_of_float32(folder: Path) -> None:
    change(folder, lambda document: document["model"].pop("body"))
    assert open_artifact(folder).model.body == "float32"


def test_what_the_body_counts_in_is_kept(folder: Path) -> None:
    facts = replace(FACTS, body="int8")
    write_artifact(folder, NAMES, PixelFormat((96, 128), "pad"), facts, 0.05)
    assert open_artifact(folder).model == facts


def test_it_may_be_copied_elsewhere(folder: Path, tmp_path: Path) -> None:
    before = open_artifact(folder)
    copied = shutil.copytree(folder, tmp_path / "elsewhere" / "x")
    shutil.rmtree(folder)
    assert open_artifact(copied) == replace(before, folder=copied)


def test_a_model_that_cannot_tell_foreign_pictures_has_no_threshold(tmp_path: Path) -> None:
    for name in (BODY, HEAD):
        (tmp_path / name).write_bytes(b"x")
    write_artifact(tmp_path, ["a", "b"], PixelFormat(), FACTS, None)
    artifact = open_artifact(tmp_path)
    assert artifact.unknown_below is None
    assert set(artifact.sha256s) == {BODY, HEAD}


def test_the_contract_of_preprocessing_is_written_down(folder: Path) -> None:
    document = json.loads((folder / MODEL_JSON).read_text(encoding="ascii"))
    assert document["preprocessing"] == READING


def test_a_model_of_grey_pictures_says_so(tmp_path: Path) -> None:
    grey = PixelFormat((28, 28), "stretch", "grayscale")
    (tmp_path / BODY).write_bytes(b"x")
    write_artifact(tmp_path, ["a", "b"], grey, FACTS, None)
    document = json.loads((tmp_path / MODEL_JSON).read_text(encoding="ascii"))
    assert document["preprocessing"]["color"] == "grayscale"
    assert open_artifact(tmp_path).pixel_format == grey


def test_a_model_from_before_there_were_grey_ones_is_read(tmp_path: Path) -> None:
    """As dlcli wrote it when `color` was always rgb."""
    document = {
        "format": 1,
        "dlcli": "0.1.0",
        "class_names": ["a", "b"],
        "preprocessing": READING,
        "model": FACTS.__dict__,
        "unknown": {"typicality_below": None},
        "files": {},
    }
    (tmp_path / MODEL_JSON).write_text(json.dumps(document))
    assert open_artifact(tmp_path).pixel_format == PixelFormat((96, 128), "pad", "rgb")


@pytest.mark.parametrize("name", [BODY, HEAD, TYPICALITY])
@pytest.mark.parametrize("position", [0, 50, -1])
def test_a_flipped_byte_is_found(folder: Path, name: str, position: int) -> None:
    content = bytearray((folder / name).read_bytes())
    content[position] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: this file is damaged: its sha256") as caught:
        open_artifact(folder)
    assert "Train again, or take the run from a backup." in str(caught.value)


@pytest.mark.parametrize("name", [MODEL_JSON, BODY, HEAD, TYPICALITY])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: cannot be read: No such file"):
        open_artifact(folder)


@pytest.mark.parametrize("name", [MODEL_JSON, BODY])
def test_a_folder_in_the_place_of_a_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(DataError, match=rf"{name}: cannot be read"):
        open_artifact(folder)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"7", b'"text"', b"{}", b"\xff\xfe", b"\x00" * 50]
)
def test_a_broken_model_json_is_a_sentence(folder: Path, content: bytes) -> None:
    (folder / MODEL_JSON).write_bytes(content)
    with pytest.raises(DataError, match=r"model\.json: this file is damaged"):
        open_artifact(folder)


@pytest.mark.parametrize(
    "key", ["format", "class_names", "preprocessing", "model", "unknown", "files"]
)
def test_a_missing_key_is_a_sentence(folder: Path, key: str) -> None:
    change(folder, lambda document: document.pop(key))
    with pytest.raises(DataError, match=r"model\.json: this file is damaged"):
        open_artifact(folder)


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("class_names", []),
        ("class_names", None),
        ("class_names", "abc"),
        ("preprocessing", []),
        ("preprocessing", {**READING, "image_size": [96]}),
        ("preprocessing", {**READING, "image_size": 96}),
        ("preprocessing", {**READING, "image_size": ["a", "b"]}),
        ("preprocessing", {**READING, "image_size": [96, 96], "resize": "squeeze"}),
        ("preprocessing", {**READING, "color": "sepia"}),
        ("preprocessing", {**READING, "color": None}),
        ("preprocessing", {name: READING[name] for name in READING if name != "color"}),
        ("model", {"backbone": "x"}),
        ("model", {**FACTS.__dict__, "more": 1}),
        ("unknown", 0.05),
        ("unknown", {"typicality_below": "often"}),
        ("files", []),
        ("files", {"body.tflite": "abc"}),
        ("files", {"body.tflite": {}}),
    ],
)
def test_a_value_of_the_wrong_kind_is_a_sentence(folder: Path, section: str, value: Any) -> None:
    change(folder, lambda document: document.update({section: value}))
    with pytest.raises(DataError, match=r"model\.json: this file is damaged"):
        open_artifact(folder)


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (lambda document: document.update(format=2), "format 2 and reader 2"),
        (lambda document: document["preprocessing"].update(reader=9), "format 1 and reader 9"),
    ],
)
def test_another_version_is_refused_with_the_version_that_made_it(
    folder: Path, edit: Callable[[dict[str, Any]], None], found: str
) -> None:
    change(folder, edit)
    change(folder, lambda document: document.update(dlcli="9.8.7"))
    message = rf"model\.json: this model has {found}; .* Use the dlcli that made it \(9\.8\.7\)"
    with pytest.raises(DataError, match=message):
        open_artifact(folder)


def test_sha256_is_that_of_the_standard(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "a") == expected
