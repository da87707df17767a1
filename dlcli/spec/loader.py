"""A spec file and `--set` options -> a Spec, or every fault at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dlcli.errors import SpecError, UsageError
from dlcli.spec.faults import Location, dotted, nearest, shown
from dlcli.spec.reader import SpecText, parse_value, read_spec_text
from dlcli.spec.schema import Spec


def load_spec(path: Path | None, overrides: Sequence[str] = ()) -> Spec:
    """The spec in `path` (None: all defaults) with `key=value` overrides laid over it.

    A relative data.folder counts from the file's own folder.

    Raises:
        SpecError: with every fault, each with its place, key, value and remedy.
        UsageError: for an override without `=`.
    """
    text = read_spec_text(path) if path else SpecText("", {})
    values = text.values
    overridden: dict[Location, str] = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        location = tuple(key.strip().split("."))
        if not equals or not all(location):
            raise UsageError(
                f"{override!r} sets nothing.", where="--set", fix="Write --set train.effort=quick"
            )
        try:
            values = _set(values, location, parse_value(value))
        except SpecError as error:
            reason = error.faults[0].removeprefix("--set:1:").partition(" ")[2] or error.faults[0]
            raise SpecError([f"--set {override}: {reason}"]) from error
        overridden[location] = f"--set {override}"
    try:
        spec = Spec.model_validate(values)
    except ValidationError as error:
        found = sorted(error.errors(), key=lambda details: text.line_of(details["loc"]))
        faults = [_sentence(details, text, overridden) for details in found]
        raise SpecError(faults) from error
    from_option = any(("data", "folder")[: len(key)] == key for key in overridden)
    return _place_folder(spec, None if from_option else path)


def _set(values: Any, location: Location, value: Any) -> Any:
    """A copy of nested maps with one value changed."""
    if not isinstance(values, dict):
        return values  # no map, which the check of the whole will say
    first, *rest = location
    if rest:
        value = _set(values.get(str(first), {}), tuple(rest), value)
    return {**values, str(first): value}


def _place_folder(spec: Spec, file: Path | None) -> Spec:
    """data.folder with `~` expanded, and counted from the folder of `file` where there is one."""
    if spec.data.folder is None:
        return spec
    try:
        folder = spec.data.folder.expanduser()
    except RuntimeError as error:
        raise SpecError(
            [f"data.folder {str(spec.data.folder)!r}: there is no such user"]
        ) from error
    if file is not None:
        folder = file.parent / folder
    return spec.model_copy(update={"data": spec.data.model_copy(update={"folder": folder})})


def _sentence(details: ErrorDetails, text: SpecText, overridden: dict[Location, str]) -> str:
    """`dlcli.yaml:14:5 train.epochs must be 1 or more, got 0`"""
    location = details["loc"]
    place = _option(location, text, overridden) or text.place(location)
    return f"{place} {dotted(location)} {_what(details, location)}"


def _option(location: Location, text: SpecText, overridden: dict[Location, str]) -> str | None:
    """The `--set` that made the value at `location`; None where it comes from the file."""
    for key, option in overridden.items():
        below = key[: len(location)] == location and location not in text.lines
        if below or location[: len(key)] == key:
            return f"{option}:"
    return None


def _what(details: ErrorDetails, location: Location) -> str:
    kind, context, value = details["type"], details.get("ctx", {}), shown(details["input"])
    if kind == "extra_forbidden":
        return "is no setting." + nearest(str(location[-1]), _keys_beside(location))
    if kind == "literal_error":
        choices = context["expected"].replace("'", "")
        known = choices.replace(" or ", ", ").split(", ")
        return f"must be {choices}, got {value}.{nearest(str(details['input']), known)}"
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"must be {words.format(context[key])}, got {value}"
    if kind == "value_error":
        return str(context["error"])
    expected = _EXPECTED.get(kind, details["msg"][:1].lower() + details["msg"][1:])
    return f"{expected}, got {value}"


_BOUNDS = {
    "greater_than_equal": ("ge", "{:g} or more"),
    "greater_than": ("gt", "more than {:g}"),
    "less_than_equal": ("le", "{:g} or less"),
    "less_than": ("lt", "less than {:g}"),
}
_EXPECTED = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be a text",
    "path_type": "must be a path",
    "model_type": "must be a map of settings",
    "model_attributes_type": "must be a map of settings",
}


def _keys_beside(location: Location) -> list[str]:
    """The settings valid where `location` stands."""
    section: Any = Spec
    for part in location[:-1]:
        section = section.model_fields[str(part)].annotation
    return list(section.model_fields) if issubclass(section, BaseModel) else []


def dump_spec(spec: Spec) -> str:
    """YAML that `load_spec` reads back as the same spec."""
    from io import StringIO

    from ruamel.yaml import YAML

    text = StringIO()
    YAML(typ="safe", pure=True).dump(spec.model_dump(mode="json"), text)
    return text.getvalue()
