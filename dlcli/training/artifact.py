"""A trained head -> the artefact of a run, asked before it counts."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from dlcli.artifact import (
    BODY,
    HEAD,
    KERAS_BODY,
    NETWORK,
    TYPICALITY,
    ModelFacts,
    open_artifact,
    write_artifact,
)
from dlcli.data.pixels import PixelFormat
from dlcli.data.split import VAL
from dlcli.errors import DataError
from dlcli.metrics.typicality import UNKNOWN_BELOW
from dlcli.runtime.classifier import open_classifier
from dlcli.training.trained import TrainedModel

NUM_CHECKED = 4
TOLERANCE = 0.01
"""The features were kept as float16, which moves a probability by far less than this."""


def write_model(
    folder: Path, trained: TrainedModel, pixel_format: PixelFormat, facts: ModelFacts
) -> None:
    """Writes body, head, typicality and model.json into `folder`, and asks them.

    Raises:
        DataError: if what was written answers otherwise than what was trained.
    """
    shutil.copyfile(trained.body_path, folder / BODY)
    if trained.network_path is not None:
        shutil.copyfile(trained.network_path, folder / NETWORK)
    if trained.keras_body_path is not None:
        shutil.copyfile(trained.keras_body_path, folder / KERAS_BODY)
    trained.head.save(folder / HEAD)
    trained.typicality.save(folder / TYPICALITY)
    write_artifact(folder, trained.dataset.class_names, pixel_format, facts, UNKNOWN_BELOW)
    _check(folder, trained)


def _check(folder: Path, trained: TrainedModel) -> None:
    """Loads what was written and asks it about a few val pictures."""
    classifier = open_classifier(open_artifact(folder))
    rows = trained.dataset.rows(VAL)[:NUM_CHECKED]
    answers = classifier.predict_pixels(trained.dataset.store.read(rows.tolist()))
    expected, _ = trained.answers(VAL)
    difference = float(np.abs(answers - expected[: len(rows)]).max())
    if not difference < TOLERANCE:
        raise DataError(
            f"the written model answers otherwise than the trained one (by {difference:.2g}).",
            where=str(folder),
            fix="Check the disk and the memory of this machine, and train again.",
        )
