"""The words of the layer language: what Keras offers, read from vocabulary.json and without Keras.

`python -m tests.spec.make_vocabulary` writes that file from the installed Keras.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from dlcli.spec.faults import nearest


@dataclass(frozen=True)
class Argument:
    """One argument; None as its default means that it may be left empty.

    `type` is a key of the table of checks in dlcli.spec.arguments. `least` and `most` are within
    the range, `above` and `below` just outside it.
    """

    name: str
    type: str
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None


@dataclass(frozen=True)
class Entry:
    """A Keras class: `keras` is its name there, `aliases` its other names there.

    `ranks` are those of the tensors that it takes, the batch included. `arguments` are in Keras'
    order: the first one is what a bare value means.
    """

    name: str
    keras: str
    aliases: tuple[str, ...]
    ranks: tuple[int, ...]
    arguments: dict[str, Argument]


_LEAST = {"count": 1, "size1": 1, "size2": 1, "odd_size2": 1, "share": 0}
_MOST = {"share": 1}
_REFUSALS = {
    "boxes": "takes bounding boxes, and a classifier has pictures",
    "code": "runs code or reads files, and a spec must do neither",
    "fixed": "changes every picture alike: the saved model would see others than it learned from",
    "input": "is added by dlcli: the list begins behind it",
    "inputs": "takes several tensors, and a list hands on one",
    "labels": "mixes pictures and their labels: say train.mix",
    "merge": "joins several tensors: use branches with merge: concatenate or merge: add",
    "sound": "takes sound, and a classifier has pictures",
    "text": "takes words or whole numbers, and a classifier has pictures",
    "volume": "takes volumes or films, and a classifier has pictures",
    "wrapper": "wraps another layer, and an item of a list is one: write that layer itself",
}


def layers() -> dict[str, Entry]:
    """The layers of a network, by their snake_case names."""
    return _entries("layers")


def augmentations() -> dict[str, Entry]:
    """The layers that change a picture at random or to taste, for training only."""
    return _entries("augmentations")


def optimizers() -> dict[str, Entry]:
    """The optimizers, whose learning rate is no argument here."""
    return _entries("optimizers")


def initializers() -> dict[str, Entry]:
    """How weights begin."""
    return _entries("initializers")


def regularizers() -> dict[str, Entry]:
    """What large weights cost."""
    return _entries("regularizers")


def constraints() -> dict[str, Entry]:
    """What weights are held to."""
    return _entries("constraints")


def activations() -> tuple[str, ...]:
    """The activation functions that keep a tensor's shape."""
    return tuple(_read()["activations"])


def find(entries: dict[str, Entry], word: str) -> Entry | None:
    """The entry of a snake_case name, of Keras' own spelling or of an alias, exactly as written."""
    if word in entries:
        return entries[word]
    return next(
        (entry for entry in entries.values() if word == entry.keras or word in entry.aliases), None
    )


def unknown_layer(word: str) -> str:
    """Why `word` is no layer of a network, as a sentence that goes on from its place."""
    if find(augmentations(), word):
        return "is an augmentation: it belongs under augment, which never reaches the saved model"
    why = _read()["refused"].get(_plain(word))
    if why is not None:
        return _REFUSALS[why]
    return f"is no layer: got {word!r}.{_nearest_layer(word)}"


def _nearest_layer(word: str) -> str:
    """Spellings of a whole name that differ in case and underscores alone come first."""
    for entry in layers().values():
        if _plain(word) in map(_plain, (entry.name, entry.keras, *entry.aliases)):
            return f" Did you mean {entry.name}?"
    return nearest(word, list(layers()))


def _plain(word: str) -> str:
    return str(word).replace("_", "").lower()


@cache
def _entries(section: str) -> dict[str, Entry]:
    return {name: _entry(name, values) for name, values in _read()[section].items()}


def _entry(name: str, values: dict[str, Any]) -> Entry:
    return Entry(
        name,
        values["keras"],
        tuple(values["aliases"]),
        tuple(values.get("ranks", ())),
        {key: _argument(key, value) for key, value in values["arguments"].items()},
    )


def _argument(name: str, values: dict[str, Any]) -> Argument:
    kind = values["type"]
    bounds = {"least": _LEAST.get(kind), "most": _MOST.get(kind)}
    return Argument(name, **{**bounds, **values, "choices": tuple(values.get("choices", ()))})


@cache
def _read() -> dict[str, Any]:
    text = resources.files("dlcli.spec").joinpath("vocabulary.json").read_text("utf-8")
    read: dict[str, Any] = json.loads(text)
    return read
