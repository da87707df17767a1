"""The spec's JSON Schema: what an editor needs to complete and check a spec while it is typed."""

from __future__ import annotations

from typing import Any

from dlcli.spec import vocabulary
from dlcli.spec.layers import MERGES, SHORTCUTS
from dlcli.spec.schema import Spec

_LIST = {"$ref": "#/$defs/layers"}


def spec_json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of a whole spec, the layer language included."""
    schema = Spec.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "A dlcli spec"
    definitions = schema["$defs"]
    definitions["layers"] = {"type": "array", "items": {"$ref": "#/$defs/layer"}}
    definitions["layer"] = {
        "anyOf": [
            *_items(vocabulary.layers()),
            *_combinators(),
            _one_key("head", {"const": "none"}),
        ]
    }
    definitions["ModelSpec"]["properties"]["layers"] = _LIST
    augmentations = {"type": "array", "items": {"anyOf": _items(vocabulary.augmentations())}}
    schema["properties"]["augment"] = {
        "anyOf": [{"enum": ["auto", "none"]}, augmentations],
        "default": "auto",
    }
    definitions["TrainSpec"]["properties"]["optimizer"] = {
        "anyOf": _items(vocabulary.optimizers()),
        "default": "adamw",
    }
    return schema


def _items(entries: dict[str, vocabulary.Entry]) -> list[dict[str, Any]]:
    """A name alone, or a one-key map of it."""
    maps = [_one_key(name, _arguments(entry)) for name, entry in entries.items()]
    return [{"enum": list(entries)}, *maps]


def _one_key(key: str, value: dict[str, Any], **others: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {key: value, **others},
        "required": [key],
        "additionalProperties": False,
    }


def _arguments(entry: vocabulary.Entry) -> dict[str, Any]:
    """A map of arguments, or a bare value for the first one."""
    properties = {name: _argument(argument) for name, argument in entry.arguments.items()}
    named = {"type": "object", "properties": properties, "additionalProperties": False}
    return {"anyOf": [named, {"not": {"type": "object"}}], "title": entry.keras}


def _argument(argument: vocabulary.Argument) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if argument.choices:
        schema["enum"] = list(argument.choices)
    if not argument.required:
        schema["default"] = argument.default
    return schema


def _combinators() -> list[dict[str, Any]]:
    residual = {
        "type": "object",
        "properties": {"layers": _LIST, "shortcut": {"enum": list(SHORTCUTS)}},
        "required": ["layers"],
        "additionalProperties": False,
    }
    return [
        _one_key("repeat", {"type": "integer", "minimum": 1}, layers=_LIST),
        _one_key("residual", {"anyOf": [residual, _LIST]}, shortcut={"enum": list(SHORTCUTS)}),
        _one_key("branches", {"type": "array", "items": _LIST}, merge={"enum": list(MERGES)}),
    ]
