"""A trained body that is small, as Keras and as LiteRT, and a head on it that is far from right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcli import backend
from dlcli.artifact import sha256_of
from dlcli.data.dataset import Dataset, list_dataset, prepare_dataset
from dlcli.data.pixels import PixelFormat
from dlcli.data.split import SplitFractions
from dlcli.events import NullReporter
from dlcli.models.bodies import KeptBody
from dlcli.runtime.litert import LiteRtBody
from dlcli.spec.loader import load_spec
from dlcli.training.keeper import Keeper
from dlcli.training.quick import train_head
from dlcli.training.stages import Stage
from dlcli.training.trained import HistoryRow, TrainedModel
from tests.conftest import write_classes

LAST = Stage("last block", 1, epochs=3, batch_size=8, learning_rate=0.02, views=2)
ALL = Stage("all layers", "all", epochs=2, batch_size=8, learning_rate=0.001)
SPEC = load_spec(
    None,
    ("augment=[{random_flip: horizontal}]", "train.precision=float32"),
)


def forget(rows: Sequence[HistoryRow]) -> None:
    """The history is compared as it is returned."""


@dataclass(frozen=True)
class Case:
    """A body, as Keras and as LiteRT, and a head on it that is far from right."""

    dataset: Dataset
    kept: KeptBody
    head: TrainedModel


def make_body() -> Any:
    """Two blocks of random weights, the same ones each time; 16 px -> 6 features."""
    backend.prepare()
    keras = backend.keras
    keras.utils.set_random_seed(0)
    pixels = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 64, -2)(pixels)
    for number in (1, 2):
        x = keras.layers.Conv2D(6, 3, 2, name=f"block{number}_conv")(x)
        x = keras.layers.BatchNormalization(name=f"block{number}_norm")(x)
        x = keras.layers.ReLU(name=f"block{number}_relu")(x)
    body = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(x), name="small")
    rng = np.random.default_rng(0)
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([np.abs(rng.normal(1, 0.2, (6,))) for _ in range(4)])
    return body


def make_case(folder: Path) -> Case:
    """Three classes of noise; the val part is large, so that it can tell what is better."""
    write_classes(folder / "pets", {"cat": 40, "dog": 40, "cow": 40})
    index = list_dataset(folder / "pets", NullReporter())
    split = SplitFractions(val=0.3)
    dataset = prepare_dataset(index, PixelFormat((16, 16)), split, NullReporter())
    body = make_body()
    from dlcli.models.convert_network import converted

    path = folder / "body.tflite"
    path.write_bytes(converted(body))
    kept = KeptBody(path, sha256_of(path))
    return Case(dataset, kept, train_head(dataset, kept, NullReporter(), mirror=False))


def material_of(case: Case, folder: Path, keeper: Keeper | None = None) -> Any:
    """What stages share; `folder` takes what is made on the way, and the checkpoint."""
    from dlcli.training.refine import Material

    work = folder / "work"
    work.mkdir(parents=True)
    keeper = keeper or Keeper(folder / "checkpoint", forget)
    sha256 = case.kept.sha256
    return Material(make_body(), sha256, case.dataset, SPEC, work, keeper, NullReporter())


class Stops(Keeper):
    """Ends a training as a kill would, right behind so many checkpoints."""

    def __init__(self, folder: Path, saves: int) -> None:
        super().__init__(folder, forget)
        self._left = saves

    def is_due(self, *, within_epoch: bool) -> bool:
        return True if within_epoch else super().is_due(within_epoch=within_epoch)

    def save(self, *state: Any) -> None:
        super().save(*state)
        self._left -= 1
        if self._left == 0:
            raise SystemExit("killed")


def assert_answers_alike(case: Case, model: TrainedModel) -> None:
    """That body and head answer as the network that is saved beside them."""
    pixels = case.dataset.store.read(case.dataset.rows("test").tolist())
    assert model.network_path is not None
    network = backend.keras.saving.load_model(model.network_path, compile=False)
    body = LiteRtBody(model.body_path, (16, 16), 3)
    np.testing.assert_allclose(
        model.head.probabilities(body.features(pixels)),
        network.predict_on_batch(pixels.astype(np.float32)),
        atol=1e-4,
    )
