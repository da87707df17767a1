"""Fits that take a second: a linear head on the mean colour of 8x8 pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli import backend
from dlcli.events import NullReporter, Reporter
from dlcli.spec.loader import load_spec
from dlcli.spec.schema import Spec
from dlcli.training.class_weights import class_weights_of
from dlcli.training.keeper import Keeper
from dlcli.training.stages import plan_stages, resolve_spec
from dlcli.training.trained import HistoryRow
from tests.training.pictures import ArrayBatches

CLASSES = ["common", "rare"]
SETTINGS = (
    "model.layers=[rescaling: {scale: 0.02, offset: -2.5}, global_average_pooling2d]",
    "data.image_size=8",
    "augment=none",
    "train.epochs=4",
    "train.batch_size=20",
    "train.learning_rate=0.05",
    "train.label_smoothing=0",
    "train.precision=float32",
)


@dataclass(frozen=True)
class Fitted:
    """What a fit left: the model, its rows, and the recall of each class on val."""

    model: Any
    rows: tuple[HistoryRow, ...]
    recalls: NDArray[np.float64]

    @property
    def weights(self) -> list[NDArray[np.float32]]:
        """Of the model, in its order."""
        found: list[NDArray[np.float32]] = self.model.get_weights()
        return found


def small_spec(*settings: str) -> Spec:
    """The spec of a small fit."""
    return resolve_spec(load_spec(None, (*SETTINGS, *settings)), 40)


def unbalanced(num_images: int, *, seed: int) -> ArrayBatches:
    """One picture in twenty is of the rare class, which is brighter; half of the common ones are
    dark, and some of the others are as bright as the rare."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(num_images) % 20 == 0).astype(np.int64)
    is_dark = (rng.random(num_images) < 0.5) & (labels == 0)
    brightness = rng.normal(120 + 50 * labels - 80 * is_dark, 20)
    pixels = rng.normal(brightness[:, None, None, None], 10, (num_images, 8, 8, 3))
    return ArrayBatches(
        pixels.clip(0, 255).astype(np.uint8), np.eye(2, dtype=np.float32)[labels], 20
    )


def small_fit(
    settings: Sequence[str],
    train: ArrayBatches,
    val: ArrayBatches,
    *,
    reporter: Reporter | None = None,
    keeper: Keeper | None = None,
) -> Fitted:
    """Trains as `train_network` does, from the same first weights every time."""
    backend.prepare()
    from dlcli.models.network import build_network
    from dlcli.training.augment import augmentation_layers
    from dlcli.training.fit import fit_model

    backend.keras.utils.set_random_seed(0)
    spec = small_spec(*settings)
    network = build_network(spec, 2)
    (stage,) = plan_stages(spec)
    rows = fit_model(
        network.model,
        augmentation_layers(spec.augment),
        train,
        val,
        spec.train,
        stage,
        reporter or NullReporter(),
        class_weights=class_weights_of(
            spec.train.class_weights, CLASSES, train.labels.argmax(axis=1)
        ),
        keeper=keeper,
        saved=keeper.load() if keeper else None,
    )
    pixels, labels = val.at_once()
    answers = network.model.predict_on_batch(pixels.astype(np.float32)).argmax(axis=1)
    truth = labels.argmax(axis=1)
    recalls = np.array([(answers[truth == label] == label).mean() for label in range(2)])
    return Fitted(network.model, rows, recalls)
