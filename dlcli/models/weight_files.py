"""Weight files of Keras into a network: `.weights.h5`, `.keras` and the older `.h5`.

The files are read as data: no layer is made from what they say, so they can run no code. A file
fits if its layers have the weights of the network's layers, in order; what follows behind them in
the file, as the classifier behind a body, is left out.
"""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np

from dlcli.backend import Model, keras
from dlcli.errors import DataError, UsageError

_MEMBER = "model.weights.h5"
_LAYERS, _VARIABLES = "layers", "vars"
_NO_LAYERS = ("optimizer", "seed_generator")
_FAULTS = (OSError, ValueError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile)


@dataclass(frozen=True)
class _Layer:
    """A layer of a network or of a file: `weights` are Keras' variables or HDF5's data sets."""

    name: str
    weights: tuple[Any, ...]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [tuple(weight.shape) for weight in self.weights]


def load_weights(body: Model, path: Path) -> bool:
    """Copies the weights of a file into `body`; returns whether the file held more.

    Nothing is copied unless all fits.

    Raises:
        UsageError: if there is no such file.
        DataError: if it is damaged or of another network.
    """
    if not path.is_file():
        raise UsageError("there is no such weight file.", where=str(path))
    try:
        with _open(path) as file:
            pairs, num_layers = _pairs(body, file, path)
            for layer, stored in pairs:
                _copy(layer, stored)
    except _FAULTS as error:
        raise DataError(
            f"this is no readable weight file of Keras ({_reason(error)}).", where=str(path)
        ) from error
    for layer in body.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it keeps what it makes of its weights
    return num_layers > len(pairs)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[Any]:
    """The HDF5 file, which in a .keras file is a member of an archive."""
    with contextlib.ExitStack() as stack:
        source: Any = path
        if zipfile.is_zipfile(path):
            source = _read_member(path)
        yield stack.enter_context(h5py.File(source, "r"))


def _read_member(path: Path) -> io.BytesIO:
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(_MEMBER)
        if member.compress_type != zipfile.ZIP_STORED:  # Keras compresses nothing
            raise ValueError(f"{_MEMBER} is compressed")
        return io.BytesIO(archive.read(member))


def _pairs(body: Model, file: Any, path: Path) -> tuple[list[tuple[_Layer, _Layer]], int]:
    """Each weighted layer of `body` with its twin in the file, and how many layers that holds."""
    if "model_weights" in file:  # an older .h5 of a whole model
        file = _child(file, "model_weights")
    if _attribute(file, "layer_names"):
        layers, stored = _align(body, _legacy_layers(file))
    else:
        layers, stored = _find(body, file)
    fix = "Name a file of the same network."
    for place, layer in enumerate(layers):
        if place >= len(stored) or not stored[place].weights:
            what = f"it ends before {layer.name}, which has weights of {_text(layer.shapes)}."
            raise DataError(what, where=str(path), fix=fix)
        if stored[place].shapes != layer.shapes:
            what = (
                f"its layer {stored[place].name} has weights of {_text(stored[place].shapes)}, "
                f"{layer.name} of {_text(layer.shapes)}."
            )
            raise DataError(what, where=str(path), fix=fix)
    return list(zip(layers, stored, strict=False)), len(stored)


def _copy(layer: _Layer, stored: _Layer) -> None:
    for variable, weight in zip(layer.weights, stored.weights, strict=True):
        if weight.dtype.kind not in "fiu":
            raise ValueError(f"{stored.name} holds {weight.dtype}, no numbers")
        variable.assign(np.asarray(weight))


def _align(body: Model, stored: list[_Layer]) -> tuple[list[_Layer], list[_Layer]]:
    """The layers of `body` and of an older file, in order: both as they stand, as Keras compares
    them, or else what is nested in them taken out."""
    whole = [_layer(layer) for layer in body.layers if layer.weights]
    counts = [len(layer.weights) for layer in whole]
    if counts == [len(layer.weights) for layer in stored[: len(whole)]]:
        return whole, stored
    leaves = [_layer(layer) for _, layer in _leaves(body)]
    return leaves, [leaf for layer in stored for leaf in _split(layer)]


def _leaves(network: Model, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each weighted layer, nested ones too, by its path in a .weights.h5 file, where layers are
    numbered class by class."""
    counts: dict[str, int] = defaultdict(int)
    for layer in network.layers:
        kind = _snake_case(type(layer).__name__)
        path = f"{prefix}{kind}_{counts[kind]}" if counts[kind] else f"{prefix}{kind}"
        counts[kind] += 1
        if isinstance(layer, keras.Model):
            yield from _leaves(layer, f"{path}/{_LAYERS}/")
        elif layer.weights:
            yield path, layer


def _snake_case(name: str) -> str:
    """As Keras does it: conv2_d is conv2d, ReLU is re_lu."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _layer(layer: Any) -> _Layer:
    return _Layer(layer.name, (*layer.trainable_weights, *layer.non_trainable_weights))


def _legacy_layers(file: Any) -> list[_Layer]:
    """The weighted layers of an older file, which says their order."""
    layers = []
    for name in _attribute(file, "layer_names"):
        group = _child(file, name)
        weights = tuple(_child(group, weight) for weight in _attribute(group, "weight_names"))
        if weights:
            layers.append(_Layer(name, weights))
    return layers


def _split(layer: _Layer) -> list[_Layer]:
    """The layers nested in one, told apart by the paths of their weights."""
    parts: dict[str, list[Any]] = defaultdict(list)
    for weight in layer.weights:
        parts[weight.name.rpartition("/")[0]].append(weight)
    return [_Layer(path.rpartition("/")[2], tuple(weights)) for path, weights in parts.items()]


def _attribute(group: Any, name: str) -> list[str]:
    """A list of names; one too long for an attribute is kept as name0, name1 and so on."""
    pieces = [f"{name}{number}" for number in range(len(group.attrs))]
    keys = [key for key in (name, *pieces) if key in group.attrs]
    found = [one for key in keys for one in group.attrs[key]]
    return [one.decode() if isinstance(one, bytes) else str(one) for one in found]


def _find(body: Model, file: Any) -> tuple[list[_Layer], list[_Layer]]:
    """The layers of `body` and, in their order, those of a .weights.h5 file; then what else it
    holds. The file knows no order, but each layer has its path, which may begin behind that of a
    network it is nested in."""
    stored = dict(_stored_layers(file))
    own = dict(_leaves(body))
    starts = sorted(
        {path[: match.end()] for path in stored for match in re.finditer(f"/{_LAYERS}/", path)}
    )
    start = max(starts, key=lambda start: sum(start + path in stored for path in own), default="")
    layers = [_layer(layer) for layer in own.values()]
    found = [stored.pop(start + path, _Layer(path, ())) for path in own]
    return layers, [*found, *stored.values()]


def _stored_layers(group: Any, path: str = "") -> Iterator[tuple[str, _Layer]]:
    """Each weighted layer below `group` by its path."""
    for name in group:
        if name == _VARIABLES:
            variables = _child(group, name)
            keys = sorted(filter(str.isdecimal, variables), key=int)
            if keys and f"/{_LAYERS}/" in path:
                called = str(variables.attrs.get("name", path.rpartition("/")[2]))
                yield path, _Layer(called, tuple(_child(variables, key) for key in keys))
        elif name not in _NO_LAYERS and isinstance(child := _child(group, name), h5py.Group):
            yield from _stored_layers(child, f"{path}/{name}")


def _child(group: Any, name: str) -> Any:
    """What is in a group of the file itself: a link may not lead to another one.

    Raises:
        KeyError: if it is not there.
        ValueError: if it is elsewhere.
    """
    child = group
    for part in name.split("/"):
        link = child.get(part, getlink=True)
        if isinstance(link, h5py.SoftLink | h5py.ExternalLink):
            raise ValueError(f"{name} is a link")  # noqa: TRY004 - the file is wrong, not the call
        child = child[part]
    if isinstance(child, h5py.Dataset) and (child.external or child.is_virtual):
        raise ValueError(f"{name} is kept in another file")
    return child


def _text(shapes: list[tuple[int, ...]]) -> str:
    if not shapes:
        return "no shape"
    return ", ".join("x".join(map(str, shape)) or "1 number" for shape in shapes)


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
