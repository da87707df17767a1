"""Many devices and many processes: how far their weights are from those of one, and how much faster
they are. Devices are parts of one processor, and processes meet on the loopback."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from dlcli.errors import ExitCode
from tests.benchmarks.measure import DLCLI, run
from tests.benchmarks.pictures import write_small_pictures
from tests.benchmarks.row import Row, against, alone, said
from tests.e2e.test_from_nothing import write_colours
from tests.e2e.test_many_hosts import SPEC as COLOURS

NUM_IMAGES, SIDE, BATCH_SIZE, EPOCHS, TURNS = 1_200, 32, 120, 6, 3
ASKED = "<= 60 s"
DATA = f"made: {NUM_IMAGES:,} noise JPEGs of {SIDE} px"
SPEC = f"""
data: {{folder: ./pictures, image_size: {SIDE}}}
model:
  layers:
    - rescaling: {{scale: 0.0078, offset: -1}}
    - repeat: 2
      layers:
        - conv2d: {{filters: 32, kernel_size: 3, use_bias: false}}
        - batch_normalization
        - relu
    - max_pooling2d
    - conv2d: {{filters: 64, kernel_size: 3, use_bias: false}}
    - batch_normalization
    - relu
    - global_average_pooling2d
augment: none
train: {{epochs: {EPOCHS}, batch_size: {BATCH_SIZE}, early_stopping: none}}
"""


def rows() -> Iterator[Row]:
    """Of devices on both backends, and of processes on jax."""
    for backend in ("tensorflow", "jax"):
        if find_spec(backend) is None:
            yield said(f"devices, {backend}", "absent: it is not installed", asked="present")
            continue
        yield _devices(backend)
    if find_spec("jax") is not None:
        with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as name:
            bench = _Bench(Path(name))
            yield from bench.differences()
            yield from bench.processes()
            yield bench.missing()
            yield bench.ended_by(signal.SIGKILL, "is killed")
            yield bench.ended_by(signal.SIGSTOP, "falls silent")


def _devices(backend: str) -> Row:
    """Of the fits that the tests compare: two devices cannot share the last batch of an epoch."""
    found = []
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as folder:
        for count in (1, 2):
            file = Path(folder) / f"{count}.npz"
            run((sys.executable, "-m", "tests.training.spread_fit", backend, count, 45, file))
            with np.load(file) as arrays:
                found.append([arrays[key] for key in arrays.files if key.startswith("weight_")])
    what = f"weights of 2 devices against those of one, {backend}: the largest difference"
    return alone(what, [_difference(*found)], "", asked="<= 1e-5", data="made: 45 pictures of 8 px")


class _Bench:
    """A folder with pictures and a spec."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        write_small_pictures(folder / "pictures", NUM_IMAGES, SIDE)
        (folder / "spec.yaml").write_text(SPEC, encoding="ascii")
        cache = {"DLCLI_CACHE": str(folder / "cache"), "DLCLI_RUNS": str(folder / "runs")}
        self._environment = {**os.environ, **cache}

    def processes(self) -> Iterator[Row]:
        """Each has one thread, so that two have twice as much to compute with."""
        speeds: dict[int, list[float]] = {1: [], 2: []}
        for turn in range(TURNS):
            for count, found in speeds.items():
                found.append(self.train(count, f"{count}-{turn}"))
        what = "training by 2 processes of a thread each, against one with one thread"
        yield against(what, speeds[2], speeds[1], "pictures/s", data=DATA)

    def differences(self) -> Iterator[Row]:
        """On pictures that can be told apart: where there is nothing to learn, gradients are little
        but rounding, and Adam makes steps of it."""
        write_colours(self._folder / "colours")
        (self._folder / "colours.yaml").write_text(COLOURS, encoding="ascii")
        for count in (1, 2, 3):
            processes = self.start(count, count, "--name", f"colours-{count}", spec="colours.yaml")
            said_all = [process.communicate()[1] for process in processes]
            if any(process.returncode for process in processes):
                raise RuntimeError("".join(said_all))
        for count in (2, 3):
            found = (self.weights(f"colours-{number}") for number in (1, count))
            what = f"weights of {count} processes against those of one: the largest difference"
            data = f"made: {self.num_trained('colours-1')} pictures of three colours"
            yield alone(what, [_difference(*found)], "", asked="<= 1e-5", data=data)

    def train(self, count: int, name: str) -> float:
        """Training pictures a second of all epochs but the first, which traces."""
        first, *others = self.start(count, count, "--name", name)
        said_all, ends = [], []
        assert first.stderr is not None
        for line in first.stderr:
            said_all.append(line)
            if is_epoch(line):
                ends.append(time.perf_counter())
        codes = [process.wait() for process in (first, *others)]
        if any(codes) or len(ends) != EPOCHS:
            raise RuntimeError(f"{codes}: {''.join(said_all)}")
        return self.num_trained(name) * (EPOCHS - 1) / (ends[-1] - ends[0])

    def missing(self) -> Row:
        """Process 0 alone."""
        began = time.perf_counter()
        (first,) = self.start(2, 1)
        taken = _seconds_to_end(first, began)
        return alone("until process 0 ends where another does not come", [taken], "s", asked=ASKED)

    def ended_by(self, sent: signal.Signals, how: str) -> Row:
        """Process 1, in the midst of the training."""
        first, second = self.start(2, 2, "--set", "train.epochs=1000")
        assert first.stderr is not None
        next(line for line in first.stderr if is_epoch(line))
        began = time.perf_counter()
        second.send_signal(sent)
        taken = _seconds_to_end(first, began)
        second.kill()
        second.wait()
        return alone(f"until process 0 ends where process 1 {how}", [taken], "s", asked=ASKED)

    def start(
        self, count: int, num_started: int, *more: str, spec: str = "spec.yaml"
    ) -> list[subprocess.Popen[str]]:
        """The first processes of `count`."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            meeting = f"127.0.0.1:{server.getsockname()[1]}"
        command = [*DLCLI, "train", spec, "--backend", "jax", "--threads", "1", *more]
        if count > 1:
            command += ["--hosts", meeting, "--num-processes", str(count), "--process-id"]
        return [
            subprocess.Popen(
                [*command, *([str(number)] if count > 1 else [])],
                cwd=self._folder,
                env=self._environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for number in range(num_started)
        ]

    def num_trained(self, name: str) -> int:
        """Pictures in the train part."""
        split = (self._folder / "runs" / name / "split.csv").read_text(encoding="utf-8")
        return sum(",train," in line for line in split.splitlines())

    def weights(self, name: str) -> list[NDArray[np.float32]]:
        """Of all layers, in the order of their names."""
        found: list[NDArray[np.float32]] = []

        def keep(_: str, item: object) -> None:
            if isinstance(item, h5py.Dataset):
                found.append(np.asarray(item))

        with zipfile.ZipFile(self._folder / "runs" / name / "model" / "model.keras") as whole:
            content = whole.read("model.weights.h5")
        with h5py.File(io.BytesIO(content), "r") as file:
            file.visititems(keep)
        return found


def is_epoch(line: str) -> bool:
    """Whether a line tells of one that is over."""
    return " epoch " in line and "loss" in line


def _seconds_to_end(process: subprocess.Popen[str], began: float) -> float:
    """Until it ends, as it does where a process is gone.

    Raises:
        RuntimeError: if it ends otherwise.
    """
    _, said_last = process.communicate()
    if process.returncode != ExitCode.RESOURCE:
        raise RuntimeError(f"{process.returncode}: {said_last}")
    return time.perf_counter() - began


def _difference(one: list[NDArray[np.float32]], other: list[NDArray[np.float32]]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))
