"""The schema for editors: its structure, and what it lets pass by a small checker of our own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from dlcli.spec import vocabulary
from dlcli.spec.json_schema import spec_json_schema
from dlcli.spec.reader import read_spec_text
from dlcli.spec.schema import Spec

SCHEMA = spec_json_schema()
TEMPLATES = sorted((Path(str(resources.files("dlcli.spec"))) / "templates").rglob("*.yaml"))
KNOWN = {
    "$defs", "$ref", "$schema", "additionalProperties", "anyOf", "const", "default",
    "description", "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxItems",
    "maxProperties", "maximum", "minItems", "minProperties", "minimum", "not", "oneOf", "pattern",
    "patternProperties", "prefixItems", "properties", "propertyNames", "required", "title", "type",
}  # fmt: skip
TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}


def subschemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schema and all in it; a `default` holds none."""
    yield schema
    for key, value in schema.items():
        inside: list[Any] = []
        if key in ("properties", "patternProperties", "$defs"):
            inside = list(value.values())
        elif key in ("anyOf", "oneOf", "prefixItems"):
            inside = value
        elif key in ("items", "additionalProperties", "not", "propertyNames"):
            inside = [value]
        for inner in inside:
            if isinstance(inner, dict):
                yield from subschemas(inner)


def resolved(reference: str) -> dict[str, Any]:
    found: Any = SCHEMA
    root, *parts = reference.split("/")
    assert root == "#"
    for part in parts:
        found = found[part]
    assert isinstance(found, dict)
    return found


def accepts(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value satisfies a schema, of the keywords that ours uses."""
    if "$ref" in schema and not accepts(resolved(schema["$ref"]), value):
        return False
    if "not" in schema and accepts(schema["not"], value):
        return False
    for key in ("anyOf", "oneOf"):
        if key in schema and not any(accepts(inner, value) for inner in schema[key]):
            return False
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        return False
    if "pattern" in schema and not (isinstance(value, str) and re.search(schema["pattern"], value)):
        return False
    return has_type(schema, value) and in_range(schema, value) and fits_inside(schema, value)


def has_type(schema: dict[str, Any], value: Any) -> bool:
    if "type" not in schema:
        return True
    kinds = TYPES[schema["type"]]
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def in_range(schema: dict[str, Any], value: Any) -> bool:
    if not isinstance(value, int | float):
        return True
    return (
        value >= schema.get("minimum", value)
        and value <= schema.get("maximum", value)
        and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
    )


def fits_inside(schema: dict[str, Any], value: Any) -> bool:
    if isinstance(value, list):
        items = schema.get("items", {})
        enough = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        return enough and (not isinstance(items, dict) or all(accepts(items, one) for one in value))
    if not isinstance(value, dict):
        return True
    least, most = schema.get("minProperties", 0), schema.get("maxProperties", len(value))
    if not (set(schema.get("required", ())) <= set(value) and least <= len(value) <= most):
        return False
    return all(accepts_key(schema, key, one) for key, one in value.items())


def accepts_key(schema: dict[str, Any], key: str, value: Any) -> bool:
    if key in schema.get("properties", {}):
        return accepts(schema["properties"][key], value)
    for pattern, inner in schema.get("patternProperties", {}).items():
        if re.search(pattern, key):
            return accepts(inner, value)
    others = schema.get("additionalProperties", {})
    return others is not False and accepts(others, value)


def test_it_is_json_of_known_keywords_and_every_reference_resolves() -> None:
    assert json.loads(json.dumps(SCHEMA, allow_nan=False)) == SCHEMA
    everything = list(subschemas(SCHEMA))
    assert len(everything) > 1_000
    assert {key for schema in everything for key in schema} <= KNOWN
    references = [schema["$ref"] for schema in everything if "$ref" in schema]
    assert len(references) > 10
    for reference in references:
        resolved(reference)


def test_every_definition_is_used() -> None:
    used = {schema["$ref"] for schema in subschemas(SCHEMA) if "$ref" in schema}
    assert {f"#/$defs/{name}" for name in SCHEMA["$defs"]} == used


def test_its_names_are_for_people() -> None:
    titles = {str(schema.get("title")) for schema in subschemas(SCHEMA)}
    assert not [title for title in titles if title.startswith("_")]


@pytest.mark.parametrize(
    ("entries", "where"),
    [
        (vocabulary.layers(), SCHEMA["$defs"]["layer"]),
        (vocabulary.augmentations(), SCHEMA["properties"]["augment"]["anyOf"][1]["items"]),
        (vocabulary.optimizers(), SCHEMA["$defs"]["TrainSpec"]["properties"]["optimizer"]),
    ],
    ids=["layers", "augmentations", "optimizers"],
)
def test_every_word_of_the_vocabulary_is_in(
    entries: dict[str, vocabulary.Entry], where: dict[str, Any]
) -> None:
    assert len(entries) >= 10
    maps = {
        next(iter(option["properties"])): next(iter(option["properties"].values()))
        for option in where["anyOf"]
        if "properties" in option
    }
    for name, entry in entries.items():
        assert accepts(where, name)
        assert set(maps[name]["anyOf"][0]["properties"]) == set(entry.arguments)


def test_every_key_of_the_spec_is_in_with_its_default() -> None:
    sections = {"data": "DataSpec", "model": "ModelSpec", "train": "TrainSpec"}
    assert set(SCHEMA["properties"]) == {*sections, "augment"} == set(Spec().model_dump())
    for section, definition in sections.items():
        keys = Spec().model_dump()[section]
        assert set(SCHEMA["$defs"][definition]["properties"]) == set(keys)


def test_it_accepts_every_template() -> None:
    assert len(TEMPLATES) == 6
    for path in TEMPLATES:
        assert accepts(SCHEMA, read_spec_text(path).values), path.stem


CONV = {"filters": 8, "kernel_size": 3}


@pytest.mark.parametrize(
    "item",
    [
        "flatten",
        {"flatten": None},
        {"dropout": 0.5},
        {"max_pooling2d": [3, 2]},
        {"conv2d": {**CONV, "padding": "same"}},
        {"repeat": 2, "layers": ["relu"]},
        {"residual": ["relu"], "shortcut": "conv"},
        {"residual": {"layers": [{"repeat": 2, "layers": ["relu"]}], "shortcut": "auto"}},
        {"branches": [["relu"], []], "merge": "add"},
        {"head": "none"},
        "Conv2D",
        "MaxPool2D",
        {"Conv2D": CONV},
    ],
)
def test_it_accepts_a_layer_as_the_loader_does(item: Any) -> None:
    assert accepts(SCHEMA, {"model": {"layers": [item]}})


@pytest.mark.parametrize(
    "spec",
    [
        {"trian": {}},
        {"train": {"learnig_rate": 0.1}},
        {"train": {"epochs": 1.5}},
        {"train": {"epochs": 0}},
        {"train": {"effort": "fast"}},
        {"train": {"optimizer": "adm"}},
        {"train": {"optimizer": {"sgd": {"momentun": 1}}}},
        {"train": {"loss": {"focl": {}}}},
        {"data": {"color": "gray"}},
        {"data": {"image_size": "224"}},
        {"data": {"split": {"val": 1}}},
        {"augment": "automatic"},
        {"augment": ["random_flop"]},
        {"augment": [{"conv2d": CONV}]},
        {"model": {"layers": "flatten"}},
        {"model": {"layers": ["relo"]}},
        {"model": {"layers": [{"conv2d": {"filters": 8, "kernal_size": 3}}]}},
        {"model": {"layers": [{"conv2d": {**CONV, "padding": "smae"}}]}},
        {"model": {"layers": [{"relu": None, "elu": None}]}},
        {"model": {"layers": [{"repeat": 0, "layers": ["relu"]}]}},
        {"model": {"layers": [{"repeat": 2}]}},
        {"model": {"layers": [{"conv2d": {"filters": 8}}]}},
        {"model": {"layers": [{"Conv2D": {**CONV, "pading": 1}}]}},
        {"model": {"layers": [{"branches": [["relu"]]}]}},
        {"data": {"image_size": 7}},
        {"data": {"image_size": [96]}},
        {"model": {"layers": [{"residual": ["relo"]}]}},
        {"model": {"layers": [{"residual": ["relu"], "shortcut": "con"}]}},
        {"model": {"layers": [{"branches": [["relo"], []]}]}},
        {"model": {"layers": [{"head": "softmax"}]}},
    ],
)
def test_it_rejects_a_broken_spec(spec: dict[str, Any]) -> None:
    assert not accepts(SCHEMA, spec)


@pytest.mark.parametrize("size", [224, [96, 128]])
def test_an_image_size_is_one_number_or_two(size: Any) -> None:
    assert accepts(SCHEMA, {"data": {"image_size": size}})
