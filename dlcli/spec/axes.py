"""What a layer that keeps the shape of a tensor asks of its axes; Keras finds some of it only when
the network runs.
"""

from __future__ import annotations

from dlcli.spec.layers import LayerNode
from dlcli.spec.walk import MisfitError, Shape


def check_axes(node: LayerNode, shape: Shape) -> None:
    """Checks a layer's axes, and what it takes for each channel, against what reaches it.

    Raises:
        MisfitError: at the argument that does not fit.
    """
    for name in ("axis", "shared_axes"):
        for axis in _listed(node.arguments.get(name)):
            if not 1 <= _position(axis, shape) <= len(shape):
                rank = len(shape)
                known = f"from 1 to {rank} or from -{rank} to -1" if rank > 1 else "-1"
                what = f"must be {known} for {shape}, got {axis}"
                raise MisfitError((*node.place, name), what)
    kind = node.entry.name
    if kind == "group_normalization":
        _check_groups(node, _along(node, shape))
    elif kind == "normalization":
        _check_lengths(node, ("mean", "variance"), _along(node, shape))
    elif kind == "rescaling":
        _check_lengths(node, ("scale", "offset"), shape[-1])
    elif kind == "rms_normalization" and _position(node.get("axis"), shape) != len(shape):
        what = f"must be -1, the last: Keras has no other, got {node.get('axis')}"
        raise MisfitError((*node.place, "axis"), what)


def _listed(value: int | list[int] | None) -> list[int]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _position(axis: int, shape: Shape) -> int:
    """An axis counted from 1, the batch being 0."""
    return axis if axis > 0 else len(shape) + 1 + axis


def _along(node: LayerNode, shape: Shape) -> int:
    """The size of a layer's (last) axis."""
    return shape[max(_position(axis, shape) for axis in _listed(node.get("axis"))) - 1]


def _check_groups(node: LayerNode, channels: int) -> None:
    groups = node.get("groups")
    if groups > 0 and channels % groups:
        what = f"must divide the channels, which are {channels} here, got {groups}"
        raise MisfitError((*node.place, "groups"), what)


def _check_lengths(node: LayerNode, names: tuple[str, str], channels: int) -> None:
    for name in names:
        value = node.get(name)
        if isinstance(value, list) and len(value) not in (1, channels):
            what = f"must be a number or a list of {channels}, got a list of {len(value)}"
            raise MisfitError((*node.place, name), what)
