"""The pictures that an exported model is asked about, to see whether it answers as its run does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.open_run import OpenedRun

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dlcli.data.pixels import PixelFormat

MOST_ASKED = 200
_NUM_NOISE = 16


@dataclass(frozen=True)
class AskedPictures:
    """uint8 `pixels` (N, H, W, C), the `files` they were read from, and the index of each one's
    true class, -1 where the model has none of that name; noise has no `labels`."""

    pixels: NDArray[np.uint8]
    files: tuple[Path, ...]
    labels: tuple[int, ...]
    source: str


@contextmanager
def asked_pictures(opened: OpenedRun) -> Iterator[AskedPictures]:
    """Up to 200 of the run's test and val pictures; where it has none any more noise, whose files
    are gone afterwards."""
    own = _own_pictures(opened)
    if own is not None:
        yield own
        return
    with tempfile.TemporaryDirectory(prefix="dlcli-noise-") as folder:
        yield _noise(Path(folder), opened.classifier.artifact.pixel_format)


def _own_pictures(opened: OpenedRun) -> AskedPictures | None:
    import numpy as np

    from dlcli.data.pixels import UnreadableImageError, read_image
    from dlcli.runs.run import Run

    artifact = opened.classifier.artifact
    pixels, files, labels = [], [], []
    own = Run(opened.folder).pictures()
    if own is not None:
        rows = sorted([*own.of("test"), *own.of("val")], key=lambda row: row["sha256"])
        places = {name: place for place, name in enumerate(artifact.class_names)}
        for row in rows[:MOST_ASKED]:
            file = own.folder / row["path"]
            try:
                pixels.append(read_image(file, artifact.pixel_format))
            except UnreadableImageError:
                continue  # moved or changed since: the others serve as well
            files.append(file)
            labels.append(places.get(row["label"], -1))
    if not pixels:
        return None
    return AskedPictures(np.stack(pixels), tuple(files), tuple(labels), "pictures of val and test")


def _noise(folder: Path, pixel_format: PixelFormat) -> AskedPictures:
    """Twice as large as the network's input, so that they have to be fitted."""
    import numpy as np

    from dlcli.data.pixels import read_image
    from dlcli.data.thumbnails import encode_jpeg

    height, width = pixel_format.image_size
    files = tuple(folder / f"{number}.jpg" for number in range(_NUM_NOISE))
    for number, file in enumerate(files):
        rng = np.random.default_rng(number)
        file.write_bytes(encode_jpeg(rng.integers(0, 256, (2 * height, 2 * width, 3), np.uint8)))
    pixels = np.stack([read_image(file, pixel_format) for file in files])
    return AskedPictures(pixels, files, (), "pictures of noise")
