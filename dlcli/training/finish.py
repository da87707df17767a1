"""What Keras has trained as a body and a head that answer like it."""

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
from dlcli.runtime.head import Head
from dlcli.runtime.litert import LiteRtBody
from dlcli.training.features import kept_features
from dlcli.training.trained import HistoryRow, TrainedModel

TOLERANCE = 1e-3
_NUM_CHECKED = 8
_STAGE = "converting the body"


def finish_network(
    network: BuiltNetwork,
    dataset: Dataset,
    history: tuple[HistoryRow, ...],
    folder: Path,
    reporter: Reporter,
    *,
    temperature: float | None = None,
) -> TrainedModel:
    """Writes body.tflite and model.keras into `folder`; the temperature is fitted on val, where it
    is not given.

    Raises:
        ResourceError: if the conversion fails.
        DataError: if the converted body answers otherwise than Keras.
    """
    reporter.report(StageStarted(_STAGE))
    body_path = folder / BODY
    body_path.write_bytes(converted(network.body))
    height, width, channels = dataset.store.shape[1:]
    body = LiteRtBody(body_path, (height, width), channels)
    _check(network, body, dataset)
    reporter.report(StageEnded(_STAGE))
    features = kept_features(dataset.store, body, sha256_of(body_path), reporter)
    head = network.head(temperature or 1.0)
    if temperature is None:
        head = _calibrated(head, features, dataset)
    network_path = folder / NETWORK
    _with_temperature(network, head.temperature).save(network_path)
    seen, chosen = (features[dataset.rows(split)].astype(np.float32) for split in (TRAIN, VAL))
    typicality = fit_typicality(seen, chosen)
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
