"""Where in a picture a network sees what speaks for a class: Grad-CAM (Selvaraju 2017).

A network is cut behind its last maps, the tensors (H, W, C) that still know where something is.
What a place of a map adds to the score of a class is the sum over the channels of its activations
times their gradients; what is less than nothing is left out. Where the places are averaged behind
the map, as in nearly every network that comes trained, this is Grad-CAM to the last digit, and for
the head on averaged features that dlcli fits it is the class activation map (Zhou 2016). Elsewhere
each place keeps its own gradient (HiResCAM, Draelos & Carin 2020), where Grad-CAM would average
them: behind a grid of features (see `with_layout`) a place counts as its cell does.

Which maps are the last ones was measured on pairs of photos side by side (five kinds of animals,
EfficientNet-Lite0, 80 questions each; how much of the map lies on the half that was asked about):
at 224 px 0.86 at the last map of 7x7 and 0.66 at the one of 14x14 before it; at 128 px 0.77 at 4x4
and 0.65 at 8x8; at 96 px 0.64 at 3x3 and 0.68 at 6x6. So the last with `LEAST_SIDE` places a side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli import backend
from dlcli.backend import Model, keras
from dlcli.models.blocks import has_kernel
from dlcli.runtime.head import Head

LEAST_SIDE, LEAST_OF_SMALL = 4, 2
"""Places a side of a map that tells something; the latter where all larger ones are pixels."""


@dataclass(frozen=True)
class GradCam:
    """`below` gives the tensors behind which the network is cut, `above` makes features of them;
    `layers` are the names of those that gave a map. Needs TensorFlow as the backend: Keras has no
    words for gradients."""

    below: Model
    above: Model
    layers: tuple[str, ...]
    head: Head

    def evidence(self, pixels: NDArray[np.uint8], label: int) -> NDArray[np.float32]:
        """uint8 (H, W, C), 0-255 -> float32 (h, w), 0 or more: what each place of the last map
        adds to the score of a class; all 0 where nothing speaks for it."""
        picture = pixels[None].astype(np.float32)
        cut = keras.tree.flatten(self.below(picture, training=False))
        with backend.tensorflow().GradientTape() as tape:
            tape.watch(cut)
            features = self.above(cut, training=False)
        slopes = tape.gradient(
            features, cut, self._direction(label)[None], unconnected_gradients="zero"
        )
        shares = [
            (np.asarray(one)[0] * np.asarray(slope)[0]).sum(axis=-1)
            for one, slope in zip(cut, slopes, strict=True)
            if len(one.shape) == 4
        ]
        height, width = max(share.shape for share in shares)
        summed = np.sum([_spread(share, height, width) for share in shares], axis=0)
        return np.asarray(np.maximum(summed, 0), np.float32)

    def _direction(self, label: int) -> NDArray[np.float32]:
        """The slope (F,) of the score in the features. A softmax knows logits but for a number
        that is added to all: the score is the logit less the mean of all of them, which also
        leads out of the logarithms of probabilities that a network without our head gives."""
        weights = self.head.weights
        return np.asarray(weights[:, label] - weights.mean(axis=1), np.float32)


def make_grad_cam(body: Model, head: Head) -> GradCam | None:
    """For a body, float32 (B, H, W, C) -> features (B, F), and the head on it; None where no place
    is left behind its first kernel."""
    for side in (LEAST_SIDE, LEAST_OF_SMALL):
        cut = _last_tensors(body, side)
        maps = [one for one in cut if one.is_map]
        if maps and all(one.is_behind_kernel for one in maps):
            tensors = [one.tensor for one in cut]
            below, above = keras.Model(body.input, tensors), keras.Model(tensors, body.output)
            return GradCam(below, above, tuple(one.layer for one in maps), head)
    return None


def _spread(share: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """A map on more places, its sum as before (but for the edges)."""
    if share.shape == (height, width):
        return share
    resized = keras.ops.image.resize(share[..., None], (height, width), "bilinear")
    return np.asarray(resized[..., 0] * (share.size / (height * width)), np.float32)


@dataclass(frozen=True)
class _Tensor:
    """A tensor of a network and the name of what gave it."""

    tensor: Any
    layer: str
    is_map: bool
    is_behind_kernel: bool


def _last_tensors(body: Model, least_side: int) -> list[_Tensor]:
    """All that the part of a network takes in which there are no maps any more. Of blocks that
    squeeze a map to weigh its channels it is the end that counts: a map."""
    tensors = {id(one.tensor): one for one in _tensors(body, least_side)}
    users = defaultdict(list)
    for operation in body.operations:
        for tensor in keras.tree.flatten(operation.input):
            users[id(tensor)].append(operation.name)
    flat: set[str] = set()
    for operation in reversed(body.operations):
        given = [id(tensor) for tensor in keras.tree.flatten(operation.output)]
        has_map = any(tensors[one].is_map for one in given)
        if not has_map and all(user in flat for one in given for user in users[one]):
            flat.add(operation.name)
    taken = {
        id(tensor)
        for operation in body.operations
        if operation.name in flat
        for tensor in keras.tree.flatten(operation.input)
    }
    return [one for number, one in tensors.items() if number in taken and one.layer not in flat]


def _tensors(body: Model, least_side: int) -> Iterator[_Tensor]:
    """All tensors, from the pixels to the features. What is cropped from a map is no map of its
    own: the whole one tells where it lies."""
    behind: set[int] = set()
    for operation in body.operations:
        is_layer = isinstance(operation, keras.layers.Layer)
        sees_kernel = is_layer and has_kernel(operation)
        if not isinstance(operation, keras.layers.InputLayer):
            inputs = keras.tree.flatten(operation.input)
            sees_kernel = sees_kernel or any(id(tensor) in behind for tensor in inputs)
        is_cropped = isinstance(operation, keras.layers.Cropping2D)
        for tensor in keras.tree.flatten(operation.output):
            if sees_kernel:
                behind.add(id(tensor))
            shape = tensor.shape
            is_map = len(shape) == 4 and min(shape[1:3]) >= least_side and not is_cropped
            yield _Tensor(tensor, operation.name, is_map, sees_kernel)
