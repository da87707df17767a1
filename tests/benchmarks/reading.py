"""Reading pictures: against Keras, and how much memory a large folder takes."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.measure import run
from tests.benchmarks.pictures import (
    described,
    made,
    write_large_pictures,
    write_names,
    write_small_pictures,
)
from tests.benchmarks.row import Row, against, alone
from tests.conftest import SHARED

HYMENOPTERA = SHARED / "data" / "hymenoptera" / "train"
HERE = Path(__file__).parent
CAMERA = (4000, 3000)
TURNS, PASSES = 5, 4
NUM_SMALL, SIDE, NUM_NAMES, NUM_LARGE = 100_000, 64, 1_000_000, 24
LISTING = """
import sys, time
from pathlib import Path
from dlcli.data.folders import index_folder
started = time.perf_counter()
assert len(index_folder(Path(sys.argv[1])).files)
print(time.perf_counter() - started)
"""


def rows() -> Iterator[Row]:
    """The speed of reading and of listing, and the memory of a large store."""
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as folder:
        bench = _Bench(Path(folder))
        what, data = "decode and resize ~500x375 JPEGs", described(HYMENOPTERA)
        yield bench.against_keras(what, ">= 1.0x", data, HYMENOPTERA)
        photos = sorted(HYMENOPTERA.rglob("*.jpg"))[:NUM_LARGE]
        large = write_large_pictures(bench.folder / "large", photos, CAMERA)
        data = f"made: {NUM_LARGE} photos of hymenoptera/train enlarged to {CAMERA[0]}x{CAMERA[1]}"
        yield bench.against_keras("the same, 12 megapixels", ">= 2x", data, large)
        yield bench.listing(write_names(bench.folder / "names", NUM_NAMES))
        small = write_small_pictures(bench.folder / "small", NUM_SMALL, SIDE)
        yield bench.memory(small)


class _Bench:
    """A folder for pictures and a cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"DLCLI_CACHE": str(folder / "cache")}

    def against_keras(self, what: str, asked: str, data: str, pictures: Path) -> Row:
        """In turn, so that a noisy minute meets both; the first pass of a process warms it up."""
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(TURNS):
            ours += self._speeds("our_reading.py", pictures)
            theirs += self._speeds("keras_reading.py", pictures)
        what = f"{what}, against image_dataset_from_directory"
        return against(what, ours, theirs, "pictures/s", asked=asked, data=data)

    def listing(self, folder: Path) -> Row:
        """In a process of its own, without the time of the imports."""
        seconds = [float(run((sys.executable, "-c", LISTING, folder)).stdout) for _ in range(3)]
        data = f"made: {NUM_NAMES:,} empty files"
        return alone(f"list {NUM_NAMES:,} files", seconds, "s", asked="seconds", data=data)

    def memory(self, pictures: Path) -> Row:
        done = run((sys.executable, HERE / "our_reading.py", pictures, 1, SIDE), **self.environment)
        what = f"peak memory of the store, {NUM_SMALL:,} pictures of {SIDE} px"
        data = made(NUM_SMALL, SIDE)
        return alone(what, [done.peak_megabytes], "MB", asked="<= 600 MB", data=data)

    def _speeds(self, script: str, pictures: Path) -> list[float]:
        done = run((sys.executable, HERE / script, pictures, PASSES), **self.environment)
        passes = [line.split() for line in done.stdout.splitlines()]
        return [int(count) / float(seconds) for count, seconds in passes[1:]]
