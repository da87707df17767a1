"""Networks of keras.applications with random weights, and weight files of them, for tests."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from dlcli import backend
from dlcli.models.registry import BACKBONES, Application
from tests.models.make_applications import build, intercepted_download


def application(name: str) -> Application:
    """What the registry knows of the network `name`."""
    network = BACKBONES[name].network
    assert isinstance(network, Application)
    return network


def keras_network(name: str, file: Path | None = None) -> Any:
    """What `keras.applications` itself gives for weights="imagenet", at the least size; `file` is
    taken for the download, without it the weights are random, biases and averages included."""
    with intercepted_download(file):
        network = build(application(name).constructor, "imagenet", BACKBONES[name].least_image_size)
    if file is None:
        randomize(network)
    return network


def randomize(network: Any, seed: int = 0) -> None:
    """Gives every weight a value of its own; none lets a signal vanish or explode."""
    rng = np.random.default_rng(seed)
    for weight in network.weights:
        values = 0.05 * rng.standard_normal(weight.shape, np.float32)
        if weight.path.endswith(("variance", "gamma")):
            values = 1 + np.abs(values)
        weight.assign(values)


def keras_features(name: str, network: Any, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """What `network` makes of pixels that went through its module's `preprocess_input`."""
    constructor = getattr(backend.keras.applications, application(name).constructor)
    module: Any = inspect.getmodule(constructor)
    return answers(network, module.preprocess_input(pixels.copy()))


def answers(network: Any, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The network's output, without the seconds it takes to trace it."""
    return np.asarray(network(pixels, training=False))


def noise(network: Any) -> NDArray[np.float32]:
    """Two pictures of the size that a network takes, float32 (2, H, W, 3), 0-255."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (2, *network.input_shape[1:])).astype(np.float32)


def write_legacy(network: Any, path: Path, *, root: str = "") -> Path:
    """An .h5 file as Keras 2 wrote it: those at Keras' addresses are of that kind."""
    with h5py.File(path, "w") as file:
        group = file.create_group(root) if root else file
        group.attrs["layer_names"] = [layer.name.encode() for layer in network.layers]
        for layer in network.layers:
            _write_layer(group.create_group(layer.name), layer)
    return path


def _write_layer(group: Any, layer: Any) -> None:
    weights = [*layer.trainable_weights, *layer.non_trainable_weights]
    group.attrs["weight_names"] = [f"{weight.path}:0".encode() for weight in weights]
    for weight in weights:
        group[f"{weight.path}:0"] = weight.numpy()
