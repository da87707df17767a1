"""A run on an int8 body, as a user sees it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT, Command
from tests.e2e.test_bad_input import one_sentence

CAT = ROOT / "sample_data" / "cat.jpg"
INT8 = ("--set", "model.body=int8")


@pytest.fixture(scope="module")
def int8_run(tmp_path_factory: pytest.TempPathFactory, animals: Path, dlcli: Command) -> Path:
    runs = tmp_path_factory.mktemp("int8")
    done = dlcli("train", animals, "--runs-dir", runs, "--name", "own", *INT8, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["model"]["body"] == "int8"
    assert document["test"]["accuracy"] >= 0.8
    assert "224 x 224 px, int8" in done.stderr
    assert "quantised for these pictures" in done.stderr
    return runs / "own"


def test_the_run_says_which_body_it_is(int8_run: Path, trained_run: Path) -> None:
    document = json.loads((int8_run / "model" / "model.json").read_text())
    assert document["model"]["body"] == "int8"
    assert "body: int8" in (int8_run / "spec.yaml").read_text()
    body, other = (run / "model" / "body.tflite" for run in (int8_run, trained_run))
    assert body.stat().st_size < 0.33 * other.stat().st_size


def test_training_again_gives_the_same_head(
    int8_run: Path, animals: Path, tmp_path: Path, dlcli: Command
) -> None:
    done = dlcli("train", animals, "--runs-dir", tmp_path, "--name", "again", *INT8)
    assert done.returncode == 0, done.stderr
    assert "quantised" not in done.stderr
    for name in ("body.tflite", "head.npz"):
        first = (int8_run / "model" / name).read_bytes()
        assert first == (tmp_path / "again" / "model" / name).read_bytes()


def test_evaluate_and_predict_use_it(int8_run: Path, dlcli: Command) -> None:
    done = dlcli("evaluate", "--run", int8_run, "--json")
    metrics = json.loads((int8_run / "metrics.json").read_text())
    report = json.loads(done.stdout)["report"]
    assert report["confusion_matrix"] == metrics["test"]["confusion_matrix"]
    asked = dlcli("predict", CAT, "--run", int8_run, "--json")
    assert json.loads(asked.stdout)["error"] is None


def test_its_litert_export_is_int8_and_exact(
    int8_run: Path, tmp_path: Path, dlcli: Command
) -> None:
    target = tmp_path / "export"
    done = dlcli("export", "--run", int8_run, "--format", "litert", "-o", target, "--json")
    document = json.loads(done.stdout)
    assert (document["body"], document["parity"]["passed"]) == ("int8", True)
    assert document["parity"]["max_abs_difference"] <= 1e-5
    assert (target / "model.tflite").stat().st_size < 5e6
    from_export = dlcli("predict", CAT, "--run", target, "--json")
    assert from_export.stdout == dlcli("predict", CAT, "--run", int8_run, "--json").stdout


def test_it_is_not_quantised_again(int8_run: Path, tmp_path: Path, dlcli: Command) -> None:
    more = ("--format", "litert", "--quantize", "int8", "-o", tmp_path / "out")
    one_sentence(dlcli("export", "--run", int8_run, *more), 2, "int8 already", "Leave it out")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["keras", "saved_model"])
def test_other_exports_are_float32_and_say_by_how_much_they_differ(
    form: str, int8_run: Path, tmp_path: Path, dlcli: Command
) -> None:
    target = tmp_path / "export"
    done = dlcli("export", "--run", int8_run, "--format", form, "-o", target)
    assert done.returncode == 0, done.stderr
    assert "The run's body is int8, this one float32" in done.stdout
    document = json.loads((target / "export.json").read_text())
    assert (document["body"], document["parity"]["passed"]) == ("float32", True)
    assert 1e-4 < document["parity"]["max_abs_difference"] < 1
    assert document["parity"]["top_1_agreement"] >= 0.9


def test_a_new_head_stands_on_it(
    int8_run: Path, animals: Path, tmp_path: Path, dlcli: Command
) -> None:
    weights = f"model.weights={int8_run}"
    done = dlcli("train", animals, "--runs-dir", tmp_path, "--name", "new", "--set", weights)
    assert done.returncode == 0, done.stderr
    body, head = ("model/body.tflite", "model/head.npz")
    assert (tmp_path / "new" / body).read_bytes() == (int8_run / body).read_bytes()
    with np.load(tmp_path / "new" / head) as new, np.load(int8_run / head) as old:
        np.testing.assert_allclose(new["weights"], old["weights"], atol=1e-4)
    model = json.loads((tmp_path / "new" / "model" / "model.json").read_text())["model"]
    assert model["body"] == "int8"


def test_labels_are_judged_with_it(int8_run: Path, animals: Path, dlcli: Command) -> None:
    done = dlcli("check", animals, "--labels", int8_run, "--json")
    assert done.returncode == 0, done.stderr
    assert "heads that had not seen them agree with 9" in done.stderr


def test_it_is_refused_where_layers_are_trained(animals: Path, dlcli: Command) -> None:
    done = dlcli("train", animals, *INT8, "--set", "model.weights=random", "--dry-run")
    assert done.returncode == 3
    assert "model.body must be float32 where layers are trained" in done.stderr
