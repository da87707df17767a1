"""A spec file and `--set` options -> a Spec, or every fault at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dlcli.errors import SpecError, UsageError
from dlcli.spec.faults import Fault, Location, dotted, shown
from dlcli.spec.reader import SpecText, parse_value, read_spec_text
from dlcli.spec.rules import check_rules
from dlcli.spec.schema import Spec
from dlcli.spec.schema_faults import schema_faults


@dataclass(frozen=True)
class SpecSource:
    """A valid spec, and where each of its settings comes from: `given` are the locations that the
    file or an option set."""

    spec: Spec
    given: frozenset[Location]
    text: SpecText
    overridden: dict[Location, str]

    def error(self, *faults: Fault) -> SpecError:
        """What was found wrong later, in the words and with the places of the loader."""
        return SpecError(_sentences(faults, self.text, self.overridden))


def load_spec(path: Path | None, overrides: Sequence[str] = ()) -> Spec:
    """The spec of `read_spec`, without its places."""
    return read_spec(path, overrides).spec


def read_spec(path: Path | None, overrides: Sequence[str] = ()) -> SpecSource:
    """The spec in `path` (None: all defaults) with `key=value` overrides laid over it.

    A relative data.folder or data.exclude counts from the file's own folder.

    Raises:
        SpecError: with every fault, each with its place, key, value and remedy.
        UsageError: for an override without `=`.
    """
    text = read_spec_text(path) if path else SpecText("", {})
    values = text.values
    overridden: dict[Location, str] = {}
    for override in overrides:
        location, value = _parse_override(override)
        values = _set(values, location, value, override)
        overridden[location] = f"--set {override}"
    spec, faults = _validate(values)
    if faults or spec is None:
        raise SpecError(_sentences(faults, text, overridden))
    spec = _place_files(spec, path, overridden)
    if path is not None and ("model", "weights") not in overridden:
        spec = _place_weights(spec, path)
    if path is not None and ("data", "split_from") not in overridden:
        spec = _place_run(spec, path)
    return SpecSource(spec, frozenset(_locations(values)), text, overridden)


def _validate(values: dict[str, Any]) -> tuple[Spec | None, list[Fault]]:
    """The spec in `values` and all faults: of the keys, and where the keys allow, between them."""
    try:
        spec = Spec.model_validate(values)
    except ValidationError as error:
        faults = schema_faults(error)
        return None, [*faults, *_faults_beside(values, faults)]
    given = set(_locations(values))
    found = list(check_rules(spec, given))
    if spec.model.layers is not None:
        weights = spec.model.weights if ("model", "weights") in given else "random"
        model = spec.model.model_copy(update={"backbone": None, "weights": weights})
        spec = spec.model_copy(update={"model": model})
    return spec, found


def _faults_beside(values: dict[str, Any], faults: Sequence[Fault]) -> list[Fault]:
    """What else is wrong where some keys are: the rest is checked with those left out."""
    rest: Any = values
    for fault in faults:
        rest = _without(rest, fault.location[:2])
    try:
        spec = Spec.model_validate(rest)
    except ValidationError:
        return []
    return list(check_rules(spec, set(_locations(rest)), {fault.location[:2] for fault in faults}))


def _without(values: Any, location: Location) -> Any:
    """A copy of nested maps without the node at `location`."""
    if not location or not isinstance(values, dict) or location[0] not in values:
        return values
    first, *rest = location
    others = {key: value for key, value in values.items() if key != first}
    if rest and isinstance(values[first], dict):
        return {**others, first: _without(values[first], tuple(rest))}
    return others


def _locations(values: dict[str, Any], above: Location = ()) -> Iterable[Location]:
    for key, value in values.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from _locations(value, (*above, key))


def _parse_override(override: str) -> tuple[Location, Any]:
    """`model.layers[3].dropout=0.5` as a location and a value."""
    key, equals, value = override.partition("=")
    parts = re.sub(r"\[(\d+)\]", r".\1", key.strip()).split(".")
    if not equals or not all(parts):
        raise UsageError(
            f"{override!r} sets nothing.", where="--set", fix="Write --set train.effort=quick"
        )
    location = tuple(int(part) if part.isdigit() else part for part in parts)
    try:
        return location, parse_value(value)
    except SpecError as error:
        reason = error.faults[0].removeprefix("--set:1:").partition(" ")[2] or error.faults[0]
        raise SpecError([f"--set {override}: {reason}"]) from error


def _set(values: Any, location: Location, value: Any, override: str, at: int = 0) -> Any:
    """A copy of nested maps and lists with the value at `location[at:]` changed."""
    first, is_last = location[at], at + 1 == len(location)
    if isinstance(values, list):
        if not isinstance(first, int) or first >= len(values):
            what = f"the list has the items 0 to {len(values) - 1}" if values else "it is empty"
            raise SpecError([f"--set {override}: there is no item {first}: {what}"])
        inner = value if is_last else _set(values[first], location, value, override, at + 1)
        return [*values[:first], inner, *values[first + 1 :]]
    if not isinstance(values, dict):
        above = dotted(location[:at])
        what = f"{above} is {shown(values)}, which holds no {first}: set {above} itself"
        raise SpecError([f"--set {override}: {what}"])
    below = values.get(str(first), {})
    inner = value if is_last else _set(below, location, value, override, at + 1)
    return {**values, str(first): inner}


def _place_files(spec: Spec, file: Path | None, overridden: Collection[Location]) -> Spec:
    """data.folder and data.exclude with `~` expanded, and counted from the folder of `file` where
    they stand in it."""
    placed = {}
    for key in ("folder", "exclude"):
        named: Path | None = getattr(spec.data, key)
        if named is None:
            continue
        try:
            placed[key] = named.expanduser()
        except RuntimeError as error:
            raise SpecError([f"data.{key} {str(named)!r}: there is no such user"]) from error
        from_option = any(("data", key)[: len(location)] == location for location in overridden)
        if file is not None and not from_option:
            placed[key] = file.parent / placed[key]
    return spec.model_copy(update={"data": spec.data.model_copy(update=placed)})


def _place_run(spec: Spec, file: Path) -> Spec:
    """data.split_from counted from the folder of `file`, where it names something there."""
    named = spec.data.split_from
    if named is None or not (file.parent / named).exists():
        return spec
    data = spec.data.model_copy(update={"split_from": str(file.parent / named)})
    return spec.model_copy(update={"data": data})


def _place_weights(spec: Spec, file: Path) -> Spec:
    """model.weights counted from the folder of `file`, where it names something there."""
    beside = file.parent / spec.model.weights
    if spec.model.weights in ("imagenet", "random") or not beside.exists():
        return spec
    model = spec.model.model_copy(update={"weights": str(beside)})
    return spec.model_copy(update={"model": model})


def _sentences(
    faults: Sequence[Fault], text: SpecText, overridden: dict[Location, str]
) -> list[str]:
    """`dlcli.yaml:14:5 train.epochs must be 1 or more, got 0`, in the order of the file."""
    ordered = sorted(faults, key=lambda fault: text.line_of(fault.location))
    sentences = []
    for fault in ordered:
        origin = _option(fault.location, text, overridden) or text.place(fault.location)
        sentences.append(f"{origin} {dotted(fault.location)} {fault.what}")
    return list(dict.fromkeys(sentences))


def _option(location: Location, text: SpecText, overridden: dict[Location, str]) -> str | None:
    """The `--set` that made the value at `location`; None where it comes from the file."""
    for key, option in overridden.items():
        below = key[: len(location)] == location and location not in text.lines
        if below or location[: len(key)] == key:
            return f"{option}:"
    return None


def dump_spec(spec: Spec) -> str:
    """YAML that `load_spec` reads back as the same spec."""
    from io import StringIO

    from ruamel.yaml import YAML

    text = StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    # A list of layers has dropout of its own, and is refused beside the backbone's.
    idle: Any = {"model": {"dropout"}} if spec.model.layers is not None else None
    yaml.dump(spec.model_dump(mode="json", exclude_none=True, exclude=idle), text)
    return text.getvalue()
