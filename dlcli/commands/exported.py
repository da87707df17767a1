"""What an exported folder holds: models for other programs, the run's artefact, and export.json,
which says of which run they are and how they were checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlcli.commands.parity import Parity, worst_of
from dlcli.errors import DataError, UsageError

EXPORT_JSON, LABELS = "export.json", "labels.txt"
ALL = "all"
MODEL_FILES = {
    "saved_model": "1",
    "litert": "model.tflite",
    "onnx": "model.onnx",
    "keras": "model.keras",
}
FIX = "Export again, or take the folder from where it was made."


@dataclass(frozen=True)
class ExportedModel:
    """One model of a folder and how it was checked; `body` is what it counts in, float32, float16
    or int8, and `max_drop` how much of the accuracy it may lose for that."""

    format: str
    body: str
    max_drop: float | None
    size_bytes: int
    parity: Parity


@dataclass(frozen=True)
class LeftOut:
    """A format that the network could not be written as."""

    format: str
    reason: str


@dataclass(frozen=True)
class ExportResult:
    """What was written, or found; `files` are relative to `folder`."""

    run: str
    folder: Path
    files: tuple[str, ...]
    models: tuple[ExportedModel, ...]
    left_out: tuple[LeftOut, ...] = ()
    run_body: str = "float32"
    verified: bool = False
    """Whether nothing was written, and an earlier export was checked instead."""

    @property
    def format(self) -> str:
        """That of the model, `all` of several."""
        return self.models[0].format if len(self.models) == 1 else ALL

    @property
    def body(self) -> str | None:
        """What the models count in, None where they differ."""
        bodies = {model.body for model in self.models}
        return bodies.pop() if len(bodies) == 1 else None

    @property
    def size_bytes(self) -> int:
        """The bytes of the models."""
        return sum(model.size_bytes for model in self.models)

    @property
    def parity(self) -> Parity:
        """The worst of each number."""
        return worst_of([model.parity for model in self.models])


@dataclass(frozen=True)
class Described:
    """A model that export.json speaks of."""

    format: str
    body: str
    max_drop: float | None


@dataclass(frozen=True)
class Description:
    """What export.json says."""

    run: str
    models: tuple[Described, ...]
    sha256s: dict[str, str]

    def run_here(self) -> Path | None:
        """The run it was made of, if that is here and still the same."""
        from dlcli.artifact import MODEL_JSON, sha256_of
        from dlcli.runs import files

        model = Path(files.MODEL) / MODEL_JSON
        own, expected = Path(self.run), self.sha256s.get(model.as_posix())
        is_it = (own / model).is_file() and sha256_of(own / model) == expected
        return own if is_it else None


def write_description(folder: Path, run: str, models: Sequence[ExportedModel]) -> None:
    """Writes export.json, over the files that already lie in `folder`."""
    from dlcli.artifact import sha256_of
    from dlcli.runs import files

    result = ExportResult(run, folder, (), tuple(models))
    document = {
        "schema": 1,
        "run": run,
        "format": result.format,
        "body": result.body,
        "parity": asdict(result.parity),
        "models": [asdict(model) for model in models],
        "files": {name: {"sha256": sha256_of(folder / name)} for name in names_in(folder)},
    }
    files.write_json(folder / EXPORT_JSON, document)


def read_description(folder: Path) -> Description:
    """Reads export.json.

    Raises:
        UsageError: if there is none.
        DataError: if it is damaged, or of a later version.
    """
    path = folder / EXPORT_JSON
    if not path.is_file():
        raise UsageError(
            f"this is no exported folder: there is no {EXPORT_JSON} in it.",
            where=str(folder),
            fix="Make one with: dlcli export -o FOLDER",
        )
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        found = Description(
            _text(document["run"]),
            tuple(_describe(model) for model in document["models"]),
            {name: _text(facts["sha256"]) for name, facts in document["files"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError("this file is damaged.", where=str(path), fix=FIX) from error
    unknown = [model.format for model in found.models if model.format not in MODEL_FILES]
    if unknown:
        raise DataError(
            f"this version of dlcli knows no format {unknown[0]!r}.", where=str(path), fix=FIX
        )
    return found


def require_unchanged(folder: Path, description: Description) -> None:
    """Compares every file with the sha256 it was written with.

    Raises:
        DataError: if one is missing or another.
    """
    from dlcli.artifact import sha256_of

    faults = []
    for name, expected in description.sha256s.items():
        try:
            found = sha256_of(folder / name)
        except OSError as error:
            faults.append(f"{name} cannot be read ({error.strerror})")
        else:
            if found != expected:
                faults.append(f"{name} is not the file that was written (another sha256)")
    if faults:
        raise DataError(f"{'; '.join(faults)}.", where=str(folder), fix=FIX)


def names_in(folder: Path) -> tuple[str, ...]:
    """Every file below it, relative to it."""
    every = (path for path in folder.rglob("*") if path.is_file())
    return tuple(sorted(path.relative_to(folder).as_posix() for path in every))


def size_of(model: Path) -> int:
    """The bytes of an exported model, a file or a folder of files."""
    paths = model.rglob("*") if model.is_dir() else [model]
    return sum(path.stat().st_size for path in paths if path.is_file())


def _describe(document: dict[str, Any]) -> Described:
    max_drop = document["max_drop"]
    return Described(
        _text(document["format"]),
        _text(document["body"]),
        None if max_drop is None else float(max_drop),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
