"""Reading pictures: against Keras, and how much memory a large folder takes."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.measure import run
from tests.benchmarks.pictures import write_large_pictures, write_names, write_small_pictures
from tests.conftest import SHARED

Row = tuple[str, str, str]
HYMENOPTERA = SHARED / "data" / "hymenoptera" / "train"
HERE = Path(__file__).parent
CAMERA = (4000, 3000)
TURNS, PASSES = 5, 4
NUM_SMALL, NUM_NAMES = 100_000, 1_000_000
LISTING = """
import sys, time
from pathlib import Path
from dlcli.data.folders import index_folder
started = time.perf_counter()
assert len(index_folder(Path(sys.argv[1])).files)
print(time.perf_counter() - started)
"""


def rows() -> Iterator[Row]:
    """(what, at least, measured)"""
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as folder:
        bench = _Bench(Path(folder))
        yield bench.against_keras("decode and resize ~500x375 JPEGs", ">= 1.0x", HYMENOPTERA)
        photos = sorted(HYMENOPTERA.rglob("*.jpg"))[:24]
        large = write_large_pictures(bench.folder / "large", photos, CAMERA)
        yield bench.against_keras("the same, 12 megapixels", ">= 2x", large)
        yield bench.listing(write_names(bench.folder / "names", NUM_NAMES))
        small = write_small_pictures(bench.folder / "small", NUM_SMALL)
        yield bench.memory(small)


class _Bench:
    """A folder for pictures and a cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"DLCLI_CACHE": str(folder / "cache")}

    def against_keras(self, what: str, at_least: str, pictures: Path) -> Row:
        """In turn, so that a noisy minute meets both; the first pass of a process warms it up."""
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(TURNS):
            ours += self._speeds("our_reading.py", pictures)
            theirs += self._speeds("keras_reading.py", pictures)
        ratio = statistics.median(ours) / statistics.median(theirs)
        detail = f"{_speed(ours)} against {_speed(theirs)}"
        return what + ", against image_dataset_from_directory", at_least, f"{ratio:.2f}x: {detail}"

    def listing(self, folder: Path) -> Row:
        """In a process of its own, without the time of the imports."""
        seconds = [float(run((sys.executable, "-c", LISTING, folder)).stdout) for _ in range(3)]
        return f"list {NUM_NAMES:,} files", "seconds", f"{statistics.median(seconds):.1f} s"

    def memory(self, pictures: Path) -> Row:
        done = run((sys.executable, HERE / "our_reading.py", pictures, 1, 64), **self.environment)
        what = f"peak memory of the store, {NUM_SMALL:,} pictures of 64 px"
        return what, "<= 600 MB", f"{done.peak_megabytes:.0f} MB"

    def _speeds(self, script: str, pictures: Path) -> list[float]:
        done = run((sys.executable, HERE / script, pictures, PASSES), **self.environment)
        passes = [line.split() for line in done.stdout.splitlines()]
        return [int(count) / float(seconds) for count, seconds in passes[1:]]


def _speed(values: list[float]) -> str:
    middle = statistics.median(values)
    return f"{middle:.0f}/s ({min(values):.0f}-{max(values):.0f})"
