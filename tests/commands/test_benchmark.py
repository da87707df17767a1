"""dlcli benchmark: what is timed, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dlcli.commands.benchmark import BenchmarkOptions, TimedModel, run
from dlcli.commands.export import ExportOptions
from dlcli.commands.export import run as export
from dlcli.errors import DataError, UsageError
from dlcli.events import NullReporter


@pytest.fixture(scope="module")
def exported(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("exports") / "animals"
    options = ExportOptions(trained_run.parent, str(trained_run), "litert", target)
    return export(options, NullReporter()).folder


def benchmark(target: Path, seconds: float = 0.1) -> tuple[TimedModel, ...]:
    options = BenchmarkOptions((str(target),), target.parent, seconds)
    return run(options, NullReporter()).models


def test_an_exported_model_is_timed_and_scored_on_its_run_s_pictures(exported: Path) -> None:
    (model,) = benchmark(exported)
    assert (model.target, model.format, model.body) == (str(exported), "litert", "float32")
    assert model.size_bytes == (exported / "model.tflite").stat().st_size
    assert (model.num_images, model.source) == (46, "pictures of val and test")
    assert model.accuracy is not None
    assert model.accuracy > 0.8
    assert 0 < model.pace.median_seconds <= model.pace.p95_seconds
    assert model.pace.images_per_second > 1


def test_away_from_its_run_it_has_no_accuracy(exported: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exported, tmp_path / "copy")
    description = (folder / "export.json").read_text()
    run_name = description.split('"run": "')[1].split('"')[0]
    (folder / "export.json").write_text(description.replace(run_name, "nowhere"))
    (model,) = benchmark(folder)
    assert (model.source, model.accuracy) == ("pictures of noise", None)


def test_a_tampered_model_is_not_timed(exported: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exported, tmp_path / "copy")
    content = bytearray((folder / "model.tflite").read_bytes())
    content[-100] ^= 1
    (folder / "model.tflite").write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"model\.tflite is not the file that was written"):
        benchmark(folder)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        benchmark(tmp_path / "nowhere")


@pytest.mark.slow
def test_a_run_is_timed_in_every_format_and_leaves_nothing_behind(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    models = benchmark(trained_run)
    assert [model.format for model in models] == ["saved_model", "litert", "onnx", "keras"]
    assert len({model.accuracy for model in models}) == 1
    assert not list(tmp_path.iterdir())
