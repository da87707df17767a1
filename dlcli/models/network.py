"""A spec's model -> a whole network in Keras, in two parts: a body and a head."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlcli.backend import Model, keras
from dlcli.events import LayerRow, ModelShown
from dlcli.models.layers import build_layers
from dlcli.models.model import build_body
from dlcli.models.summary import summarize
from dlcli.runtime.head import Head
from dlcli.spec.layers import LayerNode, Network, Node, parse_layers
from dlcli.spec.rules import LAYERS
from dlcli.spec.schema import Spec
from dlcli.spec.shapes import PIXELS, PROBABILITIES
from dlcli.spec.walk import MisfitError

_LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True)
class BuiltNetwork:
    """`model` is float32 pixels (B, H, W, C), 0-255 -> probabilities (B, K), and `body` the part
    of it that gives features (B, F). A list that ends with `head: none` has no `classifier`: the
    logarithms of its probabilities are its features."""

    model: Model
    body: Model
    classifier: Any | None
    rows: tuple[LayerRow, ...]
    normalizes: bool = True

    def head(self, temperature: float = 1.0) -> Head:
        """The classifier's weights, outside Keras."""
        if self.classifier is None:
            num_classes = self.model.output_shape[-1]
            identity = np.eye(num_classes, dtype=np.float32)
            return Head(identity, np.zeros(num_classes, np.float32), temperature)
        weights, bias = self.classifier.get_weights()
        return Head(weights, bias, temperature)

    def summary(self, batch_size: int) -> ModelShown:
        """What the network is made of."""
        outputs = [layer.output for layer in self.model.layers]
        activations = sum(int(np.prod(output.shape[1:])) for output in outputs)
        return summarize(self.rows, activations, batch_size)


def build_network(spec: Spec, num_classes: int) -> BuiltNetwork:
    """The network of `spec` with random weights.

    Raises:
        MisfitError: if a layer does not take what reaches it.
    """
    if spec.model.layers is None:
        return _build_on_backbone(spec, num_classes)
    network, _ = parse_layers(spec.model.layers, LAYERS)
    channels = 3 if spec.data.color == "rgb" else 1
    pixels = keras.Input((*spec.data.image_size, channels), name=PIXELS)
    end, built = build_layers(network, pixels)
    rows = [_row(layers, network.nodes[number]) for number, layers in sorted(built.items())]
    if not network.has_head:
        found = _without_classifier(network, pixels, end, num_classes, tuple(rows))
        return replace(found, normalizes=network.normalizes)
    if len(end.shape) != 2:
        last = (*LAYERS, len(network.nodes) - 1)
        shape = tuple(end.shape[1:])
        raise MisfitError(last, f"leaves {shape}, and the classifier takes (features,)")
    found = _with_classifier("network", pixels, end, num_classes, rows)
    return replace(found, normalizes=network.normalizes)


def _build_on_backbone(spec: Spec, num_classes: int) -> BuiltNetwork:
    name = spec.model.backbone or ""
    body = build_body(name, spec.data.image_size)
    parameters = body.count_params()
    rows = [LayerRow(name, tuple(body.output_shape[1:]), parameters, _trainable(body.layers))]
    features = body.output
    if spec.model.dropout:
        dropout = keras.layers.Dropout(spec.model.dropout, name="dropout")
        features = dropout(features)
        rows.append(_row([dropout]))
    return _with_classifier(body.name, body.input, features, num_classes, rows, body=body)


def _with_classifier(
    name: str,
    pixels: Any,
    features: Any,
    num_classes: int,
    rows: list[LayerRow],
    body: Model | None = None,
) -> BuiltNetwork:
    classifier = keras.layers.Dense(num_classes, activation="softmax", name=PROBABILITIES)
    model = keras.Model(pixels, classifier(features), name=name)
    body = body or keras.Model(pixels, features, name=f"{name}_body")
    return BuiltNetwork(model, body, classifier, (*rows, _row([classifier])))


def _without_classifier(
    network: Network, pixels: Any, end: Any, num_classes: int, rows: tuple[LayerRow, ...]
) -> BuiltNetwork:
    if tuple(end.shape[1:]) != (num_classes,):
        last = (*LAYERS, len(network.nodes) - 1)
        shape = tuple(end.shape[1:])
        raise MisfitError(
            last, f"leaves {shape}, and the folder has {num_classes} classes: ({num_classes},)"
        )
    logarithms = keras.ops.log(keras.ops.maximum(end, _LEAST_PROBABILITY))
    model = keras.Model(pixels, end, name="network")
    return BuiltNetwork(model, keras.Model(pixels, logarithms), None, rows)


def _row(layers: list[Any], node: Node | None = None) -> LayerRow:
    """One line of the summary: a layer, or all layers of one item of the spec."""
    last = layers[-1]
    parameters = sum(layer.count_params() for layer in layers)
    name = last.name
    if node is not None and not isinstance(node, LayerNode):
        name = f"{node.word}_{node.location[-1]}, {len(layers)} layers"
    return LayerRow(name, tuple(last.output.shape[1:]), parameters, _trainable(layers))


def _trainable(layers: list[Any]) -> int:
    return sum(int(np.prod(weight.shape)) for layer in layers for weight in layer.trainable_weights)
