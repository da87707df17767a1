"""dlcli runs: the trainings and their numbers."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.errors import DataError, UsageError

DAMAGED, KILLED = "damaged", "killed"
"""A run whose run.json cannot be read, and one that is running by its run.json and by nothing
else."""


@dataclass(frozen=True)
class RunFacts:
    """One run; what it does not have, or is damaged, is None."""

    name: str
    folder: Path
    status: str
    started: str | None = None
    backbone: str | None = None
    num_classes: int | None = None
    num_images: int | None = None
    val_accuracy: float | None = None
    test_accuracy: float | None = None
    test_accuracy_interval: tuple[float, float] | None = None
    seconds: float | None = None
    size_bytes: int = 0
    has_model: bool = False


@dataclass(frozen=True)
class RunsResult:
    """The runs in a folder, the latest first, and the names of those that were deleted."""

    folder: Path
    runs: tuple[RunFacts, ...]
    deleted: tuple[str, ...] = ()


def run(runs_folder: Path, doomed: tuple[Path, ...] = ()) -> RunsResult:
    """Deletes the runs `doomed`, which `find_deletable` gave, and lists the others."""
    from dlcli.runs.run import run_folders

    for folder in doomed:
        shutil.rmtree(folder)
    found = sorted(
        map(_facts, run_folders(runs_folder)),
        key=lambda facts: (facts.started or "", facts.name),
        reverse=True,
    )
    return RunsResult(runs_folder, tuple(found), tuple(folder.name for folder in doomed))


def find_deletable(runs_folder: Path, names: tuple[str, ...]) -> tuple[Path, ...]:
    """The folders of the runs with these names or paths, each once.

    Raises:
        UsageError: for what is no run, or one that is being trained.
    """
    from dlcli.runs.run import is_run

    found = []
    for name in dict.fromkeys(names):
        folders = [path for path in (runs_folder / name, Path(name)) if is_run(path)]
        if not folders:
            raise UsageError(
                "this is no run.", where=f"--delete {name}", fix="`dlcli runs` lists them."
            )
        _require_deletable(folders[0])
        found.append(folders[0])
    return tuple(dict.fromkeys(found))


def _require_deletable(folder: Path) -> None:
    from dlcli.runs.files import BUILDING, NAMES
    from dlcli.runs.run import Run

    if Run(folder).is_at_work():
        raise UsageError(
            "this run is being trained at this moment.",
            where=str(folder),
            fix="Wait for it, or stop it first.",
        )
    names = sorted(path.name for path in folder.iterdir())
    foreign = [name for name in names if name not in NAMES and not name.startswith(BUILDING)]
    if foreign:
        raise UsageError(
            f"this run holds what dlcli did not put there: {', '.join(foreign[:3])}.",
            where=str(folder),
            fix="Move that elsewhere first, or delete the folder yourself.",
        )


def _facts(folder: Path) -> RunFacts:
    from dlcli.artifact import MODEL_JSON
    from dlcli.runs import files
    from dlcli.runs.run import RUNNING, Run

    opened = Run(folder)
    size = _size_bytes(folder)
    try:
        about = opened.describe()
    except DataError:
        return RunFacts(folder.name, folder, DAMAGED, size_bytes=size)
    status = str(about.get("status", DAMAGED))
    if status == RUNNING and not opened.is_at_work():
        status = KILLED
    data, reports = _mapping(about.get("data")), _read(folder / files.METRICS)
    val, test = _mapping(reports.get("val")), _mapping(reports.get("test"))
    model = _mapping(_read(opened.model_folder / MODEL_JSON).get("model"))
    counts = _mapping(data.get("num_images"))
    interval = test.get("accuracy_interval")
    return RunFacts(
        folder.name,
        folder,
        status,
        started=about.get("started"),
        backbone=model.get("backbone"),
        num_classes=len(data["classes"]) if isinstance(data.get("classes"), list) else None,
        num_images=sum(counts.get(split, 0) for split in ("train", "val", "test")) or None,
        val_accuracy=val.get("accuracy"),
        test_accuracy=test.get("accuracy"),
        test_accuracy_interval=(interval[0], interval[1]) if interval else None,
        seconds=_mapping(about.get("seconds")).get("total"),
        size_bytes=size,
        has_model=bool(model),
    )


def _read(file: Path) -> dict[str, Any]:
    """A JSON document; empty where it is missing or damaged."""
    try:
        return _mapping(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _size_bytes(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file())
