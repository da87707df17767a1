"""predict as scripts use it: one picture, a folder of photos, an endless list."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from dlcli.data.pixels import PixelFormat, read_image
from dlcli.processor import num_threads
from dlcli.runtime.litert import LiteRtBody
from dlcli.workers import in_order
from tests.benchmarks.measure import DLCLI, Measured, megabytes, repeat, run, seconds
from tests.benchmarks.pictures import SAMPLE_PHOTO, described, made, write_small_pictures
from tests.benchmarks.row import Row, against, alone, said
from tests.conftest import ROOT, SHARED

CAT = ROOT / "sample_data" / "cat.jpg"
ANIMALS = SHARED / "data" / "animals5"
NUM_PHOTOS, NUM_IN_MEMORY, CHUNK = 2000, 512, 8
NUM_TINY, NUM_TINY_FILES, TINY_SIDE = 100_000, 1000, 32
REPEATS, ALONE_REPEATS = 3, 15


def rows() -> Iterator[Row]:
    """The time and the memory of one picture, the speed on many, the memory of a long list."""
    if not ANIMALS.exists():
        yield said("predict on photos", f"absent: {ANIMALS}", asked="present")
        return
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as folder:
        bench = _Bench(Path(folder))
        yield from bench.one_picture()
        yield from bench.many_photos()
        yield from bench.endless_list()


class _Bench:
    """Runs on the animals, with a float32 and an int8 body, and the same model for Keras."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        runs, cache = folder / "runs", folder / "cache"
        self.environment = {"DLCLI_CACHE": str(cache), "DLCLI_RUNS": str(runs)}
        self.body = runs / "float32" / "model" / "body.tflite"
        for body in ("float32", "int8"):
            self.train(body, f"model.body={body}")
        keras = folder / "keras"
        run(
            (*DLCLI, "export", "--run", "float32", "--format", "keras", "-o", keras),
            **self.environment,
        )
        self.script = (Path(__file__).with_name("keras_predict.py"), keras / "model.keras")

    def train(self, name: str, setting: str) -> None:
        trained = (*DLCLI, "train", ANIMALS / "train", "--effort", "quick", "--quiet")
        run((*trained, "--name", name, "--set", setting), **self.environment)

    def predict(self, *words: object) -> Measured:
        return run((*DLCLI, "predict", *words, "--quiet"), **self.environment)

    def keras(self, pictures: Path) -> Measured:
        return run((sys.executable, *self.script, pictures), **self.environment)

    def one_picture(self) -> Iterator[Row]:
        folder = self.folder / "alone"
        folder.mkdir()
        (folder / "cat.jpg").symlink_to(CAT)
        [ours] = repeat(ALONE_REPEATS, lambda: self.predict(CAT, "--run", "float32"))
        [theirs] = repeat(REPEATS, lambda: self.keras(folder))
        what, data = "predict one picture, the whole process", SAMPLE_PHOTO
        yield alone(what, seconds(ours), "s", asked="<= 0.30 s", data=data)
        yield alone("its peak memory", megabytes(ours), "MB", asked="<= 130 MB", data=data)
        what = "the same, against a script of Keras"
        yield against(what, seconds(ours), seconds(theirs), "s", asked="<= 1/10", data=data)
        what = "its peak memory, likewise"
        yield against(what, megabytes(ours), megabytes(theirs), "MB", data=data)

    def many_photos(self) -> Iterator[Row]:
        photos = sorted(ANIMALS.rglob("*.jpg"))
        folder = self.folder / "photos"
        folder.mkdir()
        for number, photo in enumerate(itertools.islice(itertools.cycle(photos), NUM_PHOTOS)):
            (folder / f"{number:04}.jpg").symlink_to(photo)
        works: list[Callable[[], Measured]] = [
            lambda: self.predict(folder, "--run", "float32"),
            lambda: self.predict(folder, "--run", "int8"),
            lambda: self.keras(folder),
        ]
        float32, int8, keras = repeat(REPEATS, *works)
        data = f"{described(ANIMALS)}, under {NUM_PHOTOS:,} names"
        for body, least, ours in (("", "1.6", float32), (", int8 body", "3", int8)):
            yield against(
                f"predict {NUM_PHOTOS:,} photos{body}, against Keras",
                seconds(ours),
                seconds(keras),
                "s",
                asked=f">= {least}x",
                data=data,
                faster=True,
            )
        speeds = [NUM_PHOTOS / one for one in seconds(float32)]
        yield against(
            f"the same, against LiteRT fed from memory, the best of its {REPEATS} turns",
            speeds,
            [self.from_memory(photos)],
            "pictures/s",
            asked=">= 0.6x",
            data=f"{data}; {NUM_IN_MEMORY} of them in memory",
        )

    def from_memory(self, photos: list[Path]) -> float:
        """Features a second of pixels that are there, the best of some turns."""
        pixels = np.stack([read_image(one, PixelFormat()) for one in photos[:NUM_IN_MEMORY]])
        body = LiteRtBody(self.body, (224, 224))
        chunks = [pixels[start : start + CHUNK] for start in range(0, len(pixels), CHUNK)]
        speeds = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            for _ in in_order(body.features, chunks, num_threads()):
                pass
            speeds.append(len(pixels) / (time.perf_counter() - started))
        return max(speeds)

    def endless_list(self) -> Iterator[Row]:
        self.train("small", "data.image_size=64")
        tiny = write_small_pictures(self.folder / "tiny", NUM_TINY_FILES, TINY_SIDE)
        files = sorted(tiny.rglob("*.jpg"))
        peaks = {}
        for count in (NUM_TINY // 10, NUM_TINY):
            listed = self.folder / "list.txt"
            names = itertools.islice(itertools.cycle(map(str, files)), count)
            listed.write_text("\n".join(names), encoding="utf-8")
            with listed.open("rb") as stdin:
                peaks[count] = self.peak_of(stdin)
        least, most = peaks.values()
        yield Row(
            f"{NUM_TINY:,} tiny pictures from stdin: peak memory",
            f"{most:.0f} MB; {least:.0f} MB for a tenth of them",
            asked="<= 250 MB, flat",
            data=f"{made(NUM_TINY_FILES, TINY_SIDE)}, again and again",
            unit="MB",
            values=(most,),
            baseline=(least,),
        )

    def peak_of(self, stdin: object) -> float:
        """Megabytes."""
        words = [*map(str, DLCLI), "predict", "-", "--run", "small", "--quiet"]
        process = subprocess.Popen(
            words,
            stdin=stdin,  # type: ignore[call-overload]
            stdout=subprocess.DEVNULL,
            env={**os.environ, **self.environment},
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{' '.join(words)}: {process.returncode}")
        return float(usage.ru_maxrss / 1000)
