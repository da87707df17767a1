"""The layer language -> Keras layers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from dlcli.backend import keras
from dlcli.spec.layers import LayerNode, Network, Node
from dlcli.spec.walk import MisfitError, Shape, walk


class KerasLayers:
    """The algebra of Keras' tensors: builds each layer where a walk comes by.

    `built` holds the layers of each item of the spec's list, by its number.
    """

    def __init__(self) -> None:
        self.built: dict[int, list[Any]] = defaultdict(list)

    def layer(self, node: LayerNode, name: str, x: Any) -> Any:
        """`x` behind one layer.

        Raises:
            MisfitError: if Keras refuses the arguments or the tensor.
        """
        arguments = {key: value for key, value in node.arguments.items() if key != "name"}
        try:
            return self._apply(node, make_layer(node.entry.keras, arguments, name), x)
        except (ValueError, TypeError, IndexError) as error:
            what = f"does not take {self.shape(x)}: {first_line(error)}"
            raise MisfitError(node.place, what) from error

    def merge(self, node: Node, how: str, name: str, inputs: Sequence[Any]) -> Any:
        """`inputs` joined along the last axis, or added."""
        kind = "Add" if how == "add" else "Concatenate"
        return self._apply(node, make_layer(kind, {}, name), list(inputs))

    def project(self, node: Node, name: str, x: Any, strides: tuple[int, int], filters: int) -> Any:
        """`x` behind a 1x1 convolution with batch normalization (He 2015)."""
        arguments = {"filters": filters, "kernel_size": 1, "strides": strides, "use_bias": False}
        x = self._apply(node, make_layer("Conv2D", arguments, f"{name}_conv"), x)
        return self._apply(node, make_layer("BatchNormalization", {}, f"{name}_bn"), x)

    def shape(self, x: Any) -> Shape:
        """The shape of `x` without the batch."""
        return tuple(x.shape[1:])

    def _apply(self, node: Node, layer: Any, x: Any) -> Any:
        number = next(part for part in node.location if isinstance(part, int))
        self.built[number].append(layer)
        return layer(x)


def first_line(error: Exception) -> str:
    """What Keras says, without the pages below it."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def make_layer(kind: str, arguments: dict[str, Any], name: str) -> Any:
    """The Keras layer of that class."""
    return getattr(keras.layers, kind)(**arguments, name=name)


def build_layers(network: Network, pixels: Any) -> tuple[Any, dict[int, list[Any]]]:
    """`pixels` behind the whole network, and the Keras layers of each item of the list.

    Raises:
        MisfitError: at the first layer that does not take what reaches it.
    """
    algebra = KerasLayers()
    return walk(network.nodes, pixels, algebra), dict(algebra.built)
