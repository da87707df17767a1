"""What `--run` names -> a classifier; shared by the commands that use a trained model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.engines import AUTO, open_with
from dlcli.events import Reporter, Said

if TYPE_CHECKING:
    from dlcli.runtime.classifier import Classifier


@dataclass(frozen=True)
class OpenedRun:
    """A run folder (or an artefact that stands alone) and its classifier."""

    name: str
    folder: Path
    classifier: Classifier


def open_run(
    named: str | None,
    runs_folder: Path,
    reporter: Reporter,
    role: str = "",
    engine: str = AUTO,
) -> OpenedRun:
    """Opens the run that `--run` names, or the latest, on an engine (see `engines`); says which one
    was taken, as what (`role`).

    Raises:
        UsageError: if there is none.
        DataError: if it holds no finished model, or a damaged one.
        ResourceError: if the built-in classifier cannot be prepared.
    """
    from dlcli.artifact import open_artifact
    from dlcli.runs.run import IMAGENET, find_run, model_folder, wanted_run

    named = wanted_run(named)
    if named == IMAGENET:
        from dlcli.models.imagenet import find_imagenet

        folder, name = find_imagenet(reporter), IMAGENET
    else:
        folder = find_run(named, runs_folder)
        name = str(folder)
    reporter.report(Said(role + name + _status(folder)))
    classifier = open_with(engine, open_artifact(model_folder(folder)), reporter)
    return OpenedRun(name, folder, classifier)


def _status(folder: Path) -> str:
    """A word on a run that did not end well though its model stands; empty for all others."""
    from dlcli.errors import DataError
    from dlcli.runs.run import COMPLETED, Run

    try:
        status = Run(folder).describe().get("status", COMPLETED)
    except DataError:
        return ""  # an artefact that stands alone has no description
    return "" if status == COMPLETED else f" ({status})"
