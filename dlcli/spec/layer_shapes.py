"""The shape behind one layer: a rule for each kind, Keras' own arithmetic without Keras."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dlcli.spec import vocabulary
from dlcli.spec.axes import check_axes
from dlcli.spec.layers import LayerNode
from dlcli.spec.walk import MisfitError, Shape

_AXES = {1: "(features,)", 2: "(steps, features)", 3: "(height, width, channels)"}
_FLAT = "put flatten or global_average_pooling2d before it"


class UnknownShapeError(Exception):
    """A layer whose shapes are Keras' to tell."""


def layer_shape(node: LayerNode, shape: Shape) -> Shape:
    """The shape of one picture's tensor behind a layer, of the one that reaches it.

    Raises:
        MisfitError: if the layer does not take it, or leaves nothing.
        UnknownShapeError: if only Keras can tell.
    """
    _require_rank(node, shape)
    check_axes(node, shape)
    kind = node.entry.name
    found = shape if _keeps_shape(kind) else _rule_for(kind)(_Layer(node, shape))
    if min(found, default=1) < 1:
        raise MisfitError(node.place, f"leaves nothing: {shape} becomes {found}")
    return found


@dataclass(frozen=True)
class _Layer:
    """A layer and the shape that reaches it."""

    node: LayerNode
    shape: Shape

    def get(self, name: str) -> Any:
        """An argument, or its default."""
        return self.node.get(name)

    def each(self, name: str) -> tuple[int, ...]:
        """An argument as one number for each axis but the last."""
        value, axes = self.get(name), len(self.shape) - 1
        return tuple(value) if isinstance(value, list | tuple) else (value,) * axes

    def misfit(self, takes: str, fix: str) -> MisfitError:
        return MisfitError(self.node.place, f"takes {takes}, got {self.shape}: {fix}")


def _require_rank(node: LayerNode, shape: Shape) -> None:
    kind, rank = node.entry.name, len(shape)
    ranks = tuple(rank - 1 for rank in node.entry.ranks)
    if kind == "dense":
        ranks = (1, 2)  # Keras would take pictures too, and make of them what nobody means
    if rank in ranks:
        return
    takes = " or ".join(_AXES[each] for each in ranks if each in _AXES)
    for_pictures = kind.removesuffix("1d") + "2d"
    fix = ""
    if rank == 3 and 1 in ranks:
        fix = f": {_FLAT}"
    elif rank == 3 and for_pictures in vocabulary.layers():
        fix = f": use {for_pictures}"
    elif 3 in ranks:
        fix = ": put it before what flattens"
    raise MisfitError(node.place, f"takes {takes}, got {shape}{fix}")


_KEEPING = frozenset(
    ("activation", "activity_regularization", "elu", "identity", "leaky_relu", "prelu", "relu",
     "rescaling", "softmax", "masking")
)  # fmt: skip


def _keeps_shape(kind: str) -> bool:
    if kind in _KEEPING or kind.endswith("normalization"):
        return True
    return "dropout" in kind or "gaussian" in kind


def _rule_for(kind: str) -> Callable[[_Layer], Shape]:
    rule = _RULES.get(kind) or next(
        (found for end, found in _FAMILIES.items() if kind.rstrip("123d") == end), None
    )
    return rule or _unknown


def _unknown(layer: _Layer) -> Shape:
    raise UnknownShapeError(layer.node.entry.name)


def _pixels(sizes: Sequence[int]) -> str:
    return f"{' x '.join(map(str, sizes))} pixels" if len(sizes) > 1 else f"{sizes[0]} steps"


def _window(layer: _Layer, sizes: Sequence[int], strides: Sequence[int]) -> list[int]:
    """The heights and widths that a sliding window leaves."""
    same = layer.get("padding") in ("same", "causal")
    ends = []
    for length, size, stride in zip(layer.shape, sizes, strides, strict=False):
        if not same and size > length:
            raise layer.misfit(f"at least {_pixels(sizes)}", "use padding: same or shrink less")
        ends.append(-(-length // stride) if same else (length - size) // stride + 1)
    return ends


def _convolution(layer: _Layer) -> list[int]:
    spread = zip(layer.each("kernel_size"), layer.each("dilation_rate"), strict=True)
    sizes = [(size - 1) * rate + 1 for size, rate in spread]
    return _window(layer, sizes, layer.each("strides"))


def _conv(layer: _Layer) -> Shape:
    groups = layer.get("groups")
    if layer.shape[-1] % groups:
        what = f"must divide the channels, which are {layer.shape[-1]} here, got {groups}"
        raise MisfitError((*layer.node.place, "groups"), what)
    return (*_convolution(layer), layer.get("filters"))


def _separable_conv(layer: _Layer) -> Shape:
    return (*_convolution(layer), layer.get("filters"))


def _depthwise_conv(layer: _Layer) -> Shape:
    return (*_convolution(layer), layer.shape[-1] * layer.get("depth_multiplier"))


def _conv_transpose(layer: _Layer) -> Shape:
    same, beyond = layer.get("padding") == "same", layer.get("output_padding")
    axes = zip(layer.shape, layer.each("kernel_size"), layer.each("strides"), strict=False)
    ends = []
    for axis, (length, size, stride) in enumerate(axes):
        if beyond is None:
            end = length * stride if same else (length - 1) * stride + max(size, stride)
        else:
            window = size % 2 if same else size
            end = (length - 1) * stride + window + layer.each("output_padding")[axis]
        ends.append(end)
    return (*ends, layer.get("filters"))


def _pooling(layer: _Layer) -> Shape:
    sizes = layer.each("pool_size")
    strides = sizes if layer.get("strides") is None else layer.each("strides")
    return (*_window(layer, sizes, strides), layer.shape[-1])


def _global_pooling(layer: _Layer) -> Shape:
    kept = (1,) * (len(layer.shape) - 1) if layer.get("keepdims") else ()
    return (*kept, layer.shape[-1])


def _adaptive_pooling(layer: _Layer) -> Shape:
    return (*layer.each("output_size"), layer.shape[-1])


def _adaptive_max_pooling(layer: _Layer) -> Shape:
    """TensorFlow ends the process on some processors where a side is 1."""
    sides = layer.shape[:-1]
    if min(sides) < 2:
        raise layer.misfit(f"at least {_pixels((2,) * len(sides))}", "shrink less before it")
    return _adaptive_pooling(layer)


def _dense(layer: _Layer) -> Shape:
    return (*layer.shape[:-1], layer.get("units"))


def _recurrent(layer: _Layer) -> Shape:
    steps = layer.shape[:1] if layer.get("return_sequences") else ()
    return (*steps, layer.get("units"))


def _flatten(layer: _Layer) -> Shape:
    return (math.prod(layer.shape),)


def _reshape(layer: _Layer) -> Shape:
    target, total = list(layer.get("target_shape")), math.prod(layer.shape)
    known = math.prod(side for side in target if side != -1)
    if target.count(-1) == 1 and known > 0 and total % known == 0:
        target[target.index(-1)] = total // known
    if math.prod(target) != total or min(target) < 1:
        into = tuple(layer.get("target_shape"))
        fix = f"its sides multiplied must give {total:,}"
        raise MisfitError(layer.node.place, f"cannot make {into} of {layer.shape}: {fix}")
    return tuple(target)


def _permute(layer: _Layer) -> Shape:
    order = layer.get("dims")
    if sorted(order) != list(range(1, len(layer.shape) + 1)):
        fix = f"name each axis from 1 to {len(layer.shape)} once"
        raise layer.misfit(f"as many axes as {tuple(order)} names", fix)
    return tuple(layer.shape[axis - 1] for axis in order)


def _repeat_vector(layer: _Layer) -> Shape:
    return layer.get("n"), *layer.shape


def _edges(layer: _Layer, name: str) -> list[int]:
    """What padding or cropping takes at both ends of each axis together."""
    value, axes = layer.get(name), len(layer.shape) - 1
    if isinstance(value, int):
        return [2 * value] * axes
    if axes == 1:
        return [sum(value)]
    return [2 * side if isinstance(side, int) else sum(side) for side in value]


def _zero_padding(layer: _Layer) -> Shape:
    edges = zip(layer.shape, _edges(layer, "padding"), strict=False)
    return (*(length + edge for length, edge in edges), layer.shape[-1])


def _cropping(layer: _Layer) -> Shape:
    edges = _edges(layer, "cropping")
    if any(edge >= length for length, edge in zip(layer.shape, edges, strict=False)):
        what = f"crops {tuple(edges)} pixels of {layer.shape}, which leaves nothing: crop less"
        raise MisfitError(layer.node.place, what)
    lengths = (length - edge for length, edge in zip(layer.shape, edges, strict=False))
    return (*lengths, layer.shape[-1])


def _up_sampling(layer: _Layer) -> Shape:
    sizes = zip(layer.shape, layer.each("size"), strict=False)
    return (*(length * size for length, size in sizes), layer.shape[-1])


def _sized(layer: _Layer) -> Shape:
    return layer.get("height"), layer.get("width"), layer.shape[-1]


_RULES: dict[str, Callable[[_Layer], Shape]] = {
    "conv1d_transpose": _conv_transpose,
    "conv2d_transpose": _conv_transpose,
    "center_crop": _sized,
    "dense": _dense,
    "flatten": _flatten,
    "gru": _recurrent,
    "lstm": _recurrent,
    "permute": _permute,
    "repeat_vector": _repeat_vector,
    "reshape": _reshape,
    "resizing": _sized,
    "simple_rnn": _recurrent,
}
_FAMILIES: dict[str, Callable[[_Layer], Shape]] = {
    "adaptive_average_pooling": _adaptive_pooling,
    "adaptive_max_pooling": _adaptive_max_pooling,
    "average_pooling": _pooling,
    "conv": _conv,
    "cropping": _cropping,
    "depthwise_conv": _depthwise_conv,
    "global_average_pooling": _global_pooling,
    "global_max_pooling": _global_pooling,
    "max_pooling": _pooling,
    "separable_conv": _separable_conv,
    "up_sampling": _up_sampling,
    "zero_padding": _zero_padding,
}
