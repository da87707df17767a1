"""YAML text -> plain values, and the line and column of every node."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from dlcli.errors import SpecError, UsageError
from dlcli.spec.faults import Location, shown

MAX_BYTES, MAX_DEPTH, MAX_NODES = 200_000, 32, 20_000
_REMEDIES = {
    r"found character '\\t'": "a tab: YAML is indented with spaces",
    r"found character '(.)'": "a text cannot begin with {0}: quote it",
    r'found duplicate key "(.*?)" with value': "the key {0} stands twice: leave one out",
    r"found unknown escape": "a \\ begins an escape in double quotes: use single quotes",
    r"found undefined alias '(.*)'": "the alias *{0} has no anchor &{0} above it",
    r"found unexpected end of stream": "a quote is not closed",
    r"another document": "a second document begins: a spec is one, without ---",
    r"expected ',' or '(.)'": "a comma or the closing {0} is missing before this",
    r"expected <block end>": "this does not line up: indent the keys of one map alike",
    r"mapping values are not": "no key fits here: see the ':' and the indentation above, and "
    "quote a text that holds ': '",
    r"sequence entries are not": "no list begins here: give it a line of its own",
    r"could not find expected ':'": "a key without ':' stands above this",
}
"""What the parser says (a regular expression), and how to mend it."""


@dataclass(frozen=True)
class SpecText:
    """The values of a spec file, and where each key begins: `lines[("train", "epochs")]` is
    (line, column), counted from 1."""

    name: str
    values: dict[str, Any]
    lines: dict[Location, tuple[int, int]] = field(default_factory=dict)

    def place(self, location: Location) -> str:
        """`file:line:column` of a key, or of the nearest one above it."""
        line, column = self.line_of(location)
        return f"{self.name}:{line}:{column}"

    def line_of(self, location: Location) -> tuple[int, int]:
        """(line, column) of a key, or of the nearest one above it; (1, 1) for none."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, (1, 1))


def read_spec_text(path: Path) -> SpecText:
    """Reads a YAML 1.2 file.

    Raises:
        UsageError: if there is no such file.
        SpecError: if it is no YAML, holds a key twice, or is no map.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"cannot be read: {error.strerror}.", where=str(path), fix="Name a .yaml file."
        ) from error
    if len(content) > MAX_BYTES:
        raise SpecError([f"{path}: more than {MAX_BYTES:,} bytes are no spec: name another file"])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"this is no UTF-8 text (byte {error.start}): save it as UTF-8"
        raise SpecError([f"{path}: {what}"]) from error
    return _parse(str(path), text)


def _parse(name: str, text: str) -> SpecText:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        _refuse_endless(name, YAML(typ="rt").parse(StringIO(text)))
        document = YAML(typ="rt").load(StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        problem = error.problem or error.context or "this is no YAML"
        raise SpecError([f"{place} {_remedy(problem)}"]) from error
    except (YAMLError, ValueError, RecursionError) as error:
        said = str(error).strip() or type(error).__name__
        raise SpecError([f"{name}: this is no YAML ({said.splitlines()[0]})"]) from error
    if document is None:
        return SpecText(name, {})
    lines: dict[Location, tuple[int, int]] = {}
    try:
        values = _plain(document, (), lines)
    except RecursionError as error:
        raise SpecError(
            [f"{name}: anchors and aliases make this endless or huge: write it out"]
        ) from error
    if not isinstance(values, dict):
        what = f"a spec is a map of data, model, augment and train, got {shown(values)}"
        raise SpecError([f"{name}:1:1 {what}"])
    return SpecText(name, values, lines)


def _remedy(problem: str) -> str:
    for pattern, words in _REMEDIES.items():
        found = re.search(pattern, problem, re.DOTALL)
        if found:
            return words.format(*found.groups())
    return problem.split("\n", maxsplit=1)[0]


def _refuse_endless(name: str, events: Iterable[Any]) -> None:
    """Ends early on what would take long (nesting without need, an alias inside its own anchor) and
    on tags, which make of a value what no setting takes."""
    opened: list[str | None] = []
    for event in events:
        kind = type(event).__name__
        place = f"{name}:{event.start_mark.line + 1}:{event.start_mark.column + 1}"
        tag = getattr(event, "tag", None)
        if tag is not None:
            short = tag.replace("tag:yaml.org,2002:", "!!")
            raise SpecError([f"{place} a spec takes no tags, got {short}: write the value alone"])
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            opened.append(event.anchor)
            if len(opened) > MAX_DEPTH:
                raise SpecError([f"{place} nested more than {MAX_DEPTH} deep"])
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            opened.pop()
        elif kind == "AliasEvent" and event.anchor in opened:
            raise SpecError([f"{place} the alias *{event.anchor} stands inside its own anchor"])


def _plain(node: Any, location: Location, lines: dict[Location, tuple[int, int]]) -> Any:
    """ruamel's nodes as dicts, lists and scalars of Python, their places written into `lines`.

    Aliases can make a tree endless or far larger than its text: RecursionError ends both.
    """
    if len(location) > MAX_DEPTH or len(lines) > MAX_NODES:
        raise RecursionError
    if isinstance(node, dict):
        values = {}
        for key, value in node.items():
            own = (*location, str(key))
            # A key merged from an anchor has no place of its own: the map's stands for it.
            with contextlib.suppress(KeyError, TypeError):
                line, column = node.lc.key(key)  # type: ignore[attr-defined]
                lines[own] = (line + 1, column + 1)
            values[str(key)] = _plain(value, own, lines)
        return values
    if isinstance(node, list):
        items = []
        for number, value in enumerate(node):
            line, column = node.lc.item(number)  # type: ignore[attr-defined]
            lines[(*location, number)] = (line + 1, column + 1)
            items.append(_plain(value, (*location, number), lines))
        return items
    for scalar in (bool, int, float, str):
        if isinstance(node, scalar):
            return scalar(node)
    return str(node) if isinstance(node, datetime.date) else node  # a folder may be named so


def parse_value(text: str) -> Any:
    """One YAML value, as on the right of `--set key=value`.

    Raises:
        SpecError: if it is none, or more than one.
    """
    values = _parse("--set", f"value: {text}").values
    if set(values) != {"value"}:
        raise SpecError(["a value ends with its line"])
    return values["value"]
