"""Augmentation: layers that only a training sees, never the saved model."""

from __future__ import annotations

from typing import Any

from dlcli.backend import keras
from dlcli.models.layers import first_line, make_layer
from dlcli.spec.layers import parse_augment
from dlcli.spec.walk import MisfitError

_PIXEL_RANGE = (0, 255)


def augmentation_layers(augment: str | list[Any]) -> list[Any]:
    """The Keras layers of a resolved `augment`: float32 (B, H, W, C), 0-255 -> the same.

    Raises:
        MisfitError: if Keras refuses an argument.
    """
    if not isinstance(augment, list):
        return []
    nodes, _ = parse_augment(augment, ("augment",))
    layers = []
    for number, node in enumerate(nodes):
        arguments = {key: value for key, value in node.arguments.items() if key != "name"}
        if _takes_value_range(node.entry.keras):
            arguments["value_range"] = _PIXEL_RANGE
        try:
            layers.append(make_layer(node.entry.keras, arguments, f"augment_{number}"))
        except (ValueError, TypeError) as error:
            raise MisfitError(node.place, f"is refused by Keras: {first_line(error)}") from error
    return layers


def _takes_value_range(kind: str) -> bool:
    import inspect

    return "value_range" in inspect.signature(getattr(keras.layers, kind).__init__).parameters
