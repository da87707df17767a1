"""dlcli export: a run -> a model file for other programs, checked against the run."""

from __future__ import annotations

import importlib.util
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from dlcli.commands.asked_pictures import asked_pictures, calibration_pictures
from dlcli.commands.open_run import OpenedRun, open_run
from dlcli.commands.parity import Parity, check_parity
from dlcli.commands.serving_example import write_serving_example
from dlcli.errors import ResourceError, UsageError
from dlcli.events import Reporter, StageEnded, StageStarted
from dlcli.processor import run_python

_T = TypeVar("_T")

MAX_DROP = "1%"
EXPORT_JSON, LABELS = "export.json", "labels.txt"
MODEL_FILES = {
    "saved_model": "1",
    "litert": "model.tflite",
    "onnx": "model.onnx",
    "keras": "model.keras",
}
_ONNX_PACKAGES = ("onnx", "onnxruntime", "tf2onnx")


@dataclass(frozen=True)
class ExportOptions:
    """What was typed; `output` None is a folder named after the run. `quantize` is float16 or int8,
    `max_drop` how much of the accuracy that may cost, such as `1%`."""

    runs_folder: Path
    run: str | None = None
    format: str = "saved_model"
    output: Path | None = None
    force: bool = False
    quantize: str | None = None
    max_drop: str | None = None


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
        ResourceError: if a package is missing, or the network cannot be converted.
    """
    from dlcli.artifact import sha256_of
    from dlcli.runs import files

    if options.format == "onnx":
        _require_onnx()
    opened = open_run(options.run, options.runs_folder, reporter)
    max_drop = _read_max_drop(options, opened)
    stem = opened.name if opened.name == "imagenet" else opened.folder.resolve().name
    kind = "-".join(filter(None, (options.format, options.quantize)))
    target = options.output or Path(f"{stem}-{kind}")
    _require_free(target, options.force)
    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _stage(reporter, f"writing {options.format}", lambda: _write(opened, options, building))
        body = _body_of(opened, options)
        parity = _stage(reporter, "checking", lambda: _check(opened, options, building, max_drop))
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
                "body": body,
                "max_drop": max_drop,
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
        body,
        artifact.model.body,
    )


def _require_onnx() -> None:
    missing = [name for name in _ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ResourceError(
            f"ONNX needs {', '.join(missing)}, not installed.",
            where="--format onnx",
            fix="Install it: pip install 'dlcli-vision[onnx]'",
        )


def _read_max_drop(options: ExportOptions, opened: OpenedRun) -> float | None:
    """How much of the accuracy quantising may cost; None where nothing is quantised.

    Raises:
        UsageError: if what is asked for does not go together.
    """
    from dlcli.metrics.gates import read_share

    if options.quantize is None:
        if options.max_drop is not None:
            raise UsageError(
                "--max-drop is what --quantize may cost: without it the answers are the run's."
            )
        return None
    if options.format != "litert":
        fix = f"--format litert --quantize {options.quantize}"
        raise UsageError("only a LiteRT model can be quantised.", where="--quantize", fix=fix)
    if opened.classifier.artifact.model.body != "float32":
        raise UsageError(
            "this run's body is int8 already, and --format litert exports it as it is.",
            where="--quantize",
            fix="Leave it out.",
        )
    return read_share(options.max_drop or MAX_DROP, f"--max-drop {options.max_drop}")


def _body_of(opened: OpenedRun, options: ExportOptions) -> str:
    """What the exported body counts in: LiteRT takes the run's own if it is not to be quantised,
    all others know float32."""
    own = opened.classifier.artifact.model.body if options.format == "litert" else "float32"
    return options.quantize or own


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
    if options.format == "litert" and options.quantize is None:
        from dlcli.export.litert import append_head

        content = append_head(artifact.file(BODY).read_bytes(), head)
        (building / MODEL_FILES["litert"]).write_bytes(content)
        return
    with tempfile.TemporaryDirectory(prefix="dlcli-calibration-") as folder:
        calibration = None
        if options.quantize == "int8":
            calibration = _save_calibration(opened, Path(folder))
        _convert(
            form=options.format,
            artifact=str(artifact.folder.absolute()),
            target=str(building.absolute()),
            name=MODEL_FILES[options.format],
            quantize=options.quantize,
            calibration=calibration,
        )


def _save_calibration(opened: OpenedRun, folder: Path) -> str:
    import numpy as np

    file = folder / "pictures.npy"
    np.save(file, calibration_pictures(opened))
    return str(file)


def _convert(**order: str | None) -> None:
    """In a process of its own.

    Raises:
        DataError: if the artefact is damaged.
        ResourceError: if weights are missing, or the converter fails.
    """
    from dlcli.models.bodies import read_error

    fault = run_python("-m", "dlcli.export.convert", json.dumps(order))
    if fault is not None:
        raise read_error(fault) or ResourceError(
            f"this network could not be written as {order['form']} ({fault}).",
            fix="Another --format may take it.",
        )


def _check(
    opened: OpenedRun, options: ExportOptions, building: Path, max_drop: float | None
) -> Parity:
    with asked_pictures(opened) as asked:
        if options.format == "saved_model":
            write_serving_example(building, opened, asked.pixels[0])
        return check_parity(
            options.format,
            building / MODEL_FILES[options.format],
            asked,
            opened.classifier,
            body=_body_of(opened, options),
            max_drop=max_drop,
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
