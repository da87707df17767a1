"""Training on jax and torch, as a user sees it: what it leaves behind is as TensorFlow's is.

Each runs in a process of its own, and only where it is installed.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from dlcli import backend
from dlcli.artifact import open_artifact
from dlcli.data.pixels import read_image
from dlcli.runtime.classifier import open_classifier
from tests.conftest import Command
from tests.e2e.test_from_nothing import history, write_colours
from tests.e2e.test_resume import require_same, start, wait_for_checkpoint

pytestmark = pytest.mark.slow
EPOCHS = 30
SPEC = f"""\
data: {{folder: ./colours, image_size: 16}}
model:
  layers:
    - rescaling: {{scale: 0.0078, offset: -1}}
    - conv2d: {{filters: 8, kernel_size: 3, strides: 2}}
    - batch_normalization: {{momentum: 0.8}}
    - relu
    - dropout: 0.2
    - global_average_pooling2d
augment: [random_flip: horizontal]
train:
  epochs: {EPOCHS}
  learning_rate: 0.02
  optimizer: {{adam: {{clipnorm: 1.0}}}}
  mix: {{mixup: 0.2}}
  ema: 0.8
  class_weights: balanced
  early_stopping: none
"""
LISTING_IMPORTS = """
import atexit, sys
from pathlib import Path
from dlcli.__main__ import main
atexit.register(lambda: Path("imported.txt").write_text(" ".join(sys.modules)))
sys.exit(main())
"""


@dataclass(frozen=True)
class Work:
    """A folder with pictures, a spec, and `runs/whole`, which was trained by `backend`. `imported`
    are the modules of that process, `said` what it wrote on stderr."""

    folder: Path
    backend: str
    imported: set[str]
    said: str

    @property
    def whole(self) -> Path:
        return self.folder / "runs" / "whole"


@pytest.fixture(scope="module", params=["jax", "torch"])
def work(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Work:
    """Tests must not change it."""
    name = request.param
    if find_spec(name) is None:  # to import it would start it in this process, beside TensorFlow
        pytest.skip(f"{name} is not installed")
    folder = tmp_path_factory.mktemp(name)
    write_colours(folder / "colours")
    (folder / "spec.yaml").write_text(SPEC)
    command = [sys.executable, "-c", LISTING_IMPORTS, "train", "spec.yaml", "--name", "whole"]
    done = subprocess.run(
        [*command, "--backend", name, "--device", "cpu"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    imported = set((folder / "imported.txt").read_text().split())
    return Work(folder, name, imported, done.stderr)


def test_the_backend_trains_and_tensorflow_converts_in_another_process(work: Work) -> None:
    assert {work.backend, "keras"} <= work.imported
    assert "dlcli.models.convert_body" not in work.imported
    model = {path.name for path in (work.whole / "model").iterdir()}
    files = {"body.tflite", "head.npz", "model.json", "model.keras", "typicality.npz", "val.npz"}
    assert model == files
    facts = json.loads((work.whole / "run.json").read_text())
    assert facts["status"] == "completed"
    device = facts["device"]
    assert (device["kind"], device["backend"], device["precision"]) == (
        "cpu",
        work.backend,
        "float32",
    )


def test_stderr_holds_our_lines_and_nobody_else_s(work: Work) -> None:
    assert [line for line in work.said.splitlines() if not line.startswith(" ")] == []
    assert re.search(rf"^ device: CPU, \d+ threads?, {work.backend} · model: ", work.said, re.M)


def test_the_recipe_learns(work: Work) -> None:
    rows = history(work.whole)
    assert [row["epoch"] for row in rows] == [str(number + 1) for number in range(EPOCHS)]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert json.loads((work.whole / "metrics.json").read_text())["test"]["accuracy"] == 1


def test_body_and_head_answer_as_the_network_that_was_trained(work: Work) -> None:
    backend.prepare()
    artifact = open_artifact(work.whole / "model")
    network = backend.keras.saving.load_model(artifact.keras_file, compile=False)
    pictures = sorted((work.folder / "colours").rglob("*.png"))
    pixels = np.stack([read_image(path, artifact.pixel_format) for path in pictures])
    assert len(pixels) == 72
    answers = open_classifier(artifact).predict_pixels(pixels)
    expected = network.predict_on_batch(pixels.astype(np.float32))
    np.testing.assert_allclose(answers, expected, atol=1e-5)


def test_a_run_that_was_stopped_within_an_epoch_ends_with_the_same_weights(
    work: Work, dlcli: Command
) -> None:
    """Which two runs with one seed have, too."""
    process = start(work.folder, "spec.yaml", "--backend", work.backend, "--name", "stopped")
    run = work.folder / "runs" / "stopped"
    wait_for_checkpoint(process, run)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130, said
    done = dlcli("train", "--resume", "stopped", "--json", cwd=work.folder)
    assert done.returncode == 0, done.stderr
    assert json.loads((run / "run.json").read_text())["device"]["backend"] == work.backend
    require_same(run, work.whole)


GIGANTIC = """\
data: {folder: ./colours, image_size: 16}
model:
  layers:
    - rescaling: {scale: 0.0078, offset: -1}
    - conv2d: {filters: 4, kernel_size: 3}
    - up_sampling2d: {size: 8192}
    - conv2d: {filters: 4, kernel_size: 3, strides: 2}
    - global_average_pooling2d
augment: none
train: {epochs: 1, learning_rate: 0.02, batch_size: 4, ema: 0.9}
"""


@pytest.mark.parametrize("name", ["tensorflow", "jax", "torch"])
def test_what_does_not_fit_into_the_memory_is_halved_and_then_7(
    name: str, tmp_path: Path, dlcli: Command
) -> None:
    """A picture of this network takes 200 GB."""
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    write_colours(tmp_path / "colours")
    (tmp_path / "spec.yaml").write_text(GIGANTIC)
    done = dlcli("train", "spec.yaml", "--backend", name, "--device", "cpu", cwd=tmp_path)
    assert done.returncode == 7, done.stderr
    *_, first, second, last = done.stderr.splitlines()
    sentence = " warning: {} pictures a step do not fit into the memory: the stage begins anew with"
    assert first == f"{sentence.format(4)} 2"
    assert second == f"{sentence.format(2)} 1"
    assert last.startswith("not even 1 picture a step fits into the memory. Lower data.image_size")
