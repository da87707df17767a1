"""The spec's JSON Schema: what an editor needs to complete and check a spec while it is typed."""

from __future__ import annotations

from typing import Any

from dlcli.spec import vocabulary
from dlcli.spec.layers import MERGES, SHORTCUTS
from dlcli.spec.schema import LEAST_IMAGE_SIZE, MOST_IMAGE_SIZE, Spec

_LIST = {"$ref": "#/$defs/layers"}


def spec_json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of a whole spec, the layer language included."""
    schema = Spec.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "A dlcli spec"
    definitions = schema["$defs"]
    for name in definitions:
        definitions[name]["title"] = name.strip("_").removesuffix("Spec").removesuffix("Map")
    definitions["DataSpec"]["properties"]["image_size"] = _image_size()
    definitions["layers"] = {"type": "array", "items": {"$ref": "#/$defs/layer"}}
    definitions["layer"] = {
        "anyOf": [
            *_items(vocabulary.layers()),
            *_combinators(),
            _map_of(["head"], head={"const": "none"}),
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
    """A name alone, or a one-key map of it. Keras' own spellings are patterns, which an editor
    accepts and does not propose."""
    spellings = [name for entry in entries.values() for name in (entry.keras, *entry.aliases)]
    names: list[dict[str, Any]] = [
        {"enum": list(entries)},
        {"type": "string", "pattern": _any_of(spellings)},
    ]
    return [*names, *map(_item, entries.values())]


def _item(entry: vocabulary.Entry) -> dict[str, Any]:
    arguments = _arguments(entry)
    return {
        "type": "object",
        "properties": {entry.name: arguments},
        "patternProperties": {_any_of([entry.keras, *entry.aliases]): arguments},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }


def _any_of(words: list[str]) -> str:
    return f"^({'|'.join(words)})$"


def _image_size() -> dict[str, Any]:
    """One number or [height, width]: pydantic knows the pair alone, which it becomes."""
    side = {"type": "integer", "minimum": LEAST_IMAGE_SIZE, "maximum": MOST_IMAGE_SIZE}
    pair = {"type": "array", "items": side, "minItems": 2, "maxItems": 2}
    return {"anyOf": [side, pair], "default": 224, "description": "Pixels: one or two numbers."}


def _map_of(required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _arguments(entry: vocabulary.Entry) -> dict[str, Any]:
    """A map of arguments, or a bare value for the first one."""
    properties = {name: _argument(argument) for name, argument in entry.arguments.items()}
    required = [name for name, argument in entry.arguments.items() if argument.required]
    named = _map_of(required, **properties)
    return {"anyOf": [named, {"not": {"type": "object"}}], "title": entry.keras}


def _argument(argument: vocabulary.Argument) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if argument.choices:
        schema["enum"] = list(argument.choices)
    if not argument.required:
        schema["default"] = argument.default
    return schema


def _combinators() -> list[dict[str, Any]]:
    shortcut, merge = {"enum": list(SHORTCUTS)}, {"enum": list(MERGES)}
    inside: dict[str, Any] = {
        "anyOf": [_map_of(["layers"], layers=_LIST, shortcut=shortcut), _LIST]
    }
    lists = {"type": "array", "items": _LIST, "minItems": 2}
    return [
        _map_of(["repeat", "layers"], repeat={"type": "integer", "minimum": 1}, layers=_LIST),
        _map_of(["residual"], residual=inside, shortcut=shortcut),
        _map_of(["branches"], branches=lists, merge=merge),
    ]
