"""Augmentation: layers that only a training sees, never the saved model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlcli.backend import Model, keras
from dlcli.models.layers import first_line, make_layer
from dlcli.spec.layers import parse_augment
from dlcli.spec.walk import MisfitError
from dlcli.training.distribute import num_devices

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


def with_augmentation(model: Model, augmentation: Sequence[Any], dtype: str) -> Model:
    """The network that is trained, with augmentation in front: takes batches of that dtype."""
    inputs = keras.Input(model.input_shape[1:], dtype=dtype, name="batch")
    x = keras.ops.cast(inputs, "float32")
    for layer in augmentation:
        x = (_twin(layer) if num_devices() > 1 else layer)(x)
    if x.shape[1:] != model.input_shape[1:]:  # random_crop leaves a smaller picture
        height, width, _ = model.input_shape[1:]
        x = keras.layers.Resizing(height, width, name="as_before")(x)
    return keras.Model(inputs, model(x), name="training")


def _twin(layer: Any) -> Any:
    """A layer whose random state belongs to the devices that the fit runs on."""
    twin = type(layer).from_config(layer.get_config())
    for own, variable in zip(twin.variables, layer.variables, strict=True):
        own.assign(variable.numpy())
    return twin


def _takes_value_range(kind: str) -> bool:
    import inspect

    return "value_range" in inspect.signature(getattr(keras.layers, kind).__init__).parameters
