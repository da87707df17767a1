"""Shapes of tensors through a network of the layer language, without Keras.

A shape is one picture's: (height, width, channels), (steps, features) or (features,).
"""

from __future__ import annotations

from collections.abc import Sequence

from dlcli.spec.faults import Fault, Location
from dlcli.spec.layer_shapes import UnknownShapeError, layer_shape
from dlcli.spec.layers import LayerNode, Network, Node
from dlcli.spec.walk import MisfitError, Shape, walk

PIXELS, PROBABILITIES = "pixels", "probabilities"
"""The names of the layers that dlcli adds: the input and the classifier."""

_LIKE = {2: "equal steps", 3: "equal heights and widths"}


def output_shape(network: Network, shape: Shape) -> Shape | None:
    """The shape behind the whole network, None where only building it can tell.

    Raises:
        MisfitError: at the first layer that does not take what reaches it.
    """
    try:
        return walk(network.nodes, shape, _Shapes())
    except UnknownShapeError:
        return None


def check_shapes(network: Network, shape: Shape, location: Location) -> list[Fault]:
    """The first misfit of a network on pictures of `shape` (height, width, channels), if any.

    `location` is the list's own.
    """
    try:
        end = output_shape(network, shape)
    except MisfitError as error:
        return [Fault(error.location, error.what)]
    if end is None or len(end) == 1:
        return []
    fix = "end with flatten or global_average_pooling2d" if len(end) == 3 else "end with flatten"
    takes = "the classifier takes (features,)"
    if not network.has_head:
        takes, fix = "probabilities are (classes,)", f"put {fix.removeprefix('end with ')} before"
    last = (*location, len(network.nodes) - 1)
    return [Fault(last, f"leaves {end}, and {takes}: {fix}")]


class _Shapes:
    """The algebra of shapes."""

    def __init__(self) -> None:
        self._names = {PIXELS, PROBABILITIES}

    def layer(self, node: LayerNode, name: str, x: Shape) -> Shape:
        self._take(name, (*node.place, "name") if "name" in node.arguments else node.place)
        return layer_shape(node, x)

    def _take(self, name: str, place: Location) -> None:
        if name in self._names:
            what = "must be another one"
            if place[-1] != "name":
                what = "gets its name from its place, and another layer has it"
            raise MisfitError(place, f"{what}: {name!r} is taken")
        self._names.add(name)

    def merge(self, node: Node, how: str, name: str, inputs: Sequence[Shape]) -> Shape:
        self._take(name, node.location)
        first, *others = inputs
        for other in others:
            fits = other == first if how == "add" else other[:-1] == first[:-1]
            if not fits:
                asked = "equal shapes" if how == "add" else _LIKE.get(len(first), "equal shapes")
                if len(first) != len(other):
                    asked = "as many axes from each branch"
                raise MisfitError(
                    node.location, f"joins {first} and {other}, and {how} needs {asked}"
                )
        return first if how == "add" else (*first[:-1], sum(shape[-1] for shape in inputs))

    def project(
        self,
        node: Node,
        name: str,
        x: Shape,
        strides: tuple[int, int],
        filters: int,
    ) -> Shape:
        self._take(f"{name}_conv", node.location)
        self._take(f"{name}_bn", node.location)
        return -(-x[0] // strides[0]), -(-x[1] // strides[1]), filters

    def shape(self, x: Shape) -> Shape:
        return x
