"""How dlcli reads a folder into a store, with sha256, looks and all: seconds for each pass over it.

python our_reading.py FOLDER PASSES [SIZE]
"""

import shutil
import sys
import time
from pathlib import Path

from dlcli import cache
from dlcli.data.index import index_dataset
from dlcli.data.pixels import PixelFormat
from dlcli.data.store import open_store
from dlcli.events import NullReporter

if __name__ == "__main__":
    folder, passes = Path(sys.argv[1]), int(sys.argv[2])
    size = int(sys.argv[3]) if len(sys.argv) > 3 else 224
    paths = [file.path for file in index_dataset(folder).files]
    pixel_format = PixelFormat((size, size), "stretch")
    for _ in range(passes):
        shutil.rmtree(cache.cache_folder() / cache.PIXELS, ignore_errors=True)
        started = time.perf_counter()
        store = open_store(folder, paths, pixel_format, NullReporter())
        print(store.reasons.count(None), time.perf_counter() - started)
