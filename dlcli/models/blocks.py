"""The blocks of a body, and the places where it can be cut in two.

A body can be cut behind a layer whose output is all that the layers after it see: between two
residual blocks, never inside one. A block is what its layers' common name says it is
(`block5_conv1` and `block5_conv2` of VGG16, `conv5_block3_...` of ResNet), else one such piece with
the layers without a kernel that follow it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from dlcli.backend import Model, keras

_BLOCK_NAME = re.compile(
    r"(.*?stage_?\d+_block_?\d+|stack\d+_block\d+|conv\d+_block\d+|block_?\d+[a-z]?"
    r"|expanded_conv(_\d+)?)(?=_|$)",
    re.IGNORECASE,
)
_NO_KERNEL = ("BatchNormalization", "LayerNormalization", "Normalization", "Rescaling")


@dataclass(frozen=True)
class Block:
    """A block: the names of its layers, and the tensor that enters it."""

    layers: tuple[str, ...]
    entry: Any


def blocks_of(body: Model) -> tuple[Block, ...]:
    """The blocks of a body in their order, from its input to its features."""
    blocks: list[Block] = []
    names: list[str | None] = []
    for piece, entry in _pieces(body):
        layers = tuple(layer.name for layer in piece)
        name = next(filter(None, map(_block_name, layers)), None)
        sees_kernel = any(map(has_kernel, piece))
        joins = bool(blocks) and (not sees_kernel or (name is not None and name == names[-1]))
        if joins:
            blocks[-1] = Block((*blocks[-1].layers, *layers), blocks[-1].entry)
        else:
            blocks.append(Block(layers, entry))
            names.append(name)
    return tuple(blocks)


def entry_of_last(body: Model, num_blocks: int) -> Any:
    """The tensor that enters the last `num_blocks` blocks, counted from the features; the body's
    input where it has no more than these."""
    blocks = blocks_of(body)
    return blocks[-num_blocks].entry if num_blocks < len(blocks) else body.input


def freeze_normalization(body: Model) -> None:
    """Keeps the statistics that a trained body has: a batch of a few pictures knows them worse, and
    moving them unlearns what the body knows (Ioffe & Szegedy 2015; the Keras guide)."""
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def _pieces(body: Model) -> list[tuple[list[Any], Any]]:
    """Layers between two places to cut, with the tensor that enters them."""
    layers = [layer for layer in body.layers if not isinstance(layer, keras.layers.InputLayer)]
    last_use = {id(body.input): 0}
    for number, layer in enumerate(layers):
        for tensor in keras.tree.flatten(layer.input):
            last_use[id(tensor)] = number
    pieces: list[tuple[list[Any], Any]] = []
    begun: list[Any] = []
    entry, seen_until = body.input, last_use[id(body.input)]
    for number, layer in enumerate(layers):
        begun.append(layer)
        last = last_use.get(id(layer.output), number)
        if seen_until <= number:  # nothing but this layer's output is seen from here on
            pieces.append((begun, entry))
            begun, entry, seen_until = [], layer.output, last
        else:
            seen_until = max(seen_until, last)
    return pieces


def _block_name(layer: str) -> str | None:
    found = _BLOCK_NAME.match(layer)
    return found[0] if found else None


def has_kernel(layer: Any) -> bool:
    """Whether a layer mixes what reaches it by weights, and does not only scale it."""
    return bool(layer.weights) and type(layer).__name__ not in _NO_KERNEL
