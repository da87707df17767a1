"""dlcli export: a run -> a model file for other programs, checked against the run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from dlcli.commands.asked_pictures import asked_pictures
from dlcli.commands.open_run import OpenedRun, open_run
from dlcli.commands.parity import Parity, check_parity
from dlcli.commands.serving_example import write_serving_example
from dlcli.errors import UsageError
from dlcli.events import Reporter, StageEnded, StageStarted

_T = TypeVar("_T")

EXPORT_JSON, LABELS = "export.json", "labels.txt"
MODEL_FILES = {"saved_model": "1", "litert": "model.tflite", "keras": "model.keras"}


@dataclass(frozen=True)
class ExportOptions:
    """What was typed; `output` None is a folder named after the run."""

    runs_folder: Path
    run: str | None = None
    format: str = "saved_model"
    output: Path | None = None
    force: bool = False


@dataclass(frozen=True)
class ExportResult:
    """What was written; `files` are relative to `folder`."""

    run: str
    format: str
    folder: Path
    files: tuple[str, ...]
    size_bytes: int
    parity: Parity
    body: str = "float32"
    """What the exported model counts in, float32 or int8."""
    run_body: str = "float32"
    verified: bool = False
    """Whether nothing was written, and an earlier export was checked instead."""


def run(options: ExportOptions, reporter: Reporter) -> ExportResult:
    """Writes the model, asks it in a fresh process, and only then puts it in place.

    Raises:
        UsageError: if the target is there already.
        GateError: if the exported model answers otherwise than the run; nothing is left behind.
    """
    from dlcli.artifact import sha256_of
    from dlcli.runs import files

    opened = open_run(options.run, options.runs_folder, reporter)
    stem = opened.name if opened.name == "imagenet" else opened.folder.resolve().name
    target = options.output or Path(f"{stem}-{options.format}")
    _require_free(target, options.force)
    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _stage(reporter, f"writing {options.format}", lambda: _write(opened, options, building))
        parity = _stage(reporter, "checking", lambda: _check(opened, options.format, building))
        artifact = opened.classifier.artifact
        files.write_text(building / LABELS, _label_lines(artifact.class_names))
        artifact.copy_to(building / files.MODEL)
        sums = {name: {"sha256": sha256_of(building / name)} for name in _names(building)}
        files.write_json(
            building / EXPORT_JSON,
            {
                "schema": 1,
                "run": opened.name,
                "format": options.format,
                "body": _body_of(opened, options.format),
                "parity": asdict(parity),
                "files": sums,
            },
        )
        written, size_bytes = measure(building, options.format)
        building.chmod(0o755)
        _put_in_place(building, target)
    except OSError as error:
        error.filename = error.filename or str(target)  # a failed write names no file
        raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return ExportResult(
        opened.name,
        options.format,
        target,
        written,
        size_bytes,
        parity,
        _body_of(opened, options.format),
        artifact.model.body,
    )


def _body_of(opened: OpenedRun, form: str) -> str:
    """What the exported body counts in: LiteRT takes the run's own, all others know float32."""
    return opened.classifier.artifact.model.body if form == "litert" else "float32"


def _label_lines(class_names: Sequence[str]) -> str:
    r"""A line a class, in label order; a line break in a name is written as \n."""
    escaped = (name.replace("\r", "\\r").replace("\n", "\\n") for name in class_names)
    return "".join(f"{name}\n" for name in escaped)


def _put_in_place(building: Path, target: Path) -> None:
    """Renames; an earlier export (--force) goes only when the new one stands."""
    if target.is_symlink():
        target.unlink()
    if not target.exists():
        building.rename(target)
        return
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-old-", dir=target.parent) as aside:
        target.rename(Path(aside) / target.name)
        building.rename(target)


def _stage(reporter: Reporter, name: str, work: Callable[[], _T]) -> _T:
    reporter.report(StageStarted(name))
    result = work()
    reporter.report(StageEnded(name))
    return result


def _require_free(target: Path, force: bool) -> None:
    if not target.exists():
        return
    ours = (target / EXPORT_JSON).is_file()
    if force and ours:
        return
    fix = "Overwrite it with --force, or name another with -o." if ours else "Name another with -o."
    raise UsageError("this is there already.", where=str(target), fix=fix)


def _write(opened: OpenedRun, options: ExportOptions, building: Path) -> None:
    from dlcli.artifact import BODY

    artifact, head = opened.classifier.artifact, opened.classifier.head
    path = building / MODEL_FILES[options.format]
    if options.format == "litert":
        from dlcli.export.litert import append_head

        path.write_bytes(append_head(artifact.file(BODY).read_bytes(), head))
        return
    from dlcli import backend

    backend.prepare(device="cpu")
    from dlcli.models.model import open_model

    model = open_model(artifact, head)
    if options.format == "saved_model":
        from dlcli.export.saved_model import write_saved_model

        write_saved_model(model, artifact.class_names, artifact.pixel_format, building)
    else:
        model.save(path)


def _check(opened: OpenedRun, form: str, building: Path) -> Parity:
    with asked_pictures(opened) as asked:
        if form == "saved_model":
            write_serving_example(building, opened, asked.pixels[0])
        same_body = _body_of(opened, form) == opened.classifier.artifact.model.body
        expected = opened.classifier.predict_pixels(asked.pixels)
        return check_parity(
            form, building / MODEL_FILES[form], asked, expected, same_body=same_body
        )


def _names(folder: Path) -> list[str]:
    """Every file below it, relative to it."""
    every = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in every)


def measure(folder: Path, form: str) -> tuple[tuple[str, ...], int]:
    """Every file of an export, and the bytes of the exported model itself."""
    model, names = folder / MODEL_FILES[form], _names(folder)
    paths = (folder / name for name in names)
    size = sum(path.stat().st_size for path in paths if path == model or model in path.parents)
    return tuple(names), size
