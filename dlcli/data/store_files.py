"""The files of a pixel store: a row a picture, appended in order, so that what was written before
an interruption is gone on with.

`pixels.u8` holds uint8 (N, H, W, C), `records.bin` a RECORD a row, `reasons.jsonl` why a row is
unreadable. A store without pixels lacks the first.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from dlcli.data.likeness import LOOK

PIXELS, RECORDS, REASONS = "pixels.u8", "records.bin", "reasons.jsonl"
RECORD = np.dtype([("sha256", "u1", (32,)), ("look", LOOK), ("crc32", "<u4"), ("is_readable", "?")])
"""What is known of a picture; `crc32` is that of its pixels, 0 where none are kept. All zeros in
`sha256`: the file could not be read."""

_NUM_CHECKED = 32


@dataclass(frozen=True)
class Reading:
    """What came of one file: pixels and a look, or a reason."""

    sha256: bytes = bytes(32)
    pixels: NDArray[np.uint8] | None = None
    look: NDArray[np.void] | None = None
    reason: str | None = None


@dataclass(frozen=True)
class StoreFiles:
    """The files in `folder` for `num_rows` pictures of `row_bytes` each, 0 where none are kept."""

    folder: Path
    num_rows: int
    row_bytes: int

    def records(self) -> NDArray[np.void]:
        """A read-only map of the records there are: (N,) of RECORD."""
        path = self.folder / RECORDS
        count = path.stat().st_size // RECORD.itemsize
        return np.memmap(path, RECORD, "r", shape=(count,)) if count else np.empty(0, RECORD)

    def reasons(self) -> dict[int, str]:
        """Why rows are unreadable."""
        lines = (self.folder / REASONS).read_text(encoding="ascii").splitlines()
        return {int(row): str(reason) for row, reason in map(json.loads, lines)}

    def are_whole(self) -> bool:
        """Whether every row is there; a power cut may leave zeros, so some are looked at."""
        return self._num_whole() == self.num_rows and self._are_sound(range(self.num_rows))

    @contextmanager
    def appending(self) -> Iterator[Appender]:
        """Takes up where an interruption left off; the first time, with no row."""
        done = self._num_sound()
        with ExitStack() as files:
            opened = {}
            for name, row_bytes in ((PIXELS, self.row_bytes), (RECORDS, RECORD.itemsize)):
                if row_bytes:
                    file = files.enter_context(open(self.folder / name, "ab"))
                    file.truncate(done * row_bytes)
                    opened[name] = file
            reasons = self._kept_reasons(done)
            opened[REASONS] = files.enter_context(open(self.folder / REASONS, "wb"))
            appender = Appender(opened, self.row_bytes, done)
            for row, reason in reasons.items():
                appender.note_reason(row, reason)
            yield appender

    def _num_sound(self) -> int:
        """The rows that can be kept."""
        try:
            done = self._num_whole()
            return done if self._are_sound(range(done)[-_NUM_CHECKED:]) else 0
        except (OSError, ValueError):
            return 0

    def _num_whole(self) -> int:
        done = (self.folder / RECORDS).stat().st_size // RECORD.itemsize
        if self.row_bytes:
            done = min(done, (self.folder / PIXELS).stat().st_size // self.row_bytes)
        unreadable = np.flatnonzero(~self.records()[:done]["is_readable"])
        unexplained = sorted(set(unreadable.tolist()) - self.reasons().keys())
        return unexplained[0] if unexplained else done

    def _are_sound(self, rows: range) -> bool:
        """Whether the pixels of some of the rows are those that were written."""
        if not self.row_bytes or not rows:
            return True
        records = self.records()
        looked_at = rows[:: max(1, len(rows) // _NUM_CHECKED)]
        with open(self.folder / PIXELS, "rb") as file:
            for row in (*looked_at, rows[-1]):
                file.seek(row * self.row_bytes)
                if zlib.crc32(file.read(self.row_bytes)) != records[row]["crc32"]:
                    return False
        return True

    def _kept_reasons(self, done: int) -> dict[int, str]:
        try:
            reasons = self.reasons()
        except (OSError, ValueError):
            return {}
        return {row: reason for row, reason in reasons.items() if row < done}


class Appender:
    """Adds rows; `done` is how many there are."""

    def __init__(self, files: Mapping[str, BinaryIO], row_bytes: int, done: int) -> None:
        self._files, self._row_bytes, self.done = files, row_bytes, done

    def append(self, reading: Reading) -> None:
        """Adds the next row."""
        record = np.zeros((), RECORD)
        record["sha256"] = np.frombuffer(reading.sha256, np.uint8)
        record["is_readable"] = reading.reason is None
        if reading.look is not None:
            record["look"] = reading.look
        if reading.reason is not None:
            self.note_reason(self.done, reading.reason)
        if self._row_bytes:
            pixels = reading.pixels
            content = bytes(self._row_bytes) if pixels is None else pixels.tobytes()
            record["crc32"] = zlib.crc32(content)
            self._files[PIXELS].write(content)
        self._files[RECORDS].write(record.tobytes())
        self.done += 1

    def note_reason(self, row: int, reason: str) -> None:
        """Says why a row is unreadable; before the row itself, which must not stand without."""
        self._files[REASONS].write(f"{json.dumps([row, reason])}\n".encode("ascii"))
        self._files[REASONS].flush()
