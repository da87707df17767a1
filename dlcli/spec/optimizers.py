"""The optimizer of a spec: a Keras optimizer's name, or a one-key map with its arguments."""

from __future__ import annotations

from typing import Any

from dlcli.spec import vocabulary
from dlcli.spec.arguments import check_arguments
from dlcli.spec.faults import Fault, Location, nearest, shown


def read_optimizer(value: str | dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of Keras' class and the arguments, of a value without faults."""
    name, arguments = _parts(value)
    found = vocabulary.find(vocabulary.optimizers(), name)
    if found is None:
        raise ValueError(f"{name!r} is no optimizer")
    return found.keras, check_arguments(found, arguments, ())[0]


def check_optimizer(value: str | dict[str, Any], location: Location) -> list[Fault]:
    """Every fault of `train.optimizer`."""
    if isinstance(value, dict) and len(value) != 1:
        what = f"must be a name, or a map with one name in it, got {shown(value)}"
        return [Fault(location, what)]
    name, arguments = _parts(value)
    below = (*location, name) if isinstance(value, dict) else location
    entry = vocabulary.find(vocabulary.optimizers(), name)
    if entry is None:
        known = list(vocabulary.optimizers())
        return [Fault(below, f"is no optimizer: got {name!r}.{nearest(name, known)}")]
    if arguments is not None and not isinstance(arguments, dict):
        what = f"takes a map of arguments, got {shown(arguments)}"
        return [Fault(below, f"{what}: its learning rate is train.learning_rate")]
    read, faults = check_arguments(entry, arguments, below)
    if read.get("nesterov") and entry.keras == "SGD" and not read.get("momentum"):
        what = "changes nothing without a momentum: momentum: 0.9 is usual"
        faults = [*faults, Fault((*below, "nesterov"), what)]
    return faults


def _parts(value: str | dict[str, Any]) -> tuple[str, Any]:
    if isinstance(value, str):
        return value, None
    [(name, arguments)] = value.items()
    return name, arguments
