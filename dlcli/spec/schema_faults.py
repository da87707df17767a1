"""What pydantic finds wrong with a spec, in our words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dlcli.spec.faults import Fault, Location, nearest, shown
from dlcli.spec.schema import TAGS, Spec


def schema_faults(error: ValidationError) -> list[Fault]:
    """Every fault that pydantic found; what is missing is none where its misspelling is one."""
    faults = [_fault(details) for details in error.errors()]
    meant = {
        (*fault.location[:-1], fault.what.rpartition(" Did you mean ")[2].removesuffix("?"))
        for fault in faults
    }
    return [
        fault
        for details, fault in zip(error.errors(), faults, strict=True)
        if details["type"] != "missing" or _location(details) not in meant
    ]


def _location(details: ErrorDetails) -> Location:
    return tuple(part for part in details["loc"] if part not in TAGS)


def _fault(details: ErrorDetails) -> Fault:
    location = _location(details)
    if details["type"] == "missing" and location[:-1] in _FORMS:
        location = location[:-1]
    return Fault(location, _what(details, location))


def _what(details: ErrorDetails, location: Location) -> str:
    kind, context, value = details["type"], details.get("ctx", {}), shown(details["input"])
    if kind == "extra_forbidden":
        return "is no setting." + _setting_like(location)
    choices = context["expected"].replace("'", "") if kind == "literal_error" else ""
    if location in _FORMS or choices:
        hint = nearest(str(details["input"]), choices.replace(" or ", ", ").split(", "))
        near = f".{hint}" if choices and "Did you mean" in hint else ""
        return f"must be {_FORMS.get(location, choices)}, got {value}{near}"
    if kind == "missing":
        return "is missing"
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"must be {words.format(_digits(context[key]))}, got {value}"
    if kind == "value_error":
        return str(context["error"])
    expected = _EXPECTED.get(kind, details["msg"][:1].lower() + details["msg"][1:])
    return f"{expected}, got {value}"


def _digits(bound: float) -> str:
    return f"{int(bound):,}" if bound == int(bound) else f"{bound:g}"


_FORMS: dict[Location, str] = {
    ("augment",): "auto, none or a list such as [random_flip: horizontal]",
    ("model", "layers"): "a list of layers",
    ("train", "class_weights"): "none, balanced or a map such as {cat: 2.0}",
    ("train", "early_stopping"): "none or a map such as {monitor: val_loss, patience: 5}",
    ("train", "loss"): "cross_entropy or {focal: {gamma: 2}}",
    ("train", "mix"): "none, {mixup: 0.2} or {cutmix: 1.0}",
    ("train", "optimizer"): "a name or a map such as {sgd: {momentum: 0.9}}",
    ("train", "schedule"): "cosine, constant, one_cycle or {exponential: {decay_rate: 0.9}}",
    ("train", "stages"): "auto or a list such as [{trainable: head, epochs: 10}]",
}
"""What a setting takes that is a word or a map or list."""
_BOUNDS = {
    "greater_than_equal": ("ge", "{} or more"),
    "greater_than": ("gt", "more than {}"),
    "less_than_equal": ("le", "{} or less"),
    "less_than": ("lt", "less than {}"),
    "too_short": ("min_length", "a list of {} or more"),
}
_EXPECTED = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be a text",
    "path_type": "must be a path",
    "list_type": "must be a list",
    "dict_type": "must be a map",
    "model_type": "must be a map of settings",
    "model_attributes_type": "must be a map of settings",
}


def _setting_like(location: Location) -> str:
    """The same key where it belongs, or else the nearest one here."""
    key = str(location[-1])
    for section, field in Spec.model_fields.items():
        if any(key in found.model_fields for found in _sections_in(field.annotation)):
            return f" Did you mean {section}.{key}?"
    return nearest(key, _keys_beside(location))


def _keys_beside(location: Location) -> list[str]:
    """The settings valid where `location` stands."""
    section: Any = Spec
    for part in location[:-1]:
        if isinstance(part, str):
            section = section.model_fields[part].annotation
        section = next(iter(_sections_in(section)), None)
    return list(section.model_fields) if section is not None else []


def _sections_in(annotation: Any) -> Iterable[type[BaseModel]]:
    """The sections that a setting's type holds, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _sections_in(inner)
