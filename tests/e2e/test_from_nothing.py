"""Networks trained from nothing, and from what an earlier run learned, as a user sees them."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.conftest import ROOT, Command
from tests.e2e.test_bad_input import one_sentence
from tests.test_imports import FRAMEWORKS, imported_by

CAT = ROOT / "sample_data" / "cat.jpg"
COLUMNS = "epoch,stage,loss,accuracy,val_loss,val_accuracy,learning_rate,kept"
NUM_PICTURES = 24
SPEC = """\
data: {folder: ./colours, image_size: 16}
model:
  layers:
    - rescaling: {scale: 0.0078, offset: -1}
    - conv2d: {filters: 8, kernel_size: 3, strides: 2}
    - batch_normalization: {momentum: 0.8}
    - relu
    - global_average_pooling2d
train: {epochs: 3, learning_rate: 0.02}
"""
NO_RESCALING = "model.layers rescales and normalizes nothing"
EXPECTED_LINES = (
    r" colours · 3 classes · 72 pictures · blue 24, green 24, red 24",
    r" device: CPU, \d+ threads? · model: the layers of the spec, random weights, 16 x 16 px",
    r"   (layers|rescaling_0|conv2d_1|batch_normalization_2|relu_3|global_average_pooling2d_4|"
    r"probabilities) .*",
    r"   283 parameters, 267 of them trained; 8 pictures at a time take about .* of memory",
    r" plan: all layers for up to 3 epochs, 8 pictures a step, learning rate 0\.02; augmented .*",
    r" split: 50 train, 11 val, 11 test \(seed 0\)",
    r" warning: 11 test pictures are too few for a number to trust",
    r" all layers +epoch [123]/3  loss \d\.\d{3}  val loss \d\.\d{3}  val accuracy \d\.\d{3}",
    r" all layers +val accuracy \d\.\d{3}  \(epoch [123] kept\)",
    r" (reading pictures|features|converting the body) .* s.*",  # on a slow machine
)


@dataclass(frozen=True)
class Work:
    """A folder with pictures, a spec and `runs/`, in which `runs/base` was trained."""

    folder: Path
    done: subprocess.CompletedProcess[str]

    @property
    def base(self) -> Path:
        return self.folder / "runs" / "base"


def write_colours(folder: Path, names: tuple[str, ...] = ("red", "green", "blue")) -> Path:
    """A class of noise for each of the three channels."""
    rng = np.random.default_rng(0)
    for channel, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(NUM_PICTURES):
            pixels = rng.integers(0, 90, (20, 20, 3), np.uint8)
            pixels[..., channel] += 120
            Image.fromarray(pixels).save(folder / name / f"{number:02}.png")
    return folder


def write_greys(folder: Path) -> Path:
    """Three classes of noise, each brighter than the one before."""
    rng = np.random.default_rng(0)
    for step, name in enumerate(("black", "grey", "white")):
        (folder / name).mkdir(parents=True)
        for number in range(NUM_PICTURES):
            pixels = rng.integers(90 * step, 90 * step + 60, (20, 16), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, dlcli: Command) -> Work:
    """A run of SPEC; tests must not change it."""
    folder = tmp_path_factory.mktemp("work")
    write_colours(folder / "colours")
    (folder / "spec.yaml").write_text(SPEC)
    done = dlcli("train", "spec.yaml", "--name", "base", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return Work(folder, done)


@pytest.fixture(scope="module")
def head_run(work: Work) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A head on the frozen body of `runs/base`, by import time: which modules it loads."""
    (work.folder / "head.yaml").write_text(
        "data: {folder: ./colours}\nmodel: {weights: runs/base}\n"
    )
    command = [sys.executable, "-X", "importtime", "-m", "dlcli", "train", "head.yaml", "--json"]
    done = subprocess.run(
        [*command, "--name", "head"], cwd=work.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return work.folder / "runs" / "head", done


def history(run: Path) -> list[dict[str, str]]:
    with open(run / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def kernel(run: Path, layer: str) -> NDArray[np.float32]:
    """The first weight of a layer in model.keras."""
    with zipfile.ZipFile(run / "model" / "model.keras") as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content, "r") as file:
        return np.asarray(file[f"layers/{layer}/vars/0"])


def with_change(spec: str, old: str, new: str) -> str:
    """`spec` with one piece of its text changed."""
    assert spec.count(old) == 1
    return spec.replace(old, new)


def test_a_run_is_whole(work: Work) -> None:
    names = {path.name for path in work.base.iterdir()}
    tables = {"run.json", "spec.yaml", "split.csv", "history.csv", "metrics.json"}
    assert names == {*tables, "report.html", "model"}
    model = {path.name for path in (work.base / "model").iterdir()}
    files = {"body.tflite", "head.npz", "model.json", "model.keras", "typicality.npz", "val.npz"}
    assert model == files
    assert json.loads((work.base / "run.json").read_text())["status"] == "completed"
    facts = json.loads((work.base / "model" / "model.json").read_text())
    assert facts["model"] == {
        "backbone": None,
        "weights": "random",
        "parameters": 283,
        "trainable_parameters": 267,
        "body": "float32",
        "pooling": "average",
        "refit": False,
    }


def test_history_has_a_row_an_epoch(work: Work) -> None:
    assert (work.base / "history.csv").read_text().splitlines()[0] == COLUMNS
    rows = history(work.base)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert {row["stage"] for row in rows} == {"all layers"}
    assert [row["kept"] for row in rows].count("True") == 1
    numbers = [float(row[key]) for row in rows for key in COLUMNS.split(",")[2:7]]
    assert np.isfinite(numbers).all()


def test_the_document_says_what_the_files_say(work: Work) -> None:
    document = json.loads(work.done.stdout)
    metrics = json.loads((work.base / "metrics.json").read_text())
    assert document["val"] == metrics["val"]
    assert document["test"] == metrics["test"]
    assert document["test"]["accuracy"] == 1
    assert document["num_images"] == {"train": 50, "val": 11, "test": 11, "skipped": 0}
    [stage] = document["stages"]
    assert (stage["name"], stage["epochs"]) == ("all layers", 3)
    [kept] = [row for row in history(work.base) if row["kept"] == "True"]
    assert document["best_epoch"] == int(kept["epoch"])
    assert stage["val_accuracy"] == float(kept["val_accuracy"])


def test_stderr_holds_our_lines_and_nobody_else_s(work: Work) -> None:
    lines = work.done.stderr.splitlines()
    known = [next((n for n, k in enumerate(EXPECTED_LINES) if re.fullmatch(k, line)), None)
             for line in lines]  # fmt: skip
    assert [line for line, kind in zip(lines, known, strict=True) if kind is None] == []
    assert set(range(len(EXPECTED_LINES) - 1)) <= set(known)


def test_predict_and_evaluate_load_no_framework(work: Work) -> None:
    for args in (("predict", work.folder / "colours" / "red"), ("evaluate",)):
        imported = imported_by(*args, "--run", work.base)
        assert "ai_edge_litert.interpreter" in imported
        assert not imported & FRAMEWORKS


def test_evaluate_gives_the_numbers_of_the_training(work: Work, dlcli: Command) -> None:
    done = dlcli("evaluate", "--run", work.base, "--json")
    report = json.loads(done.stdout)["report"]
    trained = json.loads((work.base / "metrics.json").read_text())["test"]
    assert report["confusion_matrix"] == trained["confusion_matrix"]
    assert report["log_loss"] == pytest.approx(trained["log_loss"], abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["saved_model", "litert", "keras"])
def test_an_export_answers_as_the_run(
    form: str, work: Work, tmp_path: Path, dlcli: Command
) -> None:
    target = tmp_path / "export"
    done = dlcli("export", "--run", work.base, "--format", form, "-o", target, "--json")
    assert done.returncode == 0, done.stderr
    parity = json.loads(done.stdout)["parity"]
    assert (parity["passed"], parity["top_1_agreement"]) == (True, 1)
    assert (parity["num_images"], parity["source"]) == (22, "pictures of val and test")
    assert parity["max_abs_difference"] <= 1e-4
    assert all(line.startswith(" ") for line in done.stderr.splitlines())


@pytest.mark.slow
def test_the_resolved_spec_repeats_the_run_and_quiet_is_quiet(work: Work, dlcli: Command) -> None:
    spec = work.base / "spec.yaml"
    done = dlcli("train", spec, "--name", "again", "--json", "--quiet", cwd=work.folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == " warning: 11 test pictures are too few for a number to trust\n"
    again = work.folder / "runs" / "again"
    for name in ("history.csv", "metrics.json", "split.csv", "spec.yaml", "model/head.npz"):
        assert (again / name).read_bytes() == (work.base / name).read_bytes(), name
    assert json.loads(done.stdout)["test"] == json.loads(work.done.stdout)["test"]


@pytest.mark.slow
def test_grey_pictures_from_end_to_end(tmp_path: Path, dlcli: Command) -> None:
    write_greys(tmp_path / "greys")
    spec = with_change(SPEC, "./colours, image_size: 16", "./greys, image_size: [20, 16]")
    (tmp_path / "spec.yaml").write_text(with_change(spec, "16]}", "16], color: grayscale}"))
    done = dlcli("train", "spec.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "random weights, 20 x 16 px, grey" in done.stderr
    assert json.loads(done.stdout)["model"]["parameters"] == 283 - 2 * 72
    run = tmp_path / "runs" / "greys-1"
    facts = json.loads((run / "model" / "model.json").read_text())["preprocessing"]
    assert (facts["image_size"], facts["color"]) == ([20, 16], "grayscale")
    bright = Image.new("RGB", (40, 60), (250, 240, 200))
    bright.save(tmp_path / "colour.png")
    asked = dlcli("predict", tmp_path / "colour.png", CAT, "--run", run, "--json")
    assert asked.returncode == 0, asked.stderr
    records = [json.loads(line) for line in asked.stdout.splitlines()]
    assert records[0]["label"] == "white"
    assert records[1]["error"] is None
    target = tmp_path / "export"
    made = dlcli("export", "--run", run, "--format", "litert", "-o", target, "--json")
    assert json.loads(made.stdout)["parity"]["passed"] is True, made.stderr


HEADLESS = """\
data: {folder: ./colours, image_size: 16}
model:
  layers:
    - global_average_pooling2d
    - dense: {units: 3, activation: softmax}
    - head: none
train: {epochs: 2, learning_rate: 0.02}
"""


@pytest.mark.slow
def test_a_list_with_a_classifier_of_its_own(work: Work, tmp_path: Path, dlcli: Command) -> None:
    spec = work.folder / "headless.yaml"
    spec.write_text(HEADLESS)
    done = dlcli("train", spec, "--runs-dir", tmp_path, "--name", "own", "--quiet", "--json")
    assert done.returncode == 0, done.stderr
    assert NO_RESCALING in done.stderr
    assert json.loads(done.stdout)["model"]["parameters"] == 12
    asked = dlcli("predict", work.folder / "colours", "--run", tmp_path / "own", "--json")
    records = [json.loads(line) for line in asked.stdout.splitlines()]
    assert len(records) == 72
    assert all(0 <= record["probability"] <= 1 for record in records)
    target = tmp_path / "export"
    made = dlcli("export", "--run", tmp_path / "own", "--format", "keras", "-o", target, "--json")
    assert json.loads(made.stdout)["parity"]["passed"] is True, made.stderr


def test_a_classifier_of_its_own_for_other_classes(work: Work, dlcli: Command) -> None:
    spec = work.folder / "wrong.yaml"
    spec.write_text(with_change(HEADLESS, "units: 3", "units: 4"))
    done = dlcli("train", "wrong.yaml", "--name", "wrong", cwd=work.folder)
    one_sentence(done, 3, "wrong.yaml:5:7 model.layers[1] leaves (4,)", "3 classes: (3,)")
    assert not (work.folder / "runs" / "wrong").exists()


@pytest.mark.slow
def test_a_run_goes_on_where_another_ended(work: Work, dlcli: Command) -> None:
    options = ("--set", "model.weights=base", "--set", "train.learning_rate=1e-6")
    options = (*options, "--set", "train.epochs=1", "--name", "on", "--json")
    done = dlcli("train", "spec.yaml", *options, cwd=work.folder)
    assert done.returncode == 0, done.stderr
    base = str(work.base.resolve())
    assert f" all layers begin with the weights of {base}\n" in done.stderr
    assert f"the layers of the spec, weights of {base}, 16 x 16 px" in done.stderr
    [row] = history(work.folder / "runs" / "on")
    assert float(row["val_accuracy"]) > 0.9
    assert json.loads(done.stdout)["model"]["weights"] == base


@pytest.mark.slow
def test_other_classes_get_a_head_of_their_own(work: Work, tmp_path: Path, dlcli: Command) -> None:
    write_colours(tmp_path / "others", ("warm", "leafy", "cold"))
    options = ("--set", f"model.weights={work.base}", "--set", "train.learning_rate=1e-6")
    options = (*options, "--set", "train.epochs=1", "--set", f"data.folder={tmp_path / 'others'}")
    options = (*options, "--runs-dir", tmp_path / "runs", "--name", "new", "--json")
    done = dlcli("train", work.folder / "spec.yaml", *options)
    assert done.returncode == 0, done.stderr
    said = f" the body begins with the weights of {work.base.resolve()}; the head is new\n"
    assert said in done.stderr
    assert json.loads(done.stdout)["classes"] == ["cold", "leafy", "warm"]
    run = tmp_path / "runs" / "new"
    np.testing.assert_allclose(kernel(run, "conv2d"), kernel(work.base, "conv2d"), atol=1e-4)
    assert np.abs(kernel(run, "dense") - kernel(work.base, "dense")).max() > 0.1


def test_a_head_on_the_body_of_a_run(
    work: Work, head_run: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    run, done = head_run
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "sklearn.linear_model" in imported
    assert not imported & FRAMEWORKS
    base = str(work.base.resolve())
    assert f" the head is new; the body is that of {base}\n" in done.stderr
    document = json.loads(done.stdout)
    assert document["test"]["accuracy"] == 1
    assert document["model"] == {
        "backbone": None,
        "weights": base,
        "parameters": 283,
        "trainable_parameters": 27,
        "body": "float32",
        "pooling": "average",
        "refit": False,
    }
    model = {path.name for path in (run / "model").iterdir()}
    features = {"typicality.npz", "val.npz"}
    assert model == {"body.tflite", "head.npz", "model.json", "body.keras", *features}
    body = (work.base / "model" / "body.tflite").read_bytes()
    assert (run / "model" / "body.tflite").read_bytes() == body
    assert (run / "history.csv").read_text().splitlines()[0] == COLUMNS
    assert history(run)[0]["stage"] == "head"
    assert history(run)[0]["loss"] == history(run)[0]["learning_rate"] == ""


@pytest.mark.slow
def test_a_head_on_the_body_of_a_run_can_be_exported(
    head_run: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path, dlcli: Command
) -> None:
    target = tmp_path / "export"
    made = dlcli("export", "--run", head_run[0], "--format", "keras", "-o", target, "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["parity"]["passed"] is True


def test_its_resolved_spec_repeats_the_head(
    work: Work, head_run: tuple[Path, subprocess.CompletedProcess[str]], dlcli: Command
) -> None:
    done = dlcli("train", head_run[0] / "spec.yaml", "--name", "head2", cwd=work.folder)
    assert done.returncode == 0, done.stderr
    again = work.folder / "runs" / "head2"
    for name in ("history.csv", "metrics.json", "model/head.npz"):
        assert (again / name).read_bytes() == (head_run[0] / name).read_bytes(), name
    plans, specs = zip(
        *((run / "spec.yaml").read_text().split("\n", 1) for run in (head_run[0], again)),
        strict=True,
    )
    assert specs[0] == specs[1]
    assert all(plan.startswith("# plan: a head on the features") for plan in plans)


def test_pictures_of_another_size_than_the_body_s(
    work: Work, head_run: tuple[Path, subprocess.CompletedProcess[str]], dlcli: Command
) -> None:
    assert head_run[0].exists()
    (work.folder / "other.yaml").write_text(
        "data:\n  folder: ./colours\n  image_size: 32\nmodel: {weights: runs/base}\n"
    )
    done = dlcli("train", "other.yaml", cwd=work.folder)
    one_sentence(done, 3, "other.yaml:3:3 data.image_size must be [16, 16], as in", "[32, 32]")


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("bse", "model.weights bse: there is no such run. Name a run, a .keras"),
        ("runs/nowhere", "there is no such run"),
        ("none.keras", "model.weights none.keras: there is no such weight file"),
        ("none.weights.h5", "model.weights none.weights.h5: there is no such weight file"),
    ],
)
@pytest.mark.parametrize("target", ["spec.yaml", "colours"])
def test_weights_that_are_not_there(
    weights: str, words: str, target: str, work: Work, dlcli: Command
) -> None:
    done = dlcli("train", target, "--set", f"model.weights={weights}", cwd=work.folder)
    one_sentence(done, 2, words)


def test_layers_cannot_begin_with_a_head_alone(
    trained_run: Path, work: Work, dlcli: Command
) -> None:
    done = dlcli("train", "spec.yaml", "--set", f"model.weights={trained_run}", cwd=work.folder)
    one_sentence(done, 2, str(trained_run), "only a head was trained there", "weights: imagenet")


def test_a_damaged_weight_file(work: Work, dlcli: Command) -> None:
    (work.folder / "cut.keras").write_bytes((work.base / "model" / "model.keras").read_bytes()[:99])
    done = dlcli("train", "spec.yaml", "--set", "model.weights=cut.keras", cwd=work.folder)
    one_sentence(done, 4, "cut.keras", "no readable weight file")


def test_imagenet_weights_that_cannot_be_fetched(
    work: Work, tmp_path: Path, dlcli: Command
) -> None:
    dead = "http://127.0.0.1:9"
    environment = {**os.environ, "KERAS_HOME": str(tmp_path), "https_proxy": dead}
    begun = time.monotonic()
    done = dlcli(
        *("train", "colours", "--set", "model.backbone=vgg16", "--set", "data.image_size=32"),
        *("--name", "vgg"),
        cwd=work.folder,
        env=environment,
    )
    assert time.monotonic() - begun < 60, "it hangs"
    file = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    url = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{file}"
    one_sentence(done, 7, f"Put {url} into {tmp_path / 'models'} as {file}")
    assert not (work.folder / "runs" / "vgg").exists()
    assert list((tmp_path / "models").iterdir()) == []


def test_a_backbone_that_nobody_knows(work: Work, dlcli: Command) -> None:
    done = dlcli("train", "colours", "--set", "model.backbone=resnet5", cwd=work.folder)
    one_sentence(done, 3, "model.backbone must be a backbone, got 'resnet5'. Did you mean resnet50")


@pytest.fixture
def unreadable(tmp_path: Path) -> Path:
    """A folder with SPEC in which no picture can be read."""
    for name in ("blue", "green", "red"):
        (tmp_path / "colours" / name).mkdir(parents=True)
        for number in range(NUM_PICTURES):
            (tmp_path / "colours" / name / f"{number:02}.png").write_text(f"{name} {number}")
    (tmp_path / "spec.yaml").write_text(SPEC)
    return tmp_path


def test_what_only_keras_can_check_is_checked_before_a_picture_is_read(
    unreadable: Path, dlcli: Command
) -> None:
    misfit = "einsum_dense: {equation: 'abcd,de->abce', output_shape: 3}"
    spec = with_change(SPEC, "global_average_pooling2d", misfit)
    (unreadable / "spec.yaml").write_text(spec)
    done = dlcli("train", "spec.yaml", cwd=unreadable)
    one_sentence(done, 3, "spec.yaml:8:7 model.layers[4].einsum_dense does not take (7, 7, 8)")
    assert "skipped" not in done.stderr
    assert sorted(path.name for path in unreadable.iterdir()) == ["colours", "spec.yaml"]


def test_a_dry_run_reads_no_picture_and_leaves_nothing(unreadable: Path, dlcli: Command) -> None:
    done = dlcli("train", "spec.yaml", "--dry-run", cwd=unreadable)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        " 3 classes; about 50 pictures to train on, 11 to choose by, 11 to test. "
        "None was read: this is a dry run.\n"
    )
    assert "   conv2d_1 " in done.stderr
    assert " plan: all layers for up to 3 epochs" in done.stderr
    assert "skipped" not in done.stderr
    assert sorted(path.name for path in unreadable.iterdir()) == ["colours", "spec.yaml"]


def test_a_dry_run_as_a_document(unreadable: Path, dlcli: Command) -> None:
    done = dlcli("train", "spec.yaml", "--dry-run", "--json", "--quiet", cwd=unreadable)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["num_images"] == {"train": 50, "val": 11, "test": 11, "skipped": 0}
    assert document["classes"] == ["blue", "green", "red"]
    model: dict[str, Any] = document["model"]
    assert (model["backbone"], model["parameters"]) == (None, 283)
    assert [row["name"] for row in model["layers"]][-1] == "probabilities"
    [stage] = document["plan"]["stages"]
    assert (stage["trainable"], stage["epochs"], stage["batch_size"]) == ("all", 3, 8)


def test_a_dry_run_of_a_head_needs_no_weights(
    unreadable: Path, tmp_path: Path, dlcli: Command
) -> None:
    environment = {**os.environ, "KERAS_HOME": str(tmp_path / "keras")}
    options = ("--set", "model.backbone=resnet152", "--dry-run", "--json")
    done = dlcli("train", "colours", *options, cwd=unreadable, env=environment)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["model"]["trainable_parameters"] == 3 * 2048 + 3
    assert document["plan"]["stages"][0]["trainable"] == "head"
    assert not (tmp_path / "keras").exists()


def test_a_lost_loss_is_a_sentence(work: Work, dlcli: Command) -> None:
    lost = ("--set", "train.learning_rate=1e6", "--set", "train.optimizer=sgd", "--name", "lost")
    done = dlcli("train", "spec.yaml", *lost, cwd=work.folder)
    one_sentence(done, 3, "the loss is no longer a number", "lower train.learning_rate")
    run = work.folder / "runs" / "lost"
    assert json.loads((run / "run.json").read_text())["status"] == "failed"
    assert {path.name for path in run.iterdir()} == {"run.json", "spec.yaml", "split.csv"}


def test_ctrl_c_in_the_middle_of_a_fit(work: Work) -> None:
    endless = ("--set", "train.epochs=50000", "--set", "train.early_stopping=none")
    process = subprocess.Popen(
        [sys.executable, "-m", "dlcli", "train", "spec.yaml", *endless, "--name", "stopped"],
        cwd=work.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "epoch 2/" in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    try:
        stdout, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, stdout) == (130, "")
    lines = [line for line in stderr.splitlines() if " epoch " not in line]
    assert lines == [" go on with:  dlcli train --resume runs/stopped", "interrupted"]
    run = work.folder / "runs" / "stopped"
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    kept = {"run.json", "spec.yaml", "split.csv", "history.csv", "checkpoint"}
    assert {path.name for path in run.iterdir()} == kept
