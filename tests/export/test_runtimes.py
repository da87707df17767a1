"""The script that asks an exported model, run as its user runs it: by its path, without dlcli."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli.events import NullReporter
from dlcli.models.bodies import find_body
from dlcli.models.registry import BACKBONES
from dlcli.runtime.litert import LiteRtBody
from tests.conftest import ROOT

SCRIPT = ROOT / "dlcli" / "export" / "runtimes.py"
BUILD = """
import sys
import numpy as np
from dlcli import backend
backend.prepare()
from dlcli.backend import keras
from dlcli.data.pixels import PixelFormat
from dlcli.export.saved_model import write_saved_model
from dlcli.models.convert_body import to_litert
from pathlib import Path
folder = Path(sys.argv[1])
pixels = keras.Input((8, 8, 3))
means = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pixels))
model = keras.Model(pixels, keras.layers.Dense(4, activation="softmax")(means))
write_saved_model(model, "abcd", PixelFormat((8, 8)), folder)
model.save(folder / "model.keras")
(folder / "model.tflite").write_bytes(to_litert(model))
asked = np.load(folder / "pixels.npy").astype(np.float32)
np.save(folder / "expected.npy", model.predict_on_batch(asked))
"""


def ask(form: str, model: Path, pixels: NDArray[np.uint8], folder: Path) -> NDArray[np.float32]:
    """The answers of the script."""
    np.save(folder / "asked.npy", pixels)
    command = [sys.executable, str(SCRIPT), "answers", form, str(model)]
    done = subprocess.run(
        [*command, str(folder / "asked.npy"), str(folder / "answers.npy")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: NDArray[np.float32] = np.load(folder / "answers.npy")
    return answers


def make_pixels(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_litert_answers_as_within_dlcli(tmp_path: Path) -> None:
    kept = find_body(BACKBONES["efficientnet-lite0"], (224, 224), NullReporter())
    pixels = make_pixels(3, 224, 224, 3)
    expected = LiteRtBody(kept.path, (224, 224)).features(pixels)
    np.testing.assert_allclose(ask("litert", kept.path, pixels, tmp_path), expected, atol=1e-4)


def test_the_script_imports_nothing_of_dlcli() -> None:
    assert "dlcli" not in [
        word.split(".")[0]
        for line in SCRIPT.read_text(encoding="utf-8").splitlines()
        if line.strip().startswith(("import ", "from "))
        for word in line.split()[1:2]
    ]


def test_a_model_that_cannot_be_loaded_ends_the_script_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"no model")
    np.save(tmp_path / "asked.npy", make_pixels(1, 8, 8, 3))
    arguments = [tmp_path / "model.tflite", tmp_path / "asked.npy", tmp_path / "answers.npy"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "answers", "litert", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip()
    assert not (tmp_path / "answers.npy").exists()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small network in every format, made in a process of its own."""
    folder: Path = tmp_path_factory.mktemp("models")
    np.save(folder / "pixels.npy", make_pixels(45, 8, 8, 3))
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "name"),
    [("saved_model", "1"), ("litert", "model.tflite"), ("keras", "model.keras")],
)
def test_each_runtime_answers_as_keras_did(
    models: Path, tmp_path: Path, form: str, name: str
) -> None:
    expected = np.load(models / "expected.npy")
    answers = ask(form, models / name, np.load(models / "pixels.npy"), tmp_path)
    assert answers.shape == (45, 4)
    np.testing.assert_allclose(answers, expected, atol=1e-6)
