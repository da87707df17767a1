"""dlcli export --verify: whether an export is still what was written, and answers as it did."""

from __future__ import annotations

from pathlib import Path

from dlcli.commands.asked_pictures import asked_pictures
from dlcli.commands.exported import (
    MODEL_FILES,
    ExportedModel,
    ExportResult,
    names_in,
    read_description,
    require_unchanged,
    size_of,
)
from dlcli.commands.open_run import OpenedRun, open_run
from dlcli.commands.parity import check_parity
from dlcli.events import Reporter, StageEnded, StageStarted


def run(folder: Path, runs_folder: Path, reporter: Reporter) -> ExportResult:
    """Compares every file with the sha256 it was written with, and asks every model once more:
    about the run's pictures where they lie as they did, else about noise.

    Raises:
        UsageError: if there is no export.
        DataError: if a file is missing or not the one that was written.
        GateError: if a model answers otherwise than the run.
        ResourceError: if a runtime is missing.
    """
    described = read_description(folder)
    require_unchanged(folder, described)
    opened = open_run(str(folder), runs_folder, reporter)
    beside = OpenedRun(opened.name, described.run_here() or folder, opened.classifier)
    models = []
    with asked_pictures(beside) as asked:
        for model in described.models:
            stage, path = f"checking {model.format}", folder / MODEL_FILES[model.format]
            reporter.report(StageStarted(stage))
            parity = check_parity(
                model.format,
                path,
                asked,
                opened.classifier,
                body=model.body,
                max_drop=model.max_drop,
            )
            reporter.report(StageEnded(stage))
            found = ExportedModel(model.format, model.body, model.max_drop, size_of(path), parity)
            models.append(found)
    return ExportResult(
        described.run,
        folder,
        names_in(folder),
        tuple(models),
        run_body=opened.classifier.artifact.model.body,
        verified=True,
    )
