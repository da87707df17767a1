"""Training from nothing: Fashion-MNIST (Xiao 2017, Debian's dataset-fashion-mnist) with the scratch
template, and the pictures a second against a bare fit of Keras."""

from __future__ import annotations

import gzip
import json
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.benchmarks.measure import DLCLI, frameworks_imported, run
from tests.benchmarks.row import Row, against, alone, said

SOURCE = Path("/usr/share/datasets/fashion-mnist")
DATA = "Fashion-MNIST"
CLASSES = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
    "ankle-boot",
)  # fmt: skip
SPEED_IMAGES, SPEED_REPEATS = 12_800, 3


def rows() -> Iterator[Row]:
    """Everything that training from nothing promises."""
    if not SOURCE.exists():
        yield said(DATA, "absent: apt-get install dataset-fashion-mnist", asked="present")
        return
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as name:
        folder = Path(name)
        write_folder(folder / "fashion")
        environment = {"DLCLI_CACHE": str(folder / "cache"), "DLCLI_RUNS": str(folder / "runs")}
        spec = folder / "fashion.yaml"
        init = (*DLCLI, "init", folder / "fashion", "-o", spec, "--force")
        loaded = frameworks_imported(init, **environment)
        yield said("init and its frameworks", loaded, asked="none", data=DATA)
        yield from _accuracy(spec, environment)
        yield from _speed(folder)


def _accuracy(spec: Path, environment: dict[str, str]) -> Iterator[Row]:
    trained = run((*DLCLI, "train", spec, "--json", "--quiet", "--name", "fashion"), **environment)
    result = json.loads(trained.stdout)
    (stage,) = result["stages"]
    low, high = result["test"]["accuracy_interval"]
    accuracy = result["test"]["accuracy"]
    yield Row(
        "Fashion-MNIST, scratch template: accuracy on test",
        f"{accuracy:.4f} ({low:.4f} to {high:.4f})",
        asked=">= 0.925",
        data=f"{DATA}/test",
        unit="share",
        values=(accuracy,),
    )
    yield alone("the whole command", [trained.seconds / 60], "min", asked="<= 10 min", data=DATA)
    minutes = stage["seconds"] / 60
    listed = f"{minutes:.1f} min, {stage['epochs']} epochs"
    yield Row("of it training", listed, data=f"{DATA}/train", unit="min", values=(minutes,))
    yield alone("its peak memory", [trained.peak_megabytes], "MB", data=DATA)


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
    yield against(
        "pictures a second against a bare fit on arrays in memory",
        speeds["dlcli"],
        speeds["bare"],
        "pictures/s",
        asked=">= 0.95x",
        data=f"{DATA}/train, the first {SPEED_IMAGES:,} pictures",
    )


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
