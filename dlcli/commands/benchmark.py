"""dlcli benchmark: how fast, how large and how good a model is in each format, on this machine."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.asked_pictures import AskedPictures, asked_pictures
from dlcli.commands.exported import (
    ALL,
    EXPORT_JSON,
    MODEL_FILES,
    Described,
    read_description,
    require_unchanged,
    size_of,
)
from dlcli.commands.open_run import OpenedRun, open_run
from dlcli.commands.parity import accuracy_of, unrunnable
from dlcli.errors import ResourceError
from dlcli.events import NullReporter, Reporter, StageEnded, StageStarted
from dlcli.processor import ask_python, num_threads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class BenchmarkOptions:
    """What was typed; each of `targets` is a run or an exported folder, and each of its models is
    timed for twice `seconds`."""

    targets: tuple[str, ...]
    runs_folder: Path
    seconds: float


@dataclass(frozen=True)
class Pace:
    """How long a picture takes alone (the median, and what 95 % stay below), and how many a second
    are answered in batches."""

    median_seconds: float
    p95_seconds: float
    images_per_second: float


@dataclass(frozen=True)
class TimedModel:
    """One model; `accuracy` is that on `num_images` `source`, None where nobody knows what they
    show."""

    target: str
    run: str
    format: str
    body: str
    size_bytes: int
    num_images: int
    source: str
    accuracy: float | None
    pace: Pace


@dataclass(frozen=True)
class BenchmarkResult:
    """Every model that was timed, on `threads` of the processor `cpu`."""

    cpu: str
    threads: int
    models: tuple[TimedModel, ...]


def run(options: BenchmarkOptions, reporter: Reporter) -> BenchmarkResult:
    """Times each model in a fresh process, by its own runtime.

    A run is exported in every format first, to a place that is gone afterwards.

    Raises:
        UsageError: if there is no such run or folder.
        DataError: if an exported folder is not what was written.
        GateError: if an exported model answers otherwise than its run.
        ResourceError: if a model cannot be run.
    """
    from dlcli.machine.cpu import find_cpu

    models: list[TimedModel] = []
    for target in options.targets:
        with _exported(target, options.runs_folder, reporter) as folder:
            models += _time_models(target, folder, options, reporter)
    return BenchmarkResult(find_cpu().model, num_threads(), tuple(models))


@contextmanager
def _exported(target: str, runs_folder: Path, reporter: Reporter) -> Iterator[Path]:
    """The exported folder that is meant, or one that is made of the run."""
    from dlcli.commands import export
    from dlcli.runs.run import IMAGENET, find_run

    if target != IMAGENET:
        folder = find_run(target, runs_folder)
        if (folder / EXPORT_JSON).is_file():
            yield folder
            return
    with tempfile.TemporaryDirectory(prefix="dlcli-benchmark-") as name:
        folder = Path(name) / "exported"
        export.run(export.ExportOptions(runs_folder, target, ALL, folder), reporter)
        yield folder


def _time_models(
    target: str, folder: Path, options: BenchmarkOptions, reporter: Reporter
) -> Iterator[TimedModel]:
    described = read_description(folder)
    require_unchanged(folder, described)
    opened = open_run(str(folder), options.runs_folder, NullReporter())  # it was named
    beside = OpenedRun(opened.name, described.run_here() or folder, opened.classifier)
    with asked_pictures(beside) as asked:
        for model in described.models:
            stage, path = f"timing {model.format}", folder / MODEL_FILES[model.format]
            reporter.report(StageStarted(stage))
            answers, pace = _time(model, path, asked, options.seconds)
            reporter.report(StageEnded(stage))
            yield TimedModel(
                target,
                described.run,
                model.format,
                model.body,
                size_of(path),
                len(answers),
                asked.source,
                accuracy_of(answers, asked.labels),
                pace,
            )


def _time(
    model: Described, path: Path, asked: AskedPictures, seconds: float
) -> tuple[NDArray[np.float32], Pace]:
    import numpy as np

    from dlcli.export import runtimes

    with tempfile.TemporaryDirectory(prefix="dlcli-pace-") as name:
        pixels, answers = Path(name) / "pixels.npy", Path(name) / "answers.npy"
        np.save(pixels, asked.pixels)
        order = (runtimes.__file__, "pace", model.format, path, pixels, answers)
        said, fault = ask_python(*map(str, order), str(num_threads()), str(seconds))
        if fault is not None:
            raise unrunnable(model.format, fault)
        try:
            found = json.loads(said.splitlines()[-1])
        except (ValueError, IndexError) as error:
            raise ResourceError(f"the {model.format} runtime gave no times.") from error
        return np.load(answers), Pace(**found)
