"""dlcli export: a run -> a model file for other programs, checked against the run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from dlcli.commands.open_run import OpenedRun, open_run
from dlcli.errors import GateError, ResourceError, UsageError
from dlcli.events import Reporter, StageEnded, StageStarted
from dlcli.processor import run_python

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_T = TypeVar("_T")

TOLERANCE = 1e-4
LEAST_AGREEMENT, SMALL_DIFFERENCE = 0.9, 0.05
"""Of a float32 export of an int8 run: its top classes must agree, however far the probabilities of
a doubtful picture differ (by 0.16 for the worst of 200 photos), unless only ties fell otherwise."""

MOST_CHECKED = 200
EXPORT_JSON, LABELS = "export.json", "labels.txt"
_MODEL_FILES = {"saved_model": "1", "litert": "model.tflite", "keras": "model.keras"}


@dataclass(frozen=True)
class ExportOptions:
    """What was typed; `output` None is a folder named after the run."""

    runs_folder: Path
    run: str | None = None
    format: str = "saved_model"
    output: Path | None = None
    force: bool = False


@dataclass(frozen=True)
class Parity:
    """How the exported model's answers differ from the run's, on `num_images` `source`."""

    num_images: int
    source: str
    max_abs_difference: float
    top_1_agreement: float
    passed: bool


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


def run(options: ExportOptions, reporter: Reporter) -> ExportResult:
    """Writes the model, asks it in a fresh process, and only then puts it in place.

    Raises:
        UsageError: if the target is there already.
        GateError: if the exported model answers otherwise than the run; nothing is left behind.
    """
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
        files.write_json(
            building / EXPORT_JSON,
            {
                "schema": 1,
                "run": opened.name,
                "format": options.format,
                "body": _body_of(opened, options.format),
                "parity": asdict(parity),
            },
        )
        written, size_bytes = _measure(building, building / _MODEL_FILES[options.format])
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
    path = building / _MODEL_FILES[options.format]
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

        write_saved_model(model, artifact.class_names, building)
    else:
        model.save(path)


def _check(opened: OpenedRun, form: str, building: Path) -> Parity:
    import numpy as np

    from dlcli.export import parity as parity_module

    pixels, source = _pictures(opened)
    expected = opened.classifier.predict_pixels(pixels)
    with tempfile.TemporaryDirectory(prefix="dlcli-parity-") as folder:
        asked, answered = Path(folder) / "pixels.npy", Path(folder) / "answers.npy"
        np.save(asked, pixels)
        model = building / _MODEL_FILES[form]
        script = str(parity_module.__file__)
        fault = run_python(script, form, str(model), str(asked), str(answered))
        if fault is not None:
            raise ResourceError(
                f"the exported model could not be run to check it ({fault}).",
                fix="Install its runtime again: pip install --force-reinstall dlcli-vision",
            )
        answers = np.load(answered)
    difference = float(np.abs(answers - expected).max())
    agreement = float((answers.argmax(axis=1) == expected.argmax(axis=1)).mean())
    allowed, passed = f"{TOLERANCE:g}", difference <= TOLERANCE
    if _body_of(opened, form) != opened.classifier.artifact.model.body:
        allowed = f"{SMALL_DIFFERENCE:g}, or the same top class for {LEAST_AGREEMENT:.0%}"
        passed = difference <= SMALL_DIFFERENCE or agreement >= LEAST_AGREEMENT
    if not passed:
        raise GateError(
            f"the exported model answers otherwise than the run: probabilities differ by up to "
            f"{difference:.2g} (allowed: {allowed}), the top class agrees for {agreement:.1%}.",
            where=form,
            fix="Nothing was written. Please report this with the run's model.json.",
        )
    return Parity(len(pixels), source, difference, agreement, passed)


def _pictures(opened: OpenedRun) -> tuple[NDArray[np.uint8], str]:
    """Up to 200 of the run's test and val pictures; noise where it has none any more."""
    import numpy as np

    from dlcli.data.pixels import UnreadableImageError, read_image
    from dlcli.runs.run import Run

    pixel_format = opened.classifier.artifact.pixel_format
    found = []
    own = Run(opened.folder).pictures()
    if own is not None:
        rows = sorted([*own.of("test"), *own.of("val")], key=lambda row: row["sha256"])
        for row in rows[:MOST_CHECKED]:
            try:
                found.append(read_image(own.folder / row["path"], pixel_format))
            except UnreadableImageError:
                continue  # moved or changed since: the others serve as well
    if found:
        return np.stack(found), "pictures of val and test"
    size = (16, *pixel_format.image_size, pixel_format.num_channels)
    return np.random.default_rng(0).integers(0, 256, size, np.uint8), "pictures of noise"


def _measure(building: Path, model: Path) -> tuple[tuple[str, ...], int]:
    """Every file, and the bytes of the exported model itself."""
    every = sorted(path for path in building.rglob("*") if path.is_file())
    size = sum(path.stat().st_size for path in every if path == model or model in path.parents)
    return tuple(path.relative_to(building).as_posix() for path in every), size
