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
    VAL_ANSWERS,
    ModelFacts,
    open_artifact,
    write_artifact,
)
from dlcli.data.pixels import PixelFormat
from dlcli.data.split import VAL
from dlcli.errors import DataError
from dlcli.metrics.typicality import UNKNOWN_BELOW
from dlcli.metrics.val_answers import ValAnswers, val_answers
from dlcli.runtime.classifier import open_classifier
from dlcli.training.trained import TrainedModel

NUM_CHECKED = 4
TOLERANCE = 0.01
"""The features were kept as float16, which moves a probability by far less than this."""


def write_model(
    folder: Path,
    trained: TrainedModel,
    pixel_format: PixelFormat,
    facts: ModelFacts,
    judged: TrainedModel | None = None,
) -> None:
    """Writes body, head, typicality, answers on val and model.json into `folder`, and asks them.
    The answers on val are those of `judged` where `trained` was trained on val as well.

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
    _answers_of(judged or trained).save(folder / VAL_ANSWERS)
    write_artifact(folder, trained.dataset.class_names, pixel_format, facts, UNKNOWN_BELOW)
    _check(folder, trained)


def _answers_of(judged: TrainedModel) -> ValAnswers:
    features = judged.features[judged.dataset.rows(VAL)].astype(np.float32)
    return val_answers(*judged.answers(VAL), judged.typicality.score(features))


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
