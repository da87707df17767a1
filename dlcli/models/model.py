"""Keras models: a backbone's body with its weights, and body and head joined into one network."""

from __future__ import annotations

from collections.abc import Sequence

from dlcli.backend import Model, keras
from dlcli.models import bundled_weights, efficientnet_lite
from dlcli.models.registry import BACKBONES
from dlcli.runtime.head import Head


def load_body(name: str, image_size: tuple[int, int]) -> Model:
    """A backbone with its ImageNet weights: float32 (B, H, W, 3), 0-255 -> features (B, F).

    Raises:
        ResourceError: if the package with its weights is missing.
        DataError: if the weight file is damaged.
    """
    backbone = BACKBONES[name]
    body = efficientnet_lite.build_body(
        name, image_size, width=backbone.width, depth=backbone.depth
    )
    tensors = bundled_weights.read_tensors(backbone.weights_path(), backbone.weights_sha256)
    efficientnet_lite.set_weights(body, tensors)
    return body


def join_head(body: Model, head: Head, class_names: Sequence[str]) -> Model:
    """The whole network: float32 (B, H, W, C), 0-255 -> probabilities (B, K), rows sum to 1.

    The temperature is folded into the last layer's weights.
    """
    classifier = keras.layers.Dense(len(class_names), activation="softmax", name="probabilities")
    model = keras.Model(body.input, classifier(body.output), name=body.name)
    classifier.set_weights([head.weights / head.temperature, head.bias / head.temperature])
    return model
