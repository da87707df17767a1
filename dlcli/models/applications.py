"""The networks of `keras.applications` as bodies: raw pixels in, pooled features out.

What differs between them is taken care of here, so that all are used alike: each takes RGB pixels
of 0-255 and does its own preprocessing, and its layers are called the same whatever was built
before it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcli.backend import Model, keras
from dlcli.models.registry import Application

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)


def build_application(name: str, application: Application, image_size: tuple[int, int]) -> Model:
    """The network up to its pooled features: float32 (B, H, W, 3), RGB, 0-255 -> (B, F).

    Its weights are random.
    """
    pixels = keras.Input((*image_size, 3), name="pixels")
    construct = getattr(keras.applications, application.constructor)
    network = construct(
        weights=None,
        include_top=False,
        pooling="avg",
        input_tensor=_preprocess(pixels, application.preprocessing),
    )
    body = _rebuild(network)
    for layer in body.layers:
        if _is_adapted(layer):
            layer.set_weights([np.array(_MEAN), np.square(_STD), np.array(0)])
            layer.finalize_state()
    # Keras' own inputs may be a list of one.
    return keras.Model(body.inputs[0], body.outputs[0], name=name.replace("-", "_"))


def _preprocess(pixels: Any, how: str) -> Any:
    """Pixels as the weights expect them; the three ways are those of Keras' `preprocess_input`,
    named after the frameworks whose networks were ported."""
    if how == "none":
        return pixels
    scale: Any = 1.0
    offset: Any = [-mean for mean in _CAFFE_MEAN_BGR]
    if how == "tf":
        scale, offset = 1 / 127.5, -1.0
    elif how == "torch":
        scale = [1 / (255 * std) for std in _STD]
        offset = [-mean / std for mean, std in zip(_MEAN, _STD, strict=True)]
    else:
        pixels = keras.ops.take(pixels, [2, 1, 0], axis=-1)
    return keras.layers.Rescaling(scale, offset, name="normalize")(pixels)


def _rebuild(network: Model) -> Model:
    """The same network of layers that are called as if nothing had been built before it.

    Keras numbers nameless layers through the whole process, and a layer's name is part of its
    weights' paths once it is built: so all are made again, from their configurations.
    """
    names = _names(network.operations)

    def clone(operation: Any) -> Any:
        config = {**operation.get_config(), "name": names[operation.name]}
        return operation.__class__.from_config(config)

    return keras.models.clone_model(network, clone_function=clone, call_function=_call)


def _call(operation: Any, *args: Any, **kwargs: Any) -> Any:
    """The operation's output; behind the normalization of EfficientNet B0-B7 comes a factor.

    They were trained with (x - mean) / std / sqrt(std); Keras adds the last division with
    `weights="imagenet"` only, see https://github.com/tensorflow/tensorflow/issues/49930.
    """
    outputs = operation(*args, **kwargs)
    if not _is_adapted(operation):
        return outputs
    factors = [1 / math.sqrt(std) for std in _STD]
    return keras.layers.Rescaling(factors, name="normalization_scale")(outputs)


def _is_adapted(operation: Any) -> bool:
    """Whether it normalizes with a mean and a variance that are weights: in EfficientNet B0-B7."""
    is_normalization = isinstance(operation, keras.layers.Normalization)
    return is_normalization and operation.input_mean is None


def _names(operations: Sequence[Any]) -> dict[str, str]:
    """A new name for each: those that were numbered (`conv2d_17`) are numbered from 0 on, in the
    order in which they were made."""
    numbered: dict[str, list[tuple[int, str]]] = defaultdict(list)
    names = {operation.name: operation.name for operation in operations}
    for operation in operations:
        stem, number = _split(operation.name)
        if stem.replace("_", "") == operation.__class__.__name__.lower():
            numbered[stem].append((number, operation.name))
    for stem, found in numbered.items():
        for place, (_, name) in enumerate(sorted(found)):
            names[name] = f"{stem}_{place}" if place else stem
    return names


def _split(name: str) -> tuple[str, int]:
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if stem and number.isdecimal() else (name, 0)
