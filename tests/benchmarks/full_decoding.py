"""The floor under check: Pillow and two threads that decode every picture below a folder in full.

python full_decoding.py FOLDER
"""

import contextlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image


def decode(path: Path) -> None:
    with contextlib.suppress(OSError), Image.open(path) as image:
        image.load()


if __name__ == "__main__":
    paths = [path for path in Path(sys.argv[1]).rglob("*") if path.is_file()]
    with ThreadPoolExecutor(2) as pool:
        print(sum(1 for _ in pool.map(decode, paths)))
