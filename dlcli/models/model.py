"""Keras models: a backbone's body with its weights, and body and head joined into one network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlcli.artifact import AVERAGE, LAYOUT, NETWORK, Artifact
from dlcli.backend import Model, keras
from dlcli.errors import DataError
from dlcli.models import (
    applications,
    bundled_weights,
    downloads,
    efficientnet_lite,
    weight_files,
)
from dlcli.models.layout import with_layout
from dlcli.models.registry import BACKBONES, Application, PackagedWeights
from dlcli.runtime.head import Head
from dlcli.spec.shapes import PROBABILITIES


def build_body(name: str, image_size: tuple[int, int]) -> Model:
    """A backbone with random weights: float32 (B, H, W, 3), 0-255 -> features (B, F)."""
    network = BACKBONES[name].network
    if isinstance(network, Application):
        return applications.build_application(name, network, image_size)
    return efficientnet_lite.build_body(name, image_size, width=network.width, depth=network.depth)


def load_body(
    name: str,
    image_size: tuple[int, int],
    weights: Path | None = None,
    *,
    pooling: str = AVERAGE,
) -> Model:
    """A backbone with trained weights: float32 (B, H, W, 3), 0-255 -> features (B, F).

    `weights` is a file of Keras; without it they are those of ImageNet. With the pooling `layout`
    there are more features: see `with_layout`.

    Raises:
        ResourceError: if the ImageNet weights are not here.
        UsageError: if there is no such file.
        DataError: if the weight file is damaged or of another network.
    """
    backbone = BACKBONES[name]
    body = build_body(name, image_size)
    if weights is not None:
        weight_files.load_weights(body, weights)
    elif isinstance(backbone.weights, PackagedWeights):
        path, packaged = backbone.weights_path(), backbone.weights
        tensors = bundled_weights.read_tensors(path, packaged.sha256, packaged.package)
        efficientnet_lite.set_weights(body, tensors)
    else:
        weight_files.load_weights(body, downloads.sound_weights(backbone))
    return with_layout(body) if pooling == LAYOUT else body


def join_head(body: Model, head: Head, class_names: Sequence[str]) -> Model:
    """The whole network: float32 (B, H, W, C), 0-255 -> probabilities (B, K), rows sum to 1.

    The temperature is folded into the last layer's weights.
    """
    classifier = keras.layers.Dense(len(class_names), activation="softmax", name=PROBABILITIES)
    model = keras.Model(body.input, classifier(body.output), name=body.name)
    classifier.set_weights([head.weights / head.temperature, head.bias / head.temperature])
    return model


TEMPERATURE = "temperature"
"""The layer that divides a network's own logits where it brings its own classifier."""


def open_model(artifact: Artifact, head: Head) -> Model:
    """The whole network of an artefact: float32 (B, H, W, C), 0-255 -> probabilities (B, K).

    Raises:
        DataError: if a file of it is damaged.
        ResourceError: if the weights of its backbone are missing.
    """
    if NETWORK in artifact.sha256s:
        return _open(artifact.file(NETWORK))
    file = artifact.keras_file
    if file is None:
        body = load_body(
            artifact.model.backbone or "",
            artifact.pixel_format.image_size,
            pooling=artifact.model.pooling,
        )
    else:
        body = body_of(_open(file))
    return join_head(body, head, artifact.class_names)


def body_of(model: Model) -> Model:
    """The part of a network that gives the features: all but the classifier dlcli put there."""
    for name in (PROBABILITIES, TEMPERATURE):
        for layer in model.layers:
            if layer.name == name:
                return keras.Model(model.input, layer.input, name=f"{model.name}_body")
    return model


def _open(path: Path) -> Model:
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"this is no readable Keras model ({error}).",
            where=str(path),
            fix="Train again, or take the run from a backup.",
        ) from error
