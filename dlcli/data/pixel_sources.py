"""Where the pixels of a store come from: files of the cache, or the pictures themselves."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dlcli.data.pixels import (
    CHANGED,
    PixelFormat,
    UnreadableImageError,
    decode_image,
    read_file,
)
from dlcli.data.store_files import PIXELS, StoreFiles
from dlcli.errors import DataError
from dlcli.processor import num_threads
from dlcli.workers import in_order


class PixelSource(Protocol):
    """Where pixels come from."""

    def read(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """The pictures of `rows`: uint8 (len(rows), H, W, C)."""


@dataclass(frozen=True)
class KeptPixels:
    """Pixels in files of the cache, which have as many rows each, but for the last."""

    shards: Sequence[StoreFiles]
    row_shape: tuple[int, int, int]

    def read(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """The pictures of `rows`: uint8 (len(rows), H, W, C)."""
        wanted = np.array(rows, np.int64)
        found = np.empty((len(wanted), *self.row_shape), np.uint8)
        shard_rows = max(1, self.shards[0].num_rows)
        numbers = wanted // shard_rows
        for number in np.unique(numbers):
            files, here = self.shards[number], numbers == number
            shape = (files.num_rows, *self.row_shape)
            mapped = np.memmap(files.folder / PIXELS, np.uint8, "r", shape=shape)
            found[here] = mapped[wanted[here] % shard_rows]
        return found


@dataclass(frozen=True)
class DecodedPixels:
    """Pixels from the pictures' own files, decoded each time."""

    folder: Path
    paths: Sequence[str]
    pixel_format: PixelFormat
    records: NDArray[np.void]

    def read(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """The pictures of `rows`: uint8 (len(rows), H, W, C).

        Raises:
            DataError: if one has changed since the store was opened.
        """
        pixels = [*in_order(self._read_one, rows, num_threads())]
        return np.stack(pixels) if pixels else np.empty((0, *self.pixel_format.shape), np.uint8)

    def _read_one(self, row: int) -> NDArray[np.uint8]:
        """Zeros for a picture that was unreadable from the beginning."""
        record, path = self.records[row], os.path.join(self.folder, self.paths[row])
        if not record["is_readable"]:
            return np.zeros(self.pixel_format.shape, np.uint8)
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
