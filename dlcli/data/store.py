"""The pixel store: every picture of a data set decoded once and kept on disk.

It is keyed by all its pixels depend on (the files' paths, sizes and times, the pixel format, the
reader), so an unchanged folder is not read again. It is written and read a few rows at a time:
memory does not grow with the number of pictures. Where the disk or the budget of the cache has no
room for the pixels, only what is known of each picture is kept, and pixels are read from the files
each time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import PIL
from numpy.typing import NDArray

from dlcli import cache
from dlcli.data.heif import heif_version
from dlcli.data.likeness import look_of
from dlcli.data.pixels import (
    CHANGED,
    READER_VERSION,
    PixelFormat,
    UnreadableImageError,
    decode_and_see,
    decode_image,
    is_passing,
    read_file,
)
from dlcli.data.store_files import PIXELS, Reading, StoreFiles
from dlcli.errors import DataError
from dlcli.events import Reporter, StageAdvanced, StageEnded, StageStarted, Warned
from dlcli.processor import num_threads
from dlcli.workers import in_order

STAGE = "reading pictures"
SPARED_BYTES = 200_000_000
"""What is left free on the disk for the features and the run."""


class PixelSource(Protocol):
    """Where pixels come from."""

    def read(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """The pictures of `rows`: uint8 (len(rows), H, W, C)."""


@dataclass(frozen=True)
class PixelStore:
    """The pictures of a data set: row i belongs to the i-th path.

    `reasons[i]` is None for a readable picture; its row is undefined otherwise. `records` (N,) of
    RECORD are what is known of each.
    """

    key: str
    shape: tuple[int, int, int, int]
    reasons: tuple[str | None, ...]
    records: NDArray[np.void] = field(compare=False, repr=False)
    source: PixelSource = field(compare=False, repr=False)

    def read(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """The pictures of `rows`: uint8 (len(rows), H, W, C), a copy.

        Raises:
            DataError: if they are read from their files, and one has changed.
        """
        return self.source.read(rows)

    @cached_property
    def sha256s(self) -> tuple[str, ...]:
        """Of each file, in hexadecimal; empty where it could not be read."""
        hexadecimal = self.records["sha256"].tobytes().hex()
        found = (hexadecimal[start : start + 64] for start in range(0, len(hexadecimal), 64))
        return tuple(sha256 if sha256.strip("0") else "" for sha256 in found)


@dataclass(frozen=True)
class _KeptPixels:
    """Pixels in a file of the cache."""

    file: Path
    shape: tuple[int, int, int, int]

    def read(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        mapped = np.memmap(self.file, np.uint8, "r", shape=self.shape)
        return np.array(mapped[list(rows)])


@dataclass(frozen=True)
class _DecodedPixels:
    """Pixels from the pictures' own files, decoded each time."""

    folder: Path
    paths: Sequence[str]
    pixel_format: PixelFormat
    records: NDArray[np.void]

    def read(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        pixels = [*in_order(self._read_one, rows, num_threads())]
        shape = (*self.pixel_format.image_size, self.pixel_format.num_channels)
        return np.stack(pixels) if pixels else np.empty((0, *shape), np.uint8)

    def _read_one(self, row: int) -> NDArray[np.uint8]:
        """Zeros for a picture that was unreadable from the beginning."""
        record, path = self.records[row], os.path.join(self.folder, self.paths[row])
        if not record["is_readable"]:
            shape = (*self.pixel_format.image_size, self.pixel_format.num_channels)
            return np.zeros(shape, np.uint8)
        try:
            content = read_file(path)
            is_same = hashlib.sha256(content).digest() == record["sha256"].tobytes()
            pixels = decode_image(content, self.pixel_format) if is_same else None
        except UnreadableImageError as error:
            raise _moving(path, str(error)) from error
        if pixels is None:
            raise _moving(path, CHANGED)
        return pixels


def _moving(path: str, reason: str) -> DataError:
    return DataError(f"{reason}.", where=path, fix="Start again when the folder is left alone.")


def open_store(
    folder: Path, paths: Sequence[str], pixel_format: PixelFormat, reporter: Reporter
) -> PixelStore:
    """The store of the pictures at `paths` (relative to `folder`), built where it is not kept.

    Raises:
        ResourceError: if the cache folder cannot be written.
    """
    pictures = _Pictures(folder, paths, pixel_format, _stamps(folder, paths))
    if pictures.is_too_large(reporter):
        return _open(pictures, reporter, keeps_pixels=False)
    try:
        return _open(pictures, reporter, keeps_pixels=True)
    except cache.DiskFullError as error:
        reporter.report(Warned(f"{error.what} {_WITHOUT_STORE}"))
        return _open(pictures, reporter, keeps_pixels=False)


_WITHOUT_STORE = "Pictures are read from their files each time they are needed, which is slower."


@dataclass(frozen=True)
class _Pictures:
    """The files of a store, and their sizes and times as they were when the work began."""

    folder: Path
    paths: Sequence[str]
    pixel_format: PixelFormat
    stamps: NDArray[np.int64]

    @cached_property
    def key(self) -> str:
        names = hashlib.sha256()
        for path in self.paths:
            names.update(f"{path}\0".encode("utf-8", "surrogateescape"))
        names.update(self.stamps.tobytes())
        return cache.key_of(
            folder=os.path.abspath(self.folder),
            files=names.hexdigest(),
            pixels=asdict(self.pixel_format),
            reader=READER_VERSION,
            pillow=PIL.__version__,
            heif=heif_version(),
        )

    @property
    def shape(self) -> tuple[int, int, int, int]:
        height, width = self.pixel_format.image_size
        return len(self.paths), height, width, self.pixel_format.num_channels

    @property
    def row_bytes(self) -> int:
        _, height, width, channels = self.shape
        return height * width * channels

    def is_too_large(self, reporter: Reporter) -> bool:
        """Whether the pixels are to be kept; says why not."""
        needed, budget = len(self.paths) * self.row_bytes, cache.size_budget()
        missing = needed - cache.size_of(cache.PIXELS, self.key)
        if needed > budget:
            reason = (
                f"their pixels would take {_gigabytes(needed)} of the {_gigabytes(budget)} that "
                "the cache may hold (DLCLI_CACHE_SIZE allows more)"
            )
        elif missing > 0 and missing + SPARED_BYTES > (free := cache.free_bytes()):
            reason = (
                f"their pixels would take {_gigabytes(needed)}, and {_gigabytes(free)} are free on "
                f"the disk of {cache.cache_folder()} (DLCLI_CACHE names another)"
            )
        else:
            return False
        reporter.report(Warned(f"{reason}. {_WITHOUT_STORE}"))
        return True

    def read(self, row: int) -> Reading:
        """The picture of a row."""
        path = os.path.join(self.folder, self.paths[row])
        try:
            content = read_file(path)
        except UnreadableImageError as error:
            return Reading(reason=str(error))
        sha256 = hashlib.sha256(content).digest()
        if (_stamp(path) != self.stamps[row]).any():
            return Reading(sha256, reason=CHANGED)
        try:
            pixels, look = decode_and_see(content, self.pixel_format, look_of)
        except UnreadableImageError as error:
            return Reading(sha256, reason=str(error))
        return Reading(sha256, pixels, look)


def _open(pictures: _Pictures, reporter: Reporter, *, keeps_pixels: bool) -> PixelStore:
    row_bytes = pictures.row_bytes if keeps_pixels else 0
    num_rows = len(pictures.paths)
    entry = cache.keep(
        cache.PIXELS,
        pictures.key if keeps_pixels else f"{pictures.key}-known",
        lambda building: _build(StoreFiles(building, num_rows, row_bytes), pictures, reporter),
        lambda kept: _is_sound(StoreFiles(kept, num_rows, row_bytes)),
        resumes=True,
        reporter=reporter,
    )
    files = StoreFiles(entry, num_rows, row_bytes)
    records, reasons = files.records(), files.reasons()
    source: PixelSource = _KeptPixels(entry / PIXELS, pictures.shape)
    if not keeps_pixels:
        source = _DecodedPixels(pictures.folder, pictures.paths, pictures.pixel_format, records)
    why = tuple(map(reasons.get, range(num_rows)))
    return PixelStore(pictures.key, pictures.shape, why, records, source)


def _is_sound(files: StoreFiles) -> bool:
    """Whether all is there, and no file was left out for a reason that may have passed."""
    return files.are_whole() and not any(map(is_passing, files.reasons().values()))


def _build(files: StoreFiles, pictures: _Pictures, reporter: Reporter) -> None:
    with files.appending() as rows:
        reporter.report(StageStarted(STAGE, files.num_rows))
        for reading in in_order(pictures.read, range(rows.done, files.num_rows), num_threads()):
            rows.append(reading)
            reporter.report(StageAdvanced(STAGE, rows.done))
    reporter.report(StageEnded(STAGE))


def _stamps(folder: Path, paths: Sequence[str]) -> NDArray[np.int64]:
    """What changes with a file, int64 (N, 3)."""
    stamps = np.empty((len(paths), 3), np.int64)
    for row, path in enumerate(paths):
        stamps[row] = _stamp(os.path.join(folder, path))
    return stamps


def _stamp(path: str) -> NDArray[np.int64]:
    """Size, and the times of modification and of change: a file may be replaced with its old time
    kept. All -1 where it cannot be looked at."""
    try:
        status = os.stat(path)
    except OSError:
        return np.full(3, -1, np.int64)
    return np.array((status.st_size, status.st_mtime_ns, status.st_ctime_ns), np.int64)


def _gigabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.1f} GB"
