"""The artefact of a training: written whole, and asked before it counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dlcli.artifact import ModelFacts, open_artifact
from dlcli.data.dataset import list_dataset, prepare_dataset
from dlcli.data.pixels import PixelFormat
from dlcli.data.split import SplitFractions
from dlcli.errors import DataError
from dlcli.events import NullReporter
from dlcli.models.bodies import find_body
from dlcli.models.registry import BACKBONES
from dlcli.training.artifact import write_model
from dlcli.training.quick import train_head
from dlcli.training.trained import TrainedModel
from tests.conftest import write_classes

FACTS = ModelFacts("efficientnet-lite0", "imagenet", 10, 5)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    folder = write_classes(tmp_path_factory.mktemp("data"), {"a": 6, "b": 6})
    reporter, pixel_format = NullReporter(), PixelFormat()
    index = list_dataset(folder, reporter)
    dataset = prepare_dataset(index, pixel_format, SplitFractions(), reporter)
    backbone = BACKBONES["efficientnet-lite0"]
    body = find_body(backbone, pixel_format.image_size, reporter)
    return train_head(dataset, body, reporter)


def test_what_is_written_opens(trained: TrainedModel, tmp_path: Path) -> None:
    write_model(tmp_path, trained, PixelFormat(), FACTS)
    artifact = open_artifact(tmp_path)
    assert artifact.class_names == ("a", "b")
    assert artifact.model == FACTS
    assert set(artifact.sha256s) == {"body.tflite", "head.npz", "typicality.npz", "val.npz"}


def test_a_model_that_answers_otherwise_is_refused(trained: TrainedModel, tmp_path: Path) -> None:
    other = replace(trained, features=trained.features[::-1].copy())
    with pytest.raises(DataError, match="answers otherwise than the trained one"):
        write_model(tmp_path, other, PixelFormat(), FACTS)
