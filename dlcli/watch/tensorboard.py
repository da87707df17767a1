"""Event files for TensorBoard, below a run's own folder: a sub-run a stage, a step an epoch.

Records are written by hand, one unbuffered write each: the writers that TensorBoard offers import
TensorFlow where it is installed, and keep what they are told for up to two minutes.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any, BinaryIO

from dlcli.events import EpochEnded, Event, HeadFitted, RunClosed, RunOpened
from dlcli.runs.files import TENSORBOARD
from dlcli.watch.listeners import missing

_FORMAT = "brain.Event:2"


class TensorBoardListener:
    """Writes the numbers of every epoch as soon as they are known.

    Raises:
        ResourceError: if TensorBoard is not installed.
    """

    def __init__(self) -> None:
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError as error:
            raise missing("tensorboard", "--tensorboard") from error
        self._events, self._summaries, self._writer_of = event_pb2, summary_pb2, RecordWriter
        self._folder: Path | None = None
        self._files: dict[str, _EventFile] = {}

    def report(self, event: Event) -> None:
        """Keeps what is a number."""
        match event:
            case RunOpened(folder):
                self._folder = folder / TENSORBOARD
            case EpochEnded():
                numbers = {
                    "loss": event.loss,
                    "accuracy": event.accuracy,
                    "val_loss": event.val_loss,
                    "val_accuracy": event.val_accuracy,
                    "learning_rate": event.learning_rate,
                }
                self._write(event.name, event.epoch, numbers)
            case HeadFitted(name, val_loss, val_accuracy):
                self._write(name, 1, {"val_loss": val_loss, "val_accuracy": val_accuracy})
            case RunClosed():
                for file in self._files.values():
                    file.close()
                self._files.clear()

    def _write(self, stage: str, step: int, numbers: dict[str, float | None]) -> None:
        if self._folder is None:
            return
        if stage not in self._files:
            self._files[stage] = self._open(self._folder / stage)
        file = self._files[stage]
        if step <= file.last_step:
            # Readers forget this step and those after it, whether they are in this file or in that
            # of a training which was interrupted.
            start = self._events.SessionLog(status=self._events.SessionLog.START)
            file.write(step=step, session_log=start)
        value = self._summaries.Summary.Value
        values = [
            value(tag=tag, simple_value=number)
            for tag, number in numbers.items()
            if number is not None
        ]
        file.write(step=step, summary=self._summaries.Summary(value=values))
        file.last_step = step

    def _open(self, folder: Path) -> _EventFile:
        folder.mkdir(parents=True, exist_ok=True)
        # Readers go through the files of a folder in the order of their names.
        name = f"events.out.tfevents.{time.time_ns():020}.dlcli"
        stream = open(folder / name, "xb", buffering=0)  # noqa: SIM115
        return _EventFile(stream, self._writer_of(stream), self._events.Event)


class _EventFile:
    """One file of events, each with the time it was written at."""

    def __init__(self, stream: BinaryIO, writer: Any, event: Any) -> None:
        self._stream, self._writer, self._event = stream, writer, event
        self.last_step = math.inf  # a file may go on where an earlier one ended
        self.write(file_version=_FORMAT)

    def write(self, **fields: Any) -> None:
        event = self._event(wall_time=time.time(), **fields)
        self._writer.write(event.SerializeToString())

    def close(self) -> None:
        self._stream.close()
