"""The main job as a user sees it: train, evaluate, predict, export; stdout, stderr, exit codes."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command, needs_shared, write_classes
from tests.e2e.conftest import Exported
from tests.ui.test_formats import REPORT_KEYS

CAT = ROOT / "sample_data" / "cat.jpg"


def test_train_leaves_a_whole_run(trained_run: Path) -> None:
    names = {path.name for path in trained_run.iterdir()}
    tables = {"run.json", "spec.yaml", "split.csv", "history.csv", "metrics.json"}
    assert names == {*tables, "report.html", "model"}
    model = {path.name for path in (trained_run / "model").iterdir()}
    assert model == {"model.json", "body.tflite", "head.npz", "typicality.npz", "val.npz"}
    description = json.loads((trained_run / "run.json").read_text())
    assert description["status"] == "completed"
    assert description["data"]["classes"] == ["cat", "dog", "elephant", "lion", "tiger"]


def test_split_csv_lists_every_picture_once(trained_run: Path, animals: Path) -> None:
    with open(trained_run / "split.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["path"] for row in rows} == {
        path.relative_to(animals).as_posix() for path in animals.rglob("*.jpg")
    }
    assert len(rows) == len({row["path"] for row in rows})
    assert all(row["path"].startswith(row["label"] + "/") for row in rows)


def test_train_prints_the_report_and_what_to_type_next(
    animals: Path, tmp_path: Path, dlcli: Command
) -> None:
    done = dlcli("train", animals, "--runs-dir", tmp_path, "--name", "mine")
    assert done.returncode == 0, done.stderr
    assert "95 % interval" in done.stdout
    assert "elephant" in done.stdout
    assert "Try it:     dlcli predict cat.jpg" in done.stdout
    assert "5 classes · 150 pictures" in done.stderr
    assert "\x1b[" not in done.stdout + done.stderr


def test_train_json_is_one_document(animals: Path, tmp_path: Path, dlcli: Command) -> None:
    done = dlcli("train", animals, "--runs-dir", tmp_path, "--json", "--quiet")
    document = json.loads(done.stdout)
    assert document["schema"] == 1
    assert document["command"] == "train"
    assert set(document) == {
        *("schema", "command", "dlcli", "run", "status", "classes", "num_images", "skipped"),
        *("stages", "best_epoch", "val", "test", "agreement", "seconds", "model"),
    }
    assert set(document["val"]) == set(document["test"]) == REPORT_KEYS
    assert sum(document["num_images"].values()) == 150
    assert document["test"]["accuracy"] > 0.7
    assert done.stderr == " warning: 23 test pictures are too few for a number to trust\n"


def test_evaluate_gives_the_numbers_of_the_training(trained_run: Path, dlcli: Command) -> None:
    done = dlcli("evaluate", "--run", trained_run, "--json")
    report = json.loads(done.stdout)["report"]
    trained = json.loads((trained_run / "metrics.json").read_text())["test"]
    assert report["confusion_matrix"] == trained["confusion_matrix"]
    assert report["log_loss"] == pytest.approx(trained["log_loss"], abs=1e-3)


def test_labels_do_not_shift_where_a_class_is_missing(
    trained_run: Path, animals: Path, tmp_path: Path, dlcli: Command
) -> None:
    for name in ("dog", "tiger"):
        shutil.copytree(animals / name, tmp_path / "field" / name)
    done = dlcli("evaluate", tmp_path / "field", "--run", trained_run, "--json")
    report = json.loads(done.stdout)["report"]
    assert report["accuracy"] > 0.8
    assert [scores["support"] for scores in report["classes"]] == [0, 30, 0, 0, 30]
    assert report["classes"][0]["recall"] is None


def test_evaluate_refuses_an_unknown_class_by_name(
    trained_run: Path, animals: Path, tmp_path: Path, dlcli: Command
) -> None:
    shutil.copytree(animals / "dog", tmp_path / "field" / "dogs")
    done = dlcli("evaluate", tmp_path / "field", "--run", trained_run)
    assert done.returncode == 4
    assert "does not know dogs. Did you mean dog?" in done.stderr
    assert done.stdout == ""


def test_predict_answers_every_input_in_order(
    trained_run: Path, animals: Path, tmp_path: Path, dlcli: Command
) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    pictures = sorted((animals / "lion").iterdir())[:9]
    inputs = [*pictures[:4], tmp_path / "text.jpg", *pictures[4:], tmp_path / "missing.jpg"]
    done = dlcli("predict", *inputs, "--run", trained_run, "--json")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 5
    assert [record["path"] for record in records] == [str(path) for path in inputs]
    assert [record["error"] for record in records if record["error"]] == [
        "not a picture",
        "no such file",
    ]
    assert "2 of 11 inputs could not be read" in done.stderr
    broken = records[4]
    assert broken["label"] is broken["probability"] is broken["top"] is broken["typicality"] is None
    assert broken["unknown"] is False
    assert [record["label"] for record in records].count("lion") >= 7


def test_predict_reads_paths_from_stdin(trained_run: Path, animals: Path, dlcli: Command) -> None:
    one, two = sorted((animals / "cat").iterdir())[:2]
    by_line = dlcli(
        "predict", "-", "--run", trained_run, "--format", "jsonl", input=f"{one}\n{two}\n"
    )
    by_nul = dlcli("predict", "-", "-0", "--run", trained_run, "--json", input=f"{one}\0{two}\0")
    assert by_line.returncode == 0
    assert len(by_line.stdout.splitlines()) == 2
    assert by_line.stdout == by_nul.stdout


def test_predict_writes_clean_tsv_by_default(
    trained_run: Path, animals: Path, dlcli: Command
) -> None:
    done = dlcli("predict", animals / "cat", "--run", trained_run)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(rows) == 30
    assert all(len(row) == 6 for row in rows)
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


def test_predict_top_is_capped_at_the_classes(trained_run: Path, dlcli: Command) -> None:
    done = dlcli("predict", CAT, "--run", trained_run, "--top", 99, "--json")
    record = json.loads(done.stdout)
    assert len(record["top"]) == 5
    assert sum(one["probability"] for one in record["top"]) == pytest.approx(1, abs=1e-5)
    assert 0 <= record["typicality"] <= 1


def test_the_latest_run_is_taken_and_named(trained_run: Path, dlcli: Command) -> None:
    done = dlcli("predict", CAT, "--runs-dir", trained_run.parent)
    assert done.returncode == 0
    assert str(trained_run) in done.stderr
    assert str(trained_run) not in done.stdout


def test_the_artefact_alone_is_enough(trained_run: Path, tmp_path: Path, dlcli: Command) -> None:
    shutil.copytree(trained_run / "model", tmp_path / "shipped")
    alone = dlcli("predict", CAT, "--run", tmp_path / "shipped", "--json")
    assert alone.stdout == dlcli("predict", CAT, "--run", trained_run, "--json").stdout


def test_the_built_in_classifier_knows_a_cat(dlcli: Command) -> None:
    done = dlcli("predict", CAT, "--run", "imagenet", "--json")
    assert json.loads(done.stdout)["label"] in ("Egyptian cat", "tabby", "tiger cat")


def test_a_resolved_spec_repeats_the_run(trained_run: Path, tmp_path: Path, dlcli: Command) -> None:
    done = dlcli("train", trained_run / "spec.yaml", "--runs-dir", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    again = Path(json.loads(done.stdout)["run"])
    assert (again / "split.csv").read_text() == (trained_run / "split.csv").read_text()
    head = "model/head.npz"
    assert (again / head).read_bytes() == (trained_run / head).read_bytes()


def test_a_folder_without_a_test_part_says_so(tmp_path: Path, dlcli: Command) -> None:
    write_classes(tmp_path / "data" / "train", {"a": 4, "b": 4})
    write_classes(tmp_path / "data" / "val", {"a": 2, "b": 2}, suffix=".bmp")
    done = dlcli("train", tmp_path / "data", "--runs-dir", tmp_path / "runs", "--json")
    document = json.loads(done.stdout)
    assert document["test"] is None
    assert "there is no test part" in done.stderr


@pytest.mark.slow
def test_an_export_proves_itself(trained_run: Path, exported: Exported, dlcli: Command) -> None:
    target, document = exported.folder, exported.document
    forms = [model["format"] for model in document["models"]]
    assert forms == ["saved_model", "litert", "onnx", "keras"]
    for model in document["models"]:
        assert model["parity"]["passed"] is True
        assert model["parity"]["max_abs_difference"] <= 1e-4
        assert model["parity"]["top_1_agreement"] == 1
        encoded = model["parity"]["encoded"]
        assert (encoded is None) == (model["format"] != "saved_model")
        if encoded is not None:
            assert encoded["num_images"] == model["parity"]["num_images"]
            assert encoded["max_abs_difference"] <= 1e-6
    assert sorted(document["files"]) == sorted(
        path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()
    )
    assert (target / "labels.txt").read_text() == "cat\ndog\nelephant\nlion\ntiger\n"
    again = dlcli("export", "--run", trained_run, "--format", "all", "-o", target)
    assert again.returncode == 2
    assert "--force" in again.stderr
    from_export = dlcli("predict", CAT, "--run", target, "--json")
    assert from_export.stdout == dlcli("predict", CAT, "--run", trained_run, "--json").stdout
    verified = dlcli("export", "--verify", target, "--json")
    assert json.loads(verified.stdout)["models"] == document["models"]
    assert json.loads(verified.stdout)["verified"] is True
    assert dlcli("export", "--verify", target, "--force").returncode == 2
    ask_as_a_server(target)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "share", "drop"), [("float16", 0.55, "0"), ("int8", 0.33, "5%")])
def test_a_quantised_model_is_smaller_and_nearly_as_good(
    kind: str, share: float, drop: str, trained_run: Path, tmp_path: Path, dlcli: Command
) -> None:
    target = tmp_path / "export"
    options = ("--run", trained_run, "--format", "litert", "--quantize", kind, "-o", target)
    done = dlcli("export", *options, "--max-drop", drop, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["body"] == kind
    size = (trained_run / "model" / "body.tflite").stat().st_size
    assert document["size_bytes"] < share * size
    parity = document["parity"]
    assert parity["accuracy_of_run"] - parity["accuracy_of_export"] <= 0.05
    assert parity["max_abs_difference"] > 1e-6
    verified = dlcli("export", "--verify", target, "--json")
    assert verified.returncode == 0, verified.stderr
    assert json.loads(verified.stdout)["parity"] == parity
    (described,) = json.loads((target / "export.json").read_text())["models"]
    assert described["max_drop"] == (0.05 if "%" in drop else 0)


def ask_as_a_server(export: Path) -> None:
    """What TensorFlow Serving does with the example: the b64 of its request, by the signature that
    it names, gives the answer beside it. In a process that knows nothing of dlcli."""
    program = """
import base64, json, sys
import tensorflow
request = json.load(open("serving/request.json"))
(expected,) = json.load(open("serving/response.json"))["predictions"]
serve = tensorflow.saved_model.load("1").signatures[request["signature_name"]]
contents = [base64.b64decode(instance["b64"]) for instance in request["instances"]]
answer = serve(image_bytes=tensorflow.constant(contents))
assert answer["label"].numpy()[0].decode() == expected["label"]
assert answer["label_index"].numpy()[0] == expected["label_index"]
assert abs(answer["probabilities"].numpy()[0] - expected["probabilities"]).max() < 1e-4
assert "dlcli" not in sys.modules
"""
    subprocess.run([sys.executable, "-P", "-c", program], cwd=export, check=True)


@pytest.mark.slow
def test_real_photos(tmp_path: Path, dlcli: Command) -> None:
    photos = needs_shared("data", "animals5")
    trained = dlcli("train", photos / "train", "--runs-dir", tmp_path, "--json")
    assert trained.returncode == 0, trained.stderr
    tested = dlcli("evaluate", photos / "test", "--runs-dir", tmp_path, "--json")
    assert json.loads(tested.stdout)["report"]["accuracy"] >= 0.955
    foreign = needs_shared("data", "clothing10")
    asked = dlcli("predict", foreign / "test" / "pants", "--runs-dir", tmp_path, "--json")
    unknown = [json.loads(line)["unknown"] for line in asked.stdout.splitlines()]
    assert len(unknown) > 20
    assert sum(unknown) / len(unknown) > 0.9
