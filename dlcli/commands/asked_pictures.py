"""The pictures that an exported model is asked about, to see whether it answers as its run does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.open_run import OpenedRun
from dlcli.errors import UsageError

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
    from dlcli.data.split import TEST, VAL

    own = _read_own(opened, (VAL, TEST))
    if own is not None:
        yield own
        return
    with tempfile.TemporaryDirectory(prefix="dlcli-noise-") as folder:
        yield _noise(Path(folder), opened.classifier.artifact.pixel_format)


def calibration_pictures(opened: OpenedRun) -> NDArray[np.uint8]:
    """Up to 200 of the run's training pictures, uint8 (N, H, W, C).

    Raises:
        UsageError: if there is none any more.
    """
    from dlcli.data.split import TRAIN

    read = _read_own(opened, (TRAIN,))
    if read is None:
        raise UsageError(
            "int8 is calibrated on the run's training pictures, and there are none here.",
            where=str(opened.folder),
            fix="Export the run itself, with its pictures where they were, or --quantize float16.",
        )
    return read.pixels


def _read_own(opened: OpenedRun, splits: Sequence[str]) -> AskedPictures | None:
    """Up to 200 of a run's own pictures, chosen by chance but always the same; None without any."""
    import numpy as np

    from dlcli.data.pixels import UnreadableImageError, read_image
    from dlcli.runs.run import Run

    artifact = opened.classifier.artifact
    own = Run(opened.folder).pictures()
    if own is None:
        return None
    pixels, files, labels = [], [], []
    rows = sorted((row for split in splits for row in own.of(split)), key=lambda row: row["sha256"])
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
    source = f"pictures of {' and '.join(splits)}"
    return AskedPictures(np.stack(pixels), tuple(files), tuple(labels), source)


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
