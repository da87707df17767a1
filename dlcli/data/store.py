"""The pixel store: every picture of a data set decoded once and kept on disk.

One file holds uint8 (N, H, W, C) in the order of the index, another says of each picture its
sha256 and, where it is unreadable, why. The store is keyed by all its pixels depend on (the
files' paths, sizes and times, the pixel format, the reader), so an unchanged folder is not read
again. Reads map a few rows at a time: memory does not grow with the number of pictures.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import PIL
from numpy.typing import NDArray

from dlcli import cache
from dlcli.data.pixels import (
    READER_VERSION,
    PixelFormat,
    UnreadableImageError,
    decode_image,
    is_passing,
    read_file,
)
from dlcli.events import Reporter, StageAdvanced, StageEnded, StageStarted
from dlcli.processor import in_order, num_threads

STAGE = "reading pictures"
_PIXELS, _RECORDS = "pixels.u8", "records.json"


@dataclass(frozen=True)
class PixelStore:
    """Kept pixels: row i belongs to the i-th path.

    `reasons[i]` is None for a readable picture; its row is undefined otherwise.
    """

    key: str
    pixels_file: Path
    shape: tuple[int, int, int, int]
    sha256s: tuple[str, ...]
    reasons: tuple[str | None, ...]

    def read(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """The pictures of `rows`: uint8 (len(rows), H, W, C), a copy."""
        mapped = np.memmap(self.pixels_file, np.uint8, "r", shape=self.shape)
        return np.array(mapped[list(rows)])


def open_store(
    folder: Path, paths: Sequence[str], pixel_format: PixelFormat, reporter: Reporter
) -> PixelStore:
    """The store of the pictures at `paths` (relative to `folder`), built where it is not kept.

    Raises:
        ResourceError: if the cache folder cannot be written.
    """
    files = [folder / path for path in paths]
    key = _fingerprint(folder, paths, files, pixel_format)
    shape = (len(paths), *pixel_format.image_size, pixel_format.num_channels)
    entry = cache.keep(
        cache.PIXELS,
        key,
        lambda building: _build(building, files, pixel_format, shape, reporter),
        lambda kept: _is_sound(kept, shape),
    )
    records = _read_records(entry)
    return PixelStore(
        key, entry / _PIXELS, shape, tuple(records["sha256s"]), tuple(records["reasons"])
    )


def _read_records(entry: Path) -> dict[str, list[Any]]:
    return dict(json.loads((entry / _RECORDS).read_text(encoding="ascii")))


def _is_sound(entry: Path, shape: tuple[int, int, int, int]) -> bool:
    """Whether all pixels are there, and no file was left out for a reason that may have passed."""
    records = _read_records(entry)
    whole = (entry / _PIXELS).stat().st_size == math.prod(shape)
    lasting = not any(is_passing(reason) for reason in records["reasons"] if reason)
    return whole and lasting and len(records["sha256s"]) == shape[0]


def _fingerprint(
    folder: Path, paths: Sequence[str], files: Sequence[Path], pixel_format: PixelFormat
) -> str:
    stamps = hashlib.sha256()
    for path, file in zip(paths, files, strict=True):
        try:
            status = os.stat(file)
            # The time of change as well: a file may be replaced with its old time kept.
            stamp = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        except OSError:
            stamp = (-1, -1, -1)
        stamps.update(repr((path, stamp)).encode("utf-8", "surrogateescape"))
    return cache.key_of(
        folder=os.path.abspath(folder),
        files=stamps.hexdigest(),
        pixels=asdict(pixel_format),
        reader=READER_VERSION,
        pillow=PIL.__version__,
    )


def _build(
    building: Path,
    files: Sequence[Path],
    pixel_format: PixelFormat,
    shape: tuple[int, int, int, int],
    reporter: Reporter,
) -> None:
    row_bytes = shape[1] * shape[2] * shape[3]
    lock = threading.Lock()

    def read(row: int) -> tuple[str, str | None]:
        try:
            content = read_file(files[row])
        except UnreadableImageError as error:
            return "", str(error)
        sha256 = hashlib.sha256(content).hexdigest()
        try:
            pixels = decode_image(content, pixel_format)
        except UnreadableImageError as error:
            return sha256, str(error)
        _write_row(target, lock, row * row_bytes, pixels)
        return sha256, None

    reporter.report(StageStarted(STAGE, len(files)))
    records: list[tuple[str, str | None]] = []
    with open(building / _PIXELS, "wb") as target:
        target.truncate(len(files) * row_bytes)
        for record in in_order(read, range(len(files)), num_threads()):
            records.append(record)
            reporter.report(StageAdvanced(STAGE, len(records)))
    reporter.report(StageEnded(STAGE))
    sha256s, reasons = zip(*records, strict=True)
    kept = json.dumps({"sha256s": sha256s, "reasons": reasons})
    (building / _RECORDS).write_text(kept, encoding="ascii")


def _write_row(
    target: BinaryIO, lock: threading.Lock, offset: int, pixels: NDArray[np.uint8]
) -> None:
    with lock:
        target.seek(offset)
        target.write(pixels.tobytes())
