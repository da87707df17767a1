"""The pixel store: every picture of a data set decoded once and kept on disk.

It is keyed by all its pixels depend on (the files' paths, sizes and times, the pixel format, the
reader), so an unchanged folder is not read again. It is written and read a few rows at a time:
memory grows with what is known of each picture, under 1 kB, and not with the pixels. A large store
consists of shards, each an entry of the cache, so that several processes can build it together.
Where the disk or the budget of the cache has no room for the pixels, only what is known of each
picture is kept, and pixels are read from the files each time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray

from dlcli import cache
from dlcli.data.heif import heif_version
from dlcli.data.likeness import look_of
from dlcli.data.pixel_sources import DecodedPixels, KeptPixels, PixelSource
from dlcli.data.pixels import (
    CHANGED,
    READER_VERSION,
    PixelFormat,
    UnreadableImageError,
    decode_and_see,
    is_passing,
    read_file,
)
from dlcli.data.store_files import Reading, StoreFiles
from dlcli.events import Reporter, StageAdvanced, StageEnded, StageStarted, Warned
from dlcli.processor import num_threads
from dlcli.workers import in_order

STAGE = "reading pictures"
SPARED_BYTES = 200_000_000
"""What is left free on the disk for the features and the run."""

SHARD_ROWS = 8192
"""Pictures in one entry of the cache: 1.2 GB of them at 224 x 224."""


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


def open_store(
    folder: Path,
    paths: Sequence[str],
    pixel_format: PixelFormat,
    reporter: Reporter,
    *,
    begin_at: float = 0.0,
) -> PixelStore:
    """The store of the pictures at `paths` (relative to `folder`), built where it is not kept.

    Of several processes that want the same store each is given another share of it, in [0, 1), to
    `begin_at`: what one has built in a cache that they share, the others only open.

    Raises:
        ResourceError: if the cache folder cannot be written.
    """
    pictures = _Pictures(folder, paths, pixel_format, _stamps(folder, paths))
    if pictures.is_too_large(reporter):
        return _open(pictures, reporter, begin_at, keeps_pixels=False)
    try:
        return _open(pictures, reporter, begin_at, keeps_pixels=True)
    except cache.DiskFullError as error:
        reporter.report(Warned(f"{error.what} {_WITHOUT_STORE}"))
        return _open(pictures, reporter, begin_at, keeps_pixels=False)


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
        return (len(self.paths), *self.pixel_format.shape)

    @property
    def row_bytes(self) -> int:
        _, height, width, channels = self.shape
        return height * width * channels

    @cached_property
    def shards(self) -> list[range]:
        """The rows of each; a store without pictures has one, too."""
        count = len(self.paths)
        starts = range(0, max(1, count), SHARD_ROWS)
        return [range(start, min(start + SHARD_ROWS, count)) for start in starts]

    def name_of(self, number: int) -> str:
        """Of a shard in the cache."""
        count = len(self.shards)
        return self.key if count == 1 else f"{self.key}-{number + 1}-of-{count}"

    def is_too_large(self, reporter: Reporter) -> bool:
        """Whether the pixels are to be kept; says why not."""
        needed, budget = len(self.paths) * self.row_bytes, cache.size_budget()
        names = [self.name_of(number) for number in range(len(self.shards))]
        missing = needed - sum(cache.size_of(cache.PIXELS, name) for name in names)
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


def _open(
    pictures: _Pictures, reporter: Reporter, begin_at: float, *, keeps_pixels: bool
) -> PixelStore:
    shards = _open_shards(pictures, reporter, begin_at, keeps_pixels=keeps_pixels)
    known = [files.records() for files in shards]
    records = known[0] if len(known) == 1 else np.concatenate(known)
    source: PixelSource = KeptPixels(shards, pictures.shape[1:])
    if not keeps_pixels:
        source = DecodedPixels(pictures.folder, pictures.paths, pictures.pixel_format, records)
    why: list[str | None] = []
    for files in shards:
        why += map(files.reasons().get, range(files.num_rows))
    return PixelStore(pictures.key, pictures.shape, tuple(why), records, source)


def _open_shards(
    pictures: _Pictures, reporter: Reporter, begin_at: float, *, keeps_pixels: bool
) -> list[StoreFiles]:
    """All of them, in their order; `begin_at` says which is built first."""
    row_bytes = pictures.row_bytes if keeps_pixels else 0
    progress = _Progress(reporter, len(pictures.paths))
    opened: dict[int, StoreFiles] = {}
    numbers = range(len(pictures.shards))
    first = int(begin_at * len(numbers))
    for number in (*numbers[first:], *numbers[:first]):
        rows, name = pictures.shards[number], pictures.name_of(number)
        files_in = partial(StoreFiles, num_rows=len(rows), row_bytes=row_bytes)
        entry = cache.keep(
            cache.PIXELS,
            name if keeps_pixels else f"{name}-known",
            partial(_build, files_in, rows, pictures, progress),
            partial(_is_sound, files_in),
            resumes=True,
            reporter=reporter,
        )
        opened[number] = files_in(entry)
        progress.num_before += len(rows)
    progress.end()
    return [opened[number] for number in numbers]


class _Progress:
    """Tells of the pictures of all shards; nothing where all are kept."""

    def __init__(self, reporter: Reporter, count: int) -> None:
        self._reporter, self._count = reporter, count
        self._has_begun = False
        self.num_before = 0

    def begin(self) -> None:
        """A shard is going to be built."""
        if not self._has_begun:
            self._reporter.report(StageStarted(STAGE, self._count))
        self._has_begun = True

    def advance(self, done: int) -> None:
        """So many pictures of this shard are read."""
        self._reporter.report(StageAdvanced(STAGE, self.num_before + done))

    def end(self) -> None:
        """All shards are there."""
        if self._has_begun:
            self._reporter.report(StageEnded(STAGE))


def _is_sound(files_in: Callable[[Path], StoreFiles], kept: Path) -> bool:
    """Whether all is there, and no file was left out for a reason that may have passed."""
    files = files_in(kept)
    return files.are_whole() and not any(map(is_passing, files.reasons().values()))


def _build(
    files_in: Callable[[Path], StoreFiles],
    rows: range,
    pictures: _Pictures,
    progress: _Progress,
    building: Path,
) -> None:
    with files_in(building).appending() as appender:
        progress.begin()
        for reading in in_order(pictures.read, rows[appender.done :], num_threads()):
            appender.append(reading)
            progress.advance(appender.done)


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
