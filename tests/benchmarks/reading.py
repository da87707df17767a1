"""Reading pictures: against Keras, and how much memory a large folder takes."""

from __future__ import annotations

import os
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
from tests.benchmarks.row import Row, against, alone, said
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
    """The speed of reading and of listing, and the memory and the size of a large store."""
    if not HYMENOPTERA.exists():
        yield said("reading photos", f"absent: {HYMENOPTERA}", asked="present")
        return
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as folder:
        bench = _Bench(Path(folder))
        what, data = "decode and resize ~500x375 JPEGs", described(HYMENOPTERA)
        yield bench.against_keras(what, ">= 1.0x", data, HYMENOPTERA)
        photos = sorted(HYMENOPTERA.rglob("*.jpg"))[:NUM_LARGE]
        large = write_large_pictures(bench.folder / "large", photos, CAMERA)
        data = f"made: {NUM_LARGE} photos of hymenoptera/train enlarged to {CAMERA[0]}x{CAMERA[1]}"
        yield bench.against_keras("the same, 12 megapixels", ">= 2x", data, large)
        yield bench.listing(write_names(bench.folder / "names", NUM_NAMES))
        yield from bench.memory()


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

    def memory(self) -> Iterator[Row]:
        """Of a store of many pictures, and of a tenth of them."""
        peaks = {}
        for count in (NUM_SMALL // 10, NUM_SMALL):
            pictures = write_small_pictures(self.folder / f"small-{count}", count, SIDE)
            script = (sys.executable, HERE / "our_reading.py", pictures, 1, SIDE)
            peaks[count] = run(script, **self.environment).peak_megabytes
        least, most = peaks.values()
        what, data = f"peak memory of the store, {NUM_SMALL:,} pictures", made(NUM_SMALL, SIDE)
        yield alone(what, [most], "MB", asked="<= 600 MB", data=data)
        each = 1000 * (most - least) / (NUM_SMALL - NUM_SMALL // 10)
        yield alone("of it for each picture", [each], "kB", asked="<= 1 kB", data=data)
        kept = sum(
            os.path.getsize(os.path.join(folder, name))
            for folder, _, names in os.walk(self.folder / "cache" / "pixels")
            for name in names
        )
        each = kept / 1000 / NUM_SMALL
        pixels = SIDE * SIDE * 3 / 1000
        what = "the store on disk for each picture, against its pixels"
        yield against(what, [each], [pixels], "kB", data=data)

    def _speeds(self, script: str, pictures: Path) -> list[float]:
        done = run((sys.executable, HERE / script, pictures, PASSES), **self.environment)
        passes = [line.split() for line in done.stdout.splitlines()]
        return [int(count) / float(seconds) for count, seconds in passes[1:]]
