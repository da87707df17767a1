"""dlcli export: a run -> models for other programs, each checked against the run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dlcli.commands.asked_pictures import AskedPictures, asked_pictures
from dlcli.commands.exported import (
    ALL,
    EXPORT_JSON,
    LABELS,
    MODEL_FILES,
    ExportedModel,
    ExportResult,
    LeftOut,
    names_in,
    size_of,
    write_description,
)
from dlcli.commands.model_file import require_onnx, write_model_file
from dlcli.commands.open_run import OpenedRun, open_run
from dlcli.commands.parity import check_parity
from dlcli.commands.serving_example import write_serving_example
from dlcli.errors import ResourceError, UsageError
from dlcli.events import Reporter, StageEnded, StageStarted, Warned

MAX_DROP = "1%"


@dataclass(frozen=True)
class ExportOptions:
    """What was typed; `format` is a key of MODEL_FILES or `all`, `output` None a folder named after
    the run. `quantize` is float16 or int8, `max_drop` how much of the accuracy that may cost, such
    as `1%`."""

    runs_folder: Path
    run: str | None = None
    format: str = "saved_model"
    output: Path | None = None
    force: bool = False
    quantize: str | None = None
    max_drop: str | None = None

    @property
    def formats(self) -> tuple[str, ...]:
        """Those to write."""
        return tuple(MODEL_FILES) if self.format == ALL else (self.format,)


def run(options: ExportOptions, reporter: Reporter) -> ExportResult:
    """Writes the models, asks each in a fresh process, and only then puts them in place.

    With `all`, a format that cannot be written here is left out with a warning.

    Raises:
        UsageError: if the target is there already.
        GateError: if an exported model answers otherwise than the run; nothing is left behind.
        ResourceError: if a package is missing, or the network cannot be converted.
    """
    if options.format == "onnx":
        require_onnx()
    opened = open_run(options.run, options.runs_folder, reporter)
    max_drop = _read_max_drop(options, opened)
    stem = opened.name if opened.name == "imagenet" else opened.folder.resolve().name
    kind = "-".join(filter(None, (options.format, options.quantize)))
    target = options.output or Path(f"{stem}-{kind}")
    _require_free(target, options.force)
    with _building(target) as folder:
        with asked_pictures(opened) as asked:
            order = _Order(opened, options, max_drop, folder, asked)
            models, left_out = _write_models(order, reporter)
        _write_beside(opened, models, folder)
        files = names_in(folder)
        _put_in_place(folder, target)
    body = opened.classifier.artifact.model.body
    return ExportResult(opened.name, target, files, models, left_out, body)


@contextmanager
def _building(target: Path) -> Iterator[Path]:
    """A folder beside the target, gone if it was not put in place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield folder
    except OSError as error:
        error.filename = error.filename or str(target)  # a failed write names no file
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Order:
    """What is to be written of a run into `folder`, and which pictures it is asked about."""

    opened: OpenedRun
    options: ExportOptions
    max_drop: float | None
    folder: Path
    asked: AskedPictures


def _write_models(
    order: _Order, reporter: Reporter
) -> tuple[tuple[ExportedModel, ...], tuple[LeftOut, ...]]:
    models: list[ExportedModel] = []
    left_out: list[LeftOut] = []
    for form in order.options.formats:
        try:
            models.append(_write_model(order, form, reporter))
        except ResourceError as error:
            if len(left_out) + 1 == len(order.options.formats):
                raise
            _remove(order.folder / MODEL_FILES[form])
            left_out.append(LeftOut(form, str(error)))
            reporter.report(Warned(f"{form} is left out: {error}"))
    return tuple(models), tuple(left_out)


def _write_model(order: _Order, form: str, reporter: Reporter) -> ExportedModel:
    opened, quantize, folder = order.opened, order.options.quantize, order.folder
    with _stage(reporter, f"writing {form}"):
        write_model_file(opened, form, quantize, folder)
    if form == "saved_model":
        write_serving_example(folder, opened, order.asked.pixels[0])
    path, body = folder / MODEL_FILES[form], _body_of(opened, form, quantize)
    with _stage(reporter, f"checking {form}"):
        parity = check_parity(
            form, path, order.asked, opened.classifier, body=body, max_drop=order.max_drop
        )
    return ExportedModel(form, body, order.max_drop, size_of(path), parity)


def _write_beside(opened: OpenedRun, models: Sequence[ExportedModel], folder: Path) -> None:
    """What any of them needs: labels, the artefact for `--run`, and export.json last."""
    from dlcli.runs import files

    artifact = opened.classifier.artifact
    files.write_text(folder / LABELS, _label_lines(artifact.class_names))
    artifact.copy_to(folder / files.MODEL)
    write_description(folder, opened.name, models)
    folder.chmod(0o755)


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


def _body_of(opened: OpenedRun, form: str, quantize: str | None) -> str:
    """What the exported body counts in: LiteRT takes the run's own if it is not to be quantised,
    all others know float32."""
    own = opened.classifier.artifact.model.body if form == "litert" else "float32"
    return quantize or own


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


@contextmanager
def _stage(reporter: Reporter, name: str) -> Iterator[None]:
    reporter.report(StageStarted(name))
    yield
    reporter.report(StageEnded(name))


def _require_free(target: Path, force: bool) -> None:
    if not target.exists():
        return
    ours = (target / EXPORT_JSON).is_file()
    if force and ours:
        return
    fix = "Overwrite it with --force, or name another with -o." if ours else "Name another with -o."
    raise UsageError("this is there already.", where=str(target), fix=fix)


def _remove(model: Path) -> None:
    """What a converter that failed has left, a file or a folder."""
    if model.is_dir():
        shutil.rmtree(model)
    else:
        model.unlink(missing_ok=True)
