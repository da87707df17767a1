"""dlcli export: which runs and targets are refused before any work."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from dlcli.commands.export import ExportOptions, run
from dlcli.commands.exported import EXPORT_JSON, MODEL_FILES
from dlcli.errors import DataError, ResourceError, UsageError
from dlcli.events import NullReporter, Warned
from tests.commands.test_plan import write_run
from tests.conftest import Recorder


def export(trained: Path, target: Path, *, force: bool = False) -> None:
    run(ExportOptions(trained.parent, str(trained), "litert", target, force), NullReporter())


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_of_somebody_else_is_never_overwritten(
    force: bool, trained_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(UsageError, match=r"there already\. Name another with -o") as caught:
        export(trained_run, tmp_path / "mine", force=force)
    assert "--force" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_earlier_export_is_overwritten_only_with_force(
    trained_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / EXPORT_JSON).write_text("{}")
    with pytest.raises(UsageError, match="Overwrite it with --force"):
        export(trained_run, tmp_path / "before")


def test_a_damaged_network_is_refused(tmp_path: Path) -> None:
    trained = write_run(tmp_path / "base")
    (trained / "model" / "model.keras").write_bytes(b"other")
    with pytest.raises(DataError, match=r"model\.keras: this file is damaged"):
        export(trained, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_drop": "1%"}, "--max-drop is what --quantize may cost"),
        ({"form": "keras", "quantize": "int8"}, "only a LiteRT model can be quantised"),
        ({"form": "all", "quantize": "int8"}, "only a LiteRT model can be quantised"),
        ({"quantize": "int8", "max_drop": "much"}, "'much' is no number"),
    ],
)
def test_what_does_not_go_together_is_refused_before_any_work(
    options: dict[str, str], sentence: str, trained_run: Path, tmp_path: Path
) -> None:
    form = options.pop("form", "litert")
    asked = ExportOptions(trained_run.parent, str(trained_run), form, tmp_path / "out", **options)
    with pytest.raises(UsageError, match=sentence):
        run(asked, NullReporter())
    assert not list(tmp_path.iterdir())


@pytest.fixture
def without_tf2onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else found(name)
    )


@pytest.mark.usefixtures("without_tf2onnx")
def test_of_all_formats_one_that_cannot_be_written_is_left_out(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = {form: MODEL_FILES[form] for form in ("litert", "onnx")}
    monkeypatch.setattr("dlcli.commands.export.MODEL_FILES", two)
    options = ExportOptions(trained_run.parent, str(trained_run), "all", tmp_path / "out")
    listener = Recorder()
    result = run(options, listener)
    (left_out,) = result.left_out
    assert left_out.format == "onnx"
    assert "tf2onnx, not installed" in left_out.reason
    assert [event.text for event in listener.events if isinstance(event, Warned)] == [
        f"onnx is left out: {left_out.reason}"
    ]
    assert [model.format for model in result.models] == ["litert"]
    assert not (tmp_path / "out" / "model.onnx").exists()


@pytest.mark.usefixtures("without_tf2onnx")
def test_where_no_format_can_be_written_nothing_is(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlcli.commands.export.MODEL_FILES", {"onnx": "model.onnx"})
    options = ExportOptions(trained_run.parent, str(trained_run), "all", tmp_path / "out")
    with pytest.raises(ResourceError, match="tf2onnx, not installed"):
        run(options, NullReporter())
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("without_tf2onnx")
def test_onnx_without_its_packages_says_how_to_get_them(trained_run: Path, tmp_path: Path) -> None:
    options = ExportOptions(trained_run.parent, str(trained_run), "onnx", tmp_path / "out")
    with pytest.raises(ResourceError, match=r"tf2onnx, not installed\..*dlcli-vision\[onnx\]"):
        run(options, NullReporter())
    assert not list(tmp_path.iterdir())
