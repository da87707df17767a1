"""Training from nothing: Fashion-MNIST (Xiao 2017, Debian's dataset-fashion-mnist) with the scratch
template, and the pictures a second against a bare fit of Keras."""

from __future__ import annotations

import gzip
import json
import statistics
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.benchmarks.measure import DLCLI, frameworks_imported, peak, run

Row = tuple[str, str, str]
SOURCE = Path("/usr/share/datasets/fashion-mnist")
CLASSES = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
    "ankle-boot",
)  # fmt: skip
SPEED_IMAGES, SPEED_REPEATS = 12_800, 3


def rows() -> Iterator[Row]:
    """(what, at least, measured) of everything that training from nothing promises."""
    if not SOURCE.exists():
        yield "Fashion-MNIST", "present", "absent: apt-get install dataset-fashion-mnist"
        return
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as name:
        folder = Path(name)
        write_folder(folder / "fashion")
        environment = {"DLCLI_CACHE": str(folder / "cache"), "DLCLI_RUNS": str(folder / "runs")}
        spec = folder / "fashion.yaml"
        init = (*DLCLI, "init", folder / "fashion", "-o", spec, "--force")
        yield "init and its frameworks", "none", frameworks_imported(init, **environment)
        yield from _accuracy(spec, environment)
        yield from _speed(folder)


def _accuracy(spec: Path, environment: dict[str, str]) -> Iterator[Row]:
    trained = run((*DLCLI, "train", spec, "--json", "--quiet", "--name", "fashion"), **environment)
    result = json.loads(trained.stdout)
    (stage,) = result["stages"]
    low, high = result["test"]["accuracy_interval"]
    accuracy = f"{result['test']['accuracy']:.4f} ({low:.4f} to {high:.4f})"
    yield "Fashion-MNIST, scratch template: accuracy on test", ">= 0.925", accuracy
    yield "the whole command", "<= 10 min", f"{trained.seconds / 60:.1f} min"
    yield "of it training", "", f"{stage['seconds'] / 60:.1f} min, {stage['epochs']} epochs"
    yield "its peak memory", "", peak([trained])


def _speed(folder: Path) -> Iterator[Row]:
    """Pictures a second of the same network on the same pictures, taken in turns."""
    script = Path(__file__).with_name("keras_fit.py")
    arrays = folder / "speed.npz"
    pixels, labels = _read("train")
    np.savez(arrays, pixels=pixels[:SPEED_IMAGES], labels=labels[:SPEED_IMAGES])
    speeds: dict[str, list[float]] = {"dlcli": [], "bare": []}
    for _ in range(SPEED_REPEATS):
        for kind, found in speeds.items():
            command = (sys.executable, script, kind, arrays, folder / "fashion.yaml")
            found.append(float(run(command).stdout))
    ours, bare = (statistics.median(speeds[kind]) for kind in ("dlcli", "bare"))
    detail = f"{ours / bare:.2f}x: {ours:.0f} against {bare:.0f}"
    yield "pictures a second against a bare fit on arrays in memory", ">= 0.95x", detail


def write_folder(target: Path) -> None:
    """The data set as train/ and test/ folders of class folders of PNG files."""
    for split in ("train", "test"):
        pixels, labels = _read(split)
        for name in CLASSES:
            (target / split / name).mkdir(parents=True)
        for number, (picture, label) in enumerate(zip(pixels, labels, strict=True)):
            path = target / split / CLASSES[label] / f"{number:05}.png"
            Image.fromarray(picture).save(path, compress_level=1)


def _read(split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures uint8 (N, 28, 28) and labels (N,) of the idx files."""
    stem = SOURCE / ("train" if split == "train" else "t10k")
    with gzip.open(f"{stem}-images-idx3-ubyte.gz") as file:
        _, count, height, width = struct.unpack(">IIII", file.read(16))
        pixels = np.frombuffer(file.read(), np.uint8).reshape(count, height, width)
    with gzip.open(f"{stem}-labels-idx1-ubyte.gz") as file:
        file.read(8)
        labels = np.frombuffer(file.read(), np.uint8).astype(np.int64)
    return pixels, labels
