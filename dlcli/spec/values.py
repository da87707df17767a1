"""One value of an argument, by the argument's type: from YAML to what Keras takes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from dlcli.spec import vocabulary
from dlcli.spec.faults import nearest, shown
from dlcli.spec.vocabulary import Argument

MOST_WHOLE = 2**31 - 1
"""Above it TensorFlow's sizes and axes overflow."""


class RefusedError(Exception):
    """A value that an argument does not take, with a sentence that goes on from its place."""


class _WrongError(Exception):
    """`words` say what it must be, where they are not those of its type."""

    def __init__(self, words: str | None = None) -> None:
        self.words = words
        super().__init__(words)


def check_value(argument: Argument, value: Any) -> Any:
    """A raw value of YAML as Keras takes it.

    Raises:
        RefusedError: where it is no value of the argument's type, or not in its range.
    """
    words, check = _CHECKS[argument.type]
    try:
        return check(argument, value)
    except _WrongError as error:
        must = error.words or words.format(range=_range(argument))
        what = f"must be {must}, got {shown(value)}{_hint(argument, value)}"
        raise RefusedError(what) from None


def listed(words: Sequence[str], joint: str) -> str:
    """`valid, same or causal`"""
    return f" {joint} ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _hint(argument: Argument, value: Any) -> str:
    known = vocabulary.activations() if argument.type == "activation" else argument.choices
    if not known or not isinstance(value, str):
        return ""
    hint = nearest(value, known)
    return f".{hint}" if "Did you mean" in hint or argument.type == "activation" else ""


def _range(argument: Argument) -> str:
    if argument.least is not None and argument.most is not None:
        return f" from {argument.least:g} to {argument.most:g}"
    bounds = (
        (argument.least, "{:g} or more"),
        (argument.above, "more than {:g}"),
        (argument.most, "{:g} or less"),
        (argument.below, "less than {:g}"),
    )
    said = [words.format(bound) for bound, words in bounds if bound is not None]
    return f" of {' and '.join(said)}" if said else ""


def _require(condition: bool, words: str | None = None) -> None:
    if not condition:
        raise _WrongError(words)


def _require_range(argument: Argument, value: float) -> None:
    _require(argument.least is None or value >= argument.least)
    _require(argument.most is None or value <= argument.most)
    _require(argument.above is None or value > argument.above)
    _require(argument.below is None or value < argument.below)


def _truth(argument: Argument, value: Any) -> bool:  # noqa: ARG001
    _require(type(value) is bool)
    return bool(value)


def _whole(argument: Argument, value: Any) -> int:
    _require(type(value) is int)
    _require_range(argument, value)
    _require(abs(value) <= MOST_WHOLE, f"{MOST_WHOLE:,} or less")
    return int(value)


def _number(argument: Argument, value: Any) -> float:
    _require(type(value) in (int, float))
    try:
        number = float(value)
    except OverflowError:
        raise _WrongError("a finite number") from None
    _require(math.isfinite(number), "a finite number")
    _require_range(argument, number)
    return number


def _several(one: Callable[[Argument, Any], Any], count: int | None = None) -> Any:
    """A check of one value or a list of `count` (None: any number but 0) of them."""

    def check(argument: Argument, value: Any) -> Any:
        if not isinstance(value, list):
            return one(argument, value)
        _require(bool(value) if count is None else len(value) == count)
        return [one(argument, each) for each in value]

    return check


def _odd(argument: Argument, value: Any) -> int:
    _require(_whole(argument, value) % 2 == 1)
    return int(value)


def _edge(argument: Argument, value: Any) -> int:
    _require(type(value) is int and value >= 0)
    return _whole(argument, value)


def _edges2d(argument: Argument, value: Any) -> Any:
    """A number for all four edges, [rows, columns] or [[top, bottom], [left, right]]."""
    if isinstance(value, list):
        nested = sum(isinstance(each, list) for each in value)
        _require(len(value) == 2 and nested in (0, 2))
        if nested:
            return [_several(_edge, 2)(argument, each) for each in value]
    return _several(_edge, 2)(argument, value)


def _axis(argument: Argument, value: Any) -> int:
    _require(_whole(argument, value) != 0)
    return int(value)


def _order(argument: Argument, value: Any) -> list[int]:  # noqa: ARG001
    _require(isinstance(value, list) and all(type(axis) is int for axis in value))
    _require(bool(value) and sorted(value) == list(range(1, len(value) + 1)))
    return list(value)


def _shape(argument: Argument, value: Any) -> list[int]:
    _require(isinstance(value, list) and bool(value))
    _require(all(type(side) is int and (side > 0 or side == -1) for side in value))
    _require(value.count(-1) <= 1)
    return [_whole(argument, side) for side in value]


def _open_shape(argument: Argument, value: Any) -> list[int | None]:
    sides = value if isinstance(value, list) else [value]
    _require(bool(sides) and sides != [None])
    _require(all(side is None or (type(side) is int and side > 0) for side in sides))
    return [side if side is None else _whole(argument, side) for side in sides]


def _tiles(argument: Argument, value: Any) -> list[int]:
    """Always two numbers: Keras fails on one."""
    found: Any = _several(_whole, 2)(argument, value)
    return found if isinstance(found, list) else [found, found]


def _choice(argument: Argument, value: Any) -> str:
    _require(value in argument.choices, listed(argument.choices, "or"))
    return str(value)


def _activation(argument: Argument, value: Any) -> str:  # noqa: ARG001
    _require(isinstance(value, str) and value in vocabulary.activations())
    return str(value)


def _text(pattern: str) -> Callable[[Argument, Any], str]:
    def check(argument: Argument, value: Any) -> str:  # noqa: ARG001
        _require(isinstance(value, str) and re.fullmatch(pattern, value) is not None)
        return str(value)

    return check


_CHECKS: dict[str, tuple[str, Callable[[Argument, Any], Any]]] = {
    "activation": ("an activation", _activation),
    "axes": ("a whole number{range} but not 0, the batch, or a list of them", _several(_axis)),
    "axis": ("a whole number{range} but not 0, the batch", _axis),
    "bool": ("true or false", _truth),
    "choice": ("", _choice),
    "count": ("a whole number{range}", _whole),
    "equation": (
        "an equation such as ab,bc->ac",
        _text(r"(\.{3})?[a-zA-Z]+(\.{3})?,[a-zA-Z]+->(\.{3})?[a-zA-Z]+(\.{3})?"),
    ),
    "factor": ("a number{range}, or a list of two, lowest and highest", _several(_number, 2)),
    "int": ("a whole number{range}", _whole),
    "letters": ("letters of the equation", _text("[a-zA-Z]+")),
    "name": (
        "a text of letters, digits, _ and -, beginning with a letter",
        _text("[A-Za-z][A-Za-z0-9_-]{0,99}"),
    ),
    "number": ("a number{range}", _number),
    "numbers": ("a number{range}, or a list of them", _several(_number)),
    "odd_size2": ("an odd number{range}, or a list of 2 of them", _several(_odd, 2)),
    "open_shape": ("a list of whole numbers of 1 or more and null", _open_shape),
    "order": ("a list of the whole numbers from 1 on, each once", _order),
    "padding1": ("a whole number of 0 or more, or [left, right]", _several(_edge, 2)),
    "padding2": (
        "a whole number of 0 or more, [rows, columns] or [[top, bottom], [left, right]]",
        _edges2d,
    ),
    "shape": ("a list of whole numbers of 1 or more, one of which may be -1", _shape),
    "share": ("a number{range}", _number),
    "size1": ("a whole number{range}", _several(_whole, 1)),
    "size2": ("a whole number{range}, or a list of 2 of them", _several(_whole, 2)),
    "tiles": ("a whole number{range}, or a list of 2 of them", _tiles),
    "weight_axes": ("a whole number{range}, or a list of them", _several(_whole)),
    "whole_factor": (
        "a whole number{range}, or a list of two, lowest and highest",
        _several(_whole, 2),
    ),
}
