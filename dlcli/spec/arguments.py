"""The arguments of a layer, an augmentation or an optimizer: from YAML to what Keras takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from dlcli.spec import vocabulary
from dlcli.spec.faults import Fault, Location, nearest, shown
from dlcli.spec.values import RefusedError, check_value, listed
from dlcli.spec.vocabulary import Argument, Entry

_SET_ELSEWHERE = {
    "data_format": "is always channels_last",
    "dtype": "is set by train.precision",
    "ema_momentum": "is set by train.ema",
    "ema_overwrite_frequency": "is set by train.ema",
    "learning_rate": "is set by train.learning_rate",
    "seed": "is set by train.seed",
    "trainable": "is set by train.stages",
    "use_ema": "is set by train.ema",
    "value_range": "is always 0-255",
}
_CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")


def check_arguments(
    entry: Entry, value: Any, location: Location
) -> tuple[dict[str, Any], list[Fault]]:
    """The arguments in a raw value of YAML under their Keras names, and every fault in it.

    None is no argument, a map has arguments by name, anything else is the first argument. A fault
    of a named argument is located at its name, any other at `location`.
    """
    named = isinstance(value, dict)
    given = value if named else {} if value is None else {_first(entry): value}
    checked, faults = {}, []
    for name, raw in given.items():
        where = (*location, name) if named else location
        found, wrong = _check_one(entry, name, raw, where)
        checked[name] = found
        faults += wrong
    faults += _missing(entry, given, faults, location)
    if not faults:
        broken = _broken_rules(entry, checked)
        faults = [Fault((*location, name) if named else location, what) for name, what in broken]
    return checked, faults


def _first(entry: Entry) -> str:
    """The argument that a bare value means; a name is never meant."""
    return next((name for name in entry.arguments if name != "name"), "")


def _missing(
    entry: Entry, given: dict[str, Any], faults: list[Fault], location: Location
) -> list[Fault]:
    """Required arguments, but for one whose misspelling is a fault already."""
    missing = [
        name
        for name, argument in entry.arguments.items()
        if argument.required
        and name not in given
        and not any(fault.what.endswith(f" Did you mean {name}?") for fault in faults)
    ]
    return [Fault(location, f"needs {listed(missing, 'and')}")] if missing else []


def _check_one(entry: Entry, name: str, value: Any, location: Location) -> tuple[Any, list[Fault]]:
    argument = entry.arguments.get(name)
    if not name:
        return None, [Fault(location, f"takes no value, got {shown(value)}")]
    if argument is None:
        hint = nearest(str(name), list(entry.arguments))
        what = _SET_ELSEWHERE.get(name, f"is no argument of {entry.keras}.{hint}")
        return None, [Fault(location, what)]
    if value in (None, "none") and _may_be_empty(argument):
        return None, []
    if argument.type in _OBJECTS:
        return _check_object(argument, value, location)
    try:
        return check_value(argument, value), []
    except RefusedError as error:
        return None, [Fault(location, str(error))]


def _may_be_empty(argument: Argument) -> bool:
    """No activation is the linear one, whatever the default."""
    no_default = argument.default is None or argument.type == "activation"
    return no_default and not argument.required


def _check_object(
    argument: Argument, value: Any, location: Location
) -> tuple[dict[str, Any] | None, list[Fault]]:
    """An initializer, regularizer or constraint: its name, or a one-key map with arguments."""
    kind = f"an {argument.type}" if argument.type == "initializer" else f"a {argument.type}"
    if isinstance(value, dict) and len(value) == 1:
        [(name, inner)] = value.items()
        below: Location = (*location, name)
    elif isinstance(value, str):
        name, inner, below = value, None, location
    else:
        what = f"must be {kind}'s name or a one-key map with its arguments, got {shown(value)}"
        return None, [Fault(location, what)]
    entries = _OBJECTS[argument.type]()
    entry = vocabulary.find(entries, name)
    if entry is None:
        hint = nearest(str(name), list(entries))
        return None, [Fault(below, f"must be {kind}, got {shown(name)}.{hint}")]
    config, faults = check_arguments(entry, inner, below)
    return {"class_name": entry.keras, "config": config}, faults


_OBJECTS: dict[str, Callable[[], dict[str, Entry]]] = {
    "initializer": vocabulary.initializers,
    "regularizer": vocabulary.regularizers,
    "constraint": vocabulary.constraints,
}


def _broken_rules(entry: Entry, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What one argument asks of another, as an argument and what is wrong with it."""
    values = {name: argument.default for name, argument in entry.arguments.items()} | given
    yield from _broken_by_sizes(entry, values)
    yield from _broken_by_weights(entry, given)
    if values.get("crop_to_aspect_ratio") and values.get("pad_to_aspect_ratio"):
        yield "crop_to_aspect_ratio", "and pad_to_aspect_ratio must not both be true"
    if "variance" in values and _length(values["mean"]) != _length(values["variance"]):
        yield "mean", "must be as long as variance"
    if entry.name == "group_normalization" and values["groups"] == 0:
        yield "groups", "must be 1 or more, or -1 for each channel alone, got 0"
    clips = [name for name in _CLIPS if values.get(name) is not None]
    if len(clips) > 1:
        yield clips[0], f"and {clips[1]} must not both be given"


def _broken_by_sizes(entry: Entry, values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    groups, filters = values.get("groups", 1), values.get("filters", 0)
    if filters and filters % groups:
        yield "filters", f"must be a multiple of groups, {groups}, got {filters}"
    strides, dilation = _pair(values.get("strides")), _pair(values.get("dilation_rate"))
    if "transpose" in entry.name and max(dilation) > 1:
        yield "dilation_rate", "must be 1 here: TensorFlow has no other on a CPU"
    elif "pointwise_initializer" in values or "depthwise_initializer" in values:
        if len(set(strides)) > 1:
            yield "strides", f"must be equal for rows and columns here, got {strides}"
    elif max(strides) > 1 and max(dilation) > 1:
        yield "strides", "and dilation_rate must not both be more than 1"
    padding = values.get("output_padding")
    if padding and any(a >= b for a, b in zip(_pair(padding), strides, strict=False)):
        yield "output_padding", f"must be less than strides, got {shown(padding)}"


def _broken_by_weights(entry: Entry, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is defined for matrices alone."""
    for name, value in given.items():
        kind = value["class_name"] if isinstance(value, dict) else None
        rank = _weight_rank(entry, name)
        if kind in ("Identity", "OrthogonalRegularizer") and rank != 2:
            yield name, f"must be another one: {kind} is for matrices, such as a kernel of dense"
        if kind == "Orthogonal" and rank < 2:
            yield name, f"must be another one: {kind} is for kernels"


def _weight_rank(entry: Entry, name: str) -> int:
    """The rank of the weights that an argument is about."""
    if not name.startswith(("activity", "depthwise", "kernel", "pointwise", "recurrent")):
        return 1
    axes = re.search(r"\d", entry.name)
    return int(axes[0]) + 2 if axes else 2


def _pair(value: Any) -> list[int]:
    """Rows and columns of a size, which may be one number or nothing."""
    return value if isinstance(value, list) else [value or 1, value or 1]


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else 0
