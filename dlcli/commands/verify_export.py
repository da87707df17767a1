"""dlcli export --verify: whether an export is still what was written, and answers as it did."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.commands.asked_pictures import asked_pictures
from dlcli.commands.export import EXPORT_JSON, MODEL_FILES, ExportResult, measure
from dlcli.commands.open_run import OpenedRun, open_run
from dlcli.commands.parity import check_parity
from dlcli.errors import DataError, UsageError
from dlcli.events import Reporter, StageEnded, StageStarted

_FIX = "Export again, or take the folder from where it was made."


@dataclass(frozen=True)
class _Exported:
    """What export.json says."""

    run: str
    form: str
    body: str
    max_drop: float | None
    sha256s: dict[str, str]


def run(folder: Path, runs_folder: Path, reporter: Reporter) -> ExportResult:
    """Compares every file with the sha256 it was written with, and asks the model once more: about
    the run's pictures where they lie as they did, else about noise.

    Raises:
        UsageError: if there is no export.
        DataError: if a file is missing or not the one that was written.
        GateError: if the model answers otherwise than the run.
    """
    exported = _read(folder)
    _require_unchanged(folder, exported)
    opened = open_run(str(folder), runs_folder, reporter)
    beside = OpenedRun(opened.name, _run_of(exported) or folder, opened.classifier)
    reporter.report(StageStarted("checking"))
    with asked_pictures(beside) as asked:
        parity = check_parity(
            exported.form,
            folder / MODEL_FILES[exported.form],
            asked,
            opened.classifier,
            body=exported.body,
            max_drop=exported.max_drop,
        )
    reporter.report(StageEnded("checking"))
    names, size_bytes = measure(folder, exported.form)
    return ExportResult(
        exported.run,
        exported.form,
        folder,
        names,
        size_bytes,
        parity,
        exported.body,
        opened.classifier.artifact.model.body,
        verified=True,
    )


def _read(folder: Path) -> _Exported:
    path = folder / EXPORT_JSON
    if not path.is_file():
        raise UsageError(
            f"this is no exported folder: there is no {EXPORT_JSON} in it.", where=str(folder)
        )
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        exported = _Exported(
            _text(document["run"]),
            _text(document["format"]),
            _text(document["body"]),
            None if document["max_drop"] is None else float(document["max_drop"]),
            {name: _text(facts["sha256"]) for name, facts in document["files"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError("this file is damaged.", where=str(path), fix=_FIX) from error
    if exported.form not in MODEL_FILES:
        raise DataError(
            f"this version of dlcli knows no format {exported.form!r}.", where=str(path), fix=_FIX
        )
    return exported


def _run_of(exported: _Exported) -> Path | None:
    """The run it was made of, if that is here and still the same."""
    from dlcli.artifact import MODEL_JSON, sha256_of
    from dlcli.runs import files

    model = Path(files.MODEL) / MODEL_JSON
    own, expected = Path(exported.run), exported.sha256s.get(model.as_posix())
    is_it = (own / model).is_file() and sha256_of(own / model) == expected
    return own if is_it else None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _require_unchanged(folder: Path, exported: _Exported) -> None:
    from dlcli.artifact import sha256_of

    faults = []
    for name, expected in exported.sha256s.items():
        try:
            found = sha256_of(folder / name)
        except OSError as error:
            faults.append(f"{name} cannot be read ({error.strerror})")
        else:
            if found != expected:
                faults.append(f"{name} is not the file that was written (another sha256)")
    if faults:
        raise DataError(f"{'; '.join(faults)}.", where=str(folder), fix=_FIX)
