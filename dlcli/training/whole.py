"""All layers of a network trained by Keras, and what comes out as a body and a head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlcli.artifact import BODY, NETWORK, sha256_of
from dlcli.backend import Model, keras
from dlcli.data.dataset import Dataset
from dlcli.data.split import TRAIN, VAL
from dlcli.errors import DataError
from dlcli.events import Reporter, StageEnded, StageStarted
from dlcli.metrics.calibration import fit_temperature
from dlcli.metrics.typicality import fit_typicality
from dlcli.models.convert_network import converted
from dlcli.models.model import TEMPERATURE
from dlcli.models.network import BuiltNetwork
from dlcli.models.precision import in_precision
from dlcli.runtime.head import Head
from dlcli.runtime.litert import LiteRtBody
from dlcli.spec.schema import Spec
from dlcli.training.augment import augmentation_layers
from dlcli.training.batches import Batches
from dlcli.training.class_weights import class_weights_of
from dlcli.training.features import kept_features
from dlcli.training.fit import fit_model
from dlcli.training.memory import with_batches_that_fit
from dlcli.training.stages import Stage
from dlcli.training.trained import HistoryRow, TrainedModel

TOLERANCE = 1e-3
_NUM_CHECKED = 8
_STAGE = "converting the body"


def train_network(
    network: BuiltNetwork,
    dataset: Dataset,
    spec: Spec,
    stage: Stage,
    folder: Path,
    reporter: Reporter,
) -> TrainedModel:
    """Trains all layers and writes body.tflite and model.keras into `folder`.

    Raises:
        SpecError: if the loss is no longer a number in the first epoch.
        ResourceError: if not even one picture fits into the memory, an op is not deterministic
            where that is asked for, or the conversion fails.
        DataError: if the converted body answers otherwise than Keras.
    """
    layers = augmentation_layers(spec.augment)
    weights = class_weights_of(
        spec.train.class_weights, dataset.class_names, dataset.labels(dataset.rows(TRAIN))
    )

    def fit(batch_size: int) -> tuple[HistoryRow, ...]:
        train, val = (Batches(dataset, split, batch_size) for split in (TRAIN, VAL))
        with in_precision(network.model, spec.train.precision) as model:
            return fit_model(
                model, layers, train, val, spec.train, stage, reporter, class_weights=weights
            )

    history = with_batches_that_fit(fit, stage.batch_size or 1, network.model, reporter)
    reporter.report(StageStarted(_STAGE))
    body_path = folder / BODY
    body_path.write_bytes(converted(network.body))
    body = LiteRtBody(body_path, spec.data.image_size, dataset.store.shape[-1])
    _check(network, body, dataset)
    reporter.report(StageEnded(_STAGE))
    features = kept_features(dataset.store, body, sha256_of(body_path), reporter)
    head = _calibrated(network.head(), features, dataset)
    _with_temperature(network, head.temperature).save(folder / NETWORK)
    seen, chosen = (features[dataset.rows(split)].astype(np.float32) for split in (TRAIN, VAL))
    typicality = fit_typicality(seen, chosen)
    network_path = folder / NETWORK
    return TrainedModel(dataset, body_path, features, head, typicality, history, network_path)


def _calibrated(head: Head, features: Any, dataset: Dataset) -> Head:
    """The head with the temperature that fits val (Guo 2017)."""
    rows = dataset.rows(VAL)
    logits = head.logits(features[rows].astype(np.float32))
    return Head(head.weights, head.bias, fit_temperature(logits, dataset.labels(rows)))


def _check(network: BuiltNetwork, body: LiteRtBody, dataset: Dataset) -> None:
    """Whether body and head answer as the network that was trained."""
    pixels = dataset.store.read(dataset.rows(VAL)[:_NUM_CHECKED].tolist())
    expected = network.model.predict_on_batch(pixels.astype(np.float32))
    difference = np.abs(network.head().probabilities(body.features(pixels)) - expected).max()
    if not difference < TOLERANCE:
        raise DataError(
            f"the converted network answers otherwise than the trained one (by {difference:.2g}).",
            fix="Please report it together with the spec.",
        )


def _with_temperature(network: BuiltNetwork, temperature: float) -> Model:
    """The whole network, the temperature in its last weights."""
    if network.classifier is None:
        logits = keras.layers.Rescaling(1 / temperature, name=TEMPERATURE)(network.body.output)
        probabilities = keras.layers.Softmax(name="softmax")(logits)
        return keras.Model(network.body.input, probabilities, name=network.model.name)
    weights, bias = network.classifier.get_weights()
    network.classifier.set_weights([weights / temperature, bias / temperature])
    return network.model
