"""Walks a network of the layer language, once for shapes and once for Keras' tensors.

The order, the names and the rules of residuals are the same for both: what differs is an algebra.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from dlcli.spec.faults import Location
from dlcli.spec.layers import BranchesNode, LayerNode, Node, RepeatNode, ResidualNode

Shape = tuple[int, ...]
"""Of one picture's tensor, without the batch: (height, width, channels) or (features,)."""
T = TypeVar("T")


class MisfitError(Exception):
    """A layer that does not take what reaches it."""

    def __init__(self, location: Location, what: str) -> None:
        self.location, self.what = location, what
        super().__init__(what)


class Algebra(Protocol[T]):
    """What a walk computes: shapes, or tensors."""

    def layer(self, node: LayerNode, name: str, x: T) -> T:
        """`x` behind one layer."""

    def merge(self, node: Node, how: str, name: str, inputs: Sequence[T]) -> T:
        """`inputs` joined: `how` is add or concatenate."""

    def project(self, node: Node, name: str, x: T, strides: tuple[int, int], filters: int) -> T:
        """`x` behind a 1x1 convolution with batch normalization (He 2015)."""

    def shape(self, x: T) -> Shape:
        """The shape of `x`."""


def walk(nodes: Sequence[Node], x: T, algebra: Algebra[T]) -> T:
    """`x` behind all of `nodes`.

    Raises:
        MisfitError: at the first layer that does not take what reaches it.
    """
    return _walk(nodes, x, algebra, _Way())


@dataclass(frozen=True)
class _Way:
    """The way to a node: all numbers on it, and those that count repetitions."""

    numbers: tuple[int, ...] = ()
    repetitions: tuple[int, ...] = ()

    def at(self, number: int) -> _Way:
        return _Way((*self.numbers, number), self.repetitions)

    def again(self, repetition: int) -> _Way:
        return _Way((*self.numbers, repetition), (*self.repetitions, repetition))

    def name(self, kind: str) -> str:
        """The second layer of the third repetition of item 5 is `conv2d_5_2_1`, counted from 0 as
        in `model.layers[5]`."""
        return "_".join([kind, *map(str, self.numbers)])

    def own_name(self, name: str) -> str:
        """A name that the spec gives, told apart where it is repeated."""
        return "_".join([name, *map(str, self.repetitions)])


def _walk(nodes: Sequence[Node], x: T, algebra: Algebra[T], way: _Way) -> T:
    for number, node in enumerate(nodes):
        x = _step(node, x, algebra, way.at(number))
    return x


def _step(node: Node, x: T, algebra: Algebra[T], way: _Way) -> T:
    match node:
        case LayerNode():
            given = node.arguments.get("name")
            name = way.own_name(given) if given else way.name(node.entry.name)
            return algebra.layer(node, name, x)
        case RepeatNode():
            for repetition in range(node.times):
                x = _walk(node.layers, x, algebra, way.again(repetition))
            return x
        case ResidualNode():
            return _residual(node, x, algebra, way)
        case BranchesNode():
            ends = [
                _walk(branch, x, algebra, way.at(number))
                for number, branch in enumerate(node.branches)
            ]
            return algebra.merge(node, node.merge, way.name(node.merge), ends)


def _residual(node: ResidualNode, x: T, algebra: Algebra[T], way: _Way) -> T:
    end = _walk(node.layers, x, algebra, way)
    before, after = algebra.shape(x), algebra.shape(end)
    differs = before != after
    if differs or node.shortcut == "conv":
        strides = _strides(node, before, after)
        if node.shortcut == "identity":
            raise MisfitError(
                node.location,
                f"adds {after} to {before}, and an identity shortcut needs equal shapes: "
                "say shortcut: conv",
            )
        x = algebra.project(node, way.name("shortcut"), x, strides, after[-1])
    return algebra.merge(node, "add", way.name("add"), [end, x])


def _strides(node: ResidualNode, before: Shape, after: Shape) -> tuple[int, int]:
    """The strides of a 1x1 convolution that brings `before` to the size of `after`."""
    adds = f"adds {after} to {before}"
    if not len(before) == len(after) == 3:
        what = f"{adds}: a shortcut: conv takes (height, width, channels)"
        if before != after:
            what = f"{adds}: no shortcut brings these together, its layers must keep the shape"
        raise MisfitError(node.location, what)
    rows, columns = (_stride(before[axis], after[axis]) for axis in (0, 1))
    if rows and columns:
        return rows, columns
    fix = "use padding: same inside, and strides to shrink"
    raise MisfitError(node.location, f"{adds}: no shortcut brings these together: {fix}")


def _stride(full: int, wanted: int) -> int | None:
    return next((stride for stride in range(1, full + 1) if -(-full // stride) == wanted), None)
