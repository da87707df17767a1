"""Programs that know nothing of dlcli read its exports, and say of 50 pictures what dlcli says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli.artifact import open_artifact
from dlcli.data.pixels import read_image
from tests.conftest import Command
from tests.e2e.conftest import Exported

CLIENTS = Path(__file__).parent / "clients"
ONNXRUNTIME_WEB = "onnxruntime-web@1.30.0"
NUM_PICTURES = 50

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Asked:
    """Pictures as files and as pixels, float32 (N, H, W, C), and what dlcli says they show."""

    files: list[str]
    pixels: Path
    class_names: tuple[str, ...]
    labels: list[str]

    def names(self, probabilities: NDArray[np.float32]) -> list[str]:
        """The top classes of probabilities (N, K)."""
        return [self.class_names[index] for index in probabilities.argmax(axis=1)]


@pytest.fixture(scope="module")
def asked(
    exported: Exported, animals: Path, tmp_path_factory: pytest.TempPathFactory, dlcli: Command
) -> Asked:
    files = [str(path) for path in sorted(animals.rglob("*.jpg"))[:: 150 // NUM_PICTURES]]
    assert len(files) == NUM_PICTURES
    done = dlcli("predict", *files, "--run", exported.folder, "--format", "jsonl")
    labels = [json.loads(line)["label"] for line in done.stdout.splitlines()]
    assert len(set(labels)) == 5
    artifact = open_artifact(exported.folder / "model")
    pixels = np.stack([read_image(Path(file), artifact.pixel_format) for file in files])
    path = tmp_path_factory.mktemp("asked") / "pixels.npy"
    np.save(path, pixels.astype(np.float32))
    return Asked(files, path, artifact.class_names, labels)


def run_client(name: str, *arguments: Path) -> None:
    """With -I: neither the folder it runs in nor PYTHONPATH is looked at."""
    command = [sys.executable, "-I", str(CLIENTS / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def test_plain_tensorflow_takes_the_files(exported: Exported, asked: Asked, tmp_path: Path) -> None:
    files, labels = tmp_path / "files.json", tmp_path / "labels.json"
    files.write_text(json.dumps(asked.files))
    run_client("saved_model_client.py", exported.folder / "1", files, labels)
    assert json.loads(labels.read_text()) == asked.labels


@pytest.mark.parametrize(("package", "model"), [("openvino", "1"), ("onnxruntime", "model.onnx")])
def test_other_runtimes_take_the_pixels(
    package: str, model: str, exported: Exported, asked: Asked, tmp_path: Path
) -> None:
    pytest.importorskip(package)
    client = {"openvino": "openvino_client.py", "onnxruntime": "onnx_client.py"}[package]
    answers = tmp_path / "answers.npy"
    run_client(client, exported.folder / model, asked.pixels, answers)
    assert asked.names(np.load(answers)) == asked.labels


def test_javascript_takes_the_pixels(exported: Exported, asked: Asked, tmp_path: Path) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node.js is absent")
    install = [npm, "install", "--silent", "--no-fund", "--no-audit", ONNXRUNTIME_WEB]
    fetched = subprocess.run(install, cwd=tmp_path, capture_output=True, timeout=300, check=False)
    if fetched.returncode != 0:
        pytest.skip(f"{ONNXRUNTIME_WEB} could not be fetched")
    pixels = np.load(asked.pixels)
    pixels.tofile(tmp_path / "pixels.bin")
    shutil.copy(CLIENTS / "onnx_client.cjs", tmp_path)
    shape, answers = ",".join(map(str, pixels.shape)), tmp_path / "answers.bin"
    words = [exported.folder / "model.onnx", tmp_path / "pixels.bin", shape, answers]
    done = subprocess.run(
        [node, "onnx_client.cjs", *map(str, words)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    probabilities = np.fromfile(answers, np.float32).reshape(len(pixels), -1)
    assert asked.names(probabilities) == asked.labels


def test_a_request_to_tensorflow_serving_is_built_from_the_example(
    exported: Exported, tmp_path: Path
) -> None:
    pytest.importorskip("tensorflow_serving.apis.predict_pb2")
    serving, answer = exported.folder / "serving", tmp_path / "answer.json"
    run_client("serving_client.py", exported.folder / "1", serving / "request.json", answer)
    (expected,) = json.loads((serving / "response.json").read_text())["predictions"]
    assert json.loads(answer.read_text()) == [expected["label"]]
