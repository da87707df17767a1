"""dlcli export --verify: what was written, what was changed since, and what is none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dlcli.commands import verify_export
from dlcli.commands.export import ExportOptions, run
from dlcli.commands.exported import EXPORT_JSON, ExportResult
from dlcli.errors import DataError, GateError, UsageError
from dlcli.events import NullReporter


@pytest.fixture(scope="module")
def written(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    target = tmp_path_factory.mktemp("exports") / "animals"
    options = ExportOptions(trained_run.parent, str(trained_run), "litert", target)
    return run(options, NullReporter())


@pytest.fixture
def export(written: ExportResult, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return shutil.copytree(written.folder, tmp_path / "animals")


def verify(folder: Path) -> ExportResult:
    return verify_export.run(folder, folder.parent, NullReporter())


def test_it_is_found_as_it_was_written(written: ExportResult, export: Path) -> None:
    found = verify(export)
    assert found.verified
    assert not written.verified
    assert found.parity == written.parity
    assert (found.files, found.size_bytes) == (written.files, written.size_bytes)
    assert found.parity.source == "pictures of val and test"


def test_where_the_run_is_not_noise_is_asked_about(export: Path) -> None:
    document = json.loads((export / EXPORT_JSON).read_text())
    (export / EXPORT_JSON).write_text(json.dumps({**document, "run": "nowhere"}))
    parity = verify(export).parity
    assert (parity.source, parity.num_images) == ("pictures of noise", 16)
    assert (parity.passed, parity.accuracy_of_run) == (True, None)


def test_a_run_of_the_same_name_that_is_another_is_not_taken(export: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "model").mkdir(parents=True)
    (other / "model" / "model.json").write_text("{}")
    document = json.loads((export / EXPORT_JSON).read_text())
    (export / EXPORT_JSON).write_text(json.dumps({**document, "run": str(other)}))
    assert verify(export).parity.source == "pictures of noise"


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", ["model.tflite", "model/body.tflite", "model/head.npz"])
def test_a_flipped_bit_is_found(name: str, export: Path) -> None:
    flip(export / name)
    with pytest.raises(DataError) as caught:
        verify(export)
    assert f"{name} is not the file that was written" in str(caught.value)


def test_a_missing_label_and_a_missing_file_are_both_told(export: Path) -> None:
    labels = (export / "labels.txt").read_text().splitlines(keepends=True)
    (export / "labels.txt").write_text("".join(labels[1:]))
    (export / "model.tflite").unlink()
    with pytest.raises(DataError) as caught:
        verify(export)
    assert "labels.txt is not the file that was written" in str(caught.value)
    assert "model.tflite cannot be read" in str(caught.value)


def test_another_shape_is_refused(export: Path) -> None:
    path = export / "model" / "model.json"
    document = json.loads(path.read_text())
    document["preprocessing"]["image_size"] = [192, 192]
    path.write_text(json.dumps(document))
    with pytest.raises(DataError, match=r"model/model\.json is not the file that was written"):
        verify(export)


def test_a_model_that_answers_otherwise_is_refused_though_its_sum_is_right(export: Path) -> None:
    from dlcli.artifact import open_artifact, sha256_of
    from dlcli.export.litert import append_head
    from dlcli.runtime.head import Head, load_head

    artifact = open_artifact(export / "model")
    head = load_head(artifact.file("head.npz"))
    other = Head(head.weights[:, ::-1].copy(), head.bias[::-1].copy(), head.temperature)
    body = artifact.file("body.tflite").read_bytes()
    (export / "model.tflite").write_bytes(append_head(body, other))
    document = json.loads((export / EXPORT_JSON).read_text())
    document["files"]["model.tflite"]["sha256"] = sha256_of(export / "model.tflite")
    (export / EXPORT_JSON).write_text(json.dumps(document))
    with pytest.raises(GateError, match="answers otherwise than the run"):
        verify(export)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"run": 1}', '{"run": "r", "models": [{"format": "litert"}]}']
)
def test_a_damaged_description_is_refused(text: str, export: Path) -> None:
    (export / EXPORT_JSON).write_text(text)
    with pytest.raises(DataError, match=r"export\.json: this file is damaged"):
        verify(export)


def test_a_format_of_a_later_version_is_refused(export: Path) -> None:
    document = json.loads((export / EXPORT_JSON).read_text())
    document["models"][0]["format"] = "hologram"
    (export / EXPORT_JSON).write_text(json.dumps(document))
    with pytest.raises(DataError, match="knows no format 'hologram'"):
        verify(export)


def test_what_is_no_export_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no export\.json in it\. Make one with: dlcli"):
        verify(tmp_path)
