"""train.optimizer: a name or a one-key map."""

from __future__ import annotations

from typing import Any

import pytest

from dlcli.spec import vocabulary
from dlcli.spec.optimizers import check_optimizer, read_optimizer

AT = ("train", "optimizer")


@pytest.mark.parametrize(
    ("value", "keras", "arguments"),
    [
        ("adamw", "AdamW", {}),
        ("SGD", "SGD", {}),
        ({"sgd": None}, "SGD", {}),
        (
            {"sgd": {"momentum": 0.9, "nesterov": True}},
            "SGD",
            {"momentum": 0.9, "nesterov": True},
        ),
        ({"AdamW": {"weight_decay": 1e-4}}, "AdamW", {"weight_decay": 1e-4}),
        ({"adam": {"clipnorm": 1}}, "Adam", {"clipnorm": 1.0}),
    ],
)
def test_an_optimizer_is_a_name_or_a_map_of_it(
    value: Any, keras: str, arguments: dict[str, Any]
) -> None:
    assert check_optimizer(value, AT) == []
    assert read_optimizer(value) == (keras, arguments)


def test_every_optimizer_can_be_named() -> None:
    assert len(vocabulary.optimizers()) >= 10
    for name, entry in vocabulary.optimizers().items():
        assert check_optimizer(name, AT) == []
        assert read_optimizer(name)[0] == entry.keras


ONE = "must be a name, or a map with one name in it, got"


@pytest.mark.parametrize(
    ("value", "place", "what"),
    [
        ("adm", "", "is no optimizer: got 'adm'. Did you mean adam?"),
        ("", "", "is no optimizer: got ''. Known: "),
        ({"sgdd": {}}, "sgdd", "is no optimizer: got 'sgdd'. Did you mean sgd?"),
        ({}, "", f"{ONE} {{}}"),
        ({"sgd": {}, "adam": {}}, "", f"{ONE} {{'sgd': {{}}, 'adam': {{}}}}"),
        ({"sgd": {"momentun": 1}}, "sgd.momentun", "is no argument of SGD. Did you mean momentum?"),
        ({"sgd": {"momentum": 2}}, "sgd.momentum", "must be a number from 0 to 1, got 2"),
        ({"sgd": {"momentum": float("nan")}}, "sgd.momentum", "must be a finite number, got nan"),
        ({"sgd": {"nesterov": "yes"}}, "sgd.nesterov", "must be true or false, got 'yes'"),
        ({"sgd": {"learning_rate": 1}}, "sgd.learning_rate", "is set by train.learning_rate"),
        (
            {"sgd": 0.1},
            "sgd",
            "takes a map of arguments, got 0.1: its learning rate is train.learning_rate",
        ),
        (
            {"adamw": {"clipnorm": 1, "clipvalue": 1}},
            "adamw.clipnorm",
            "and clipvalue must not both be given",
        ),
    ],
)
def test_a_faulty_optimizer(value: Any, place: str, what: str) -> None:
    (found,) = check_optimizer(value, AT)
    assert found.location[:2] == AT
    assert ".".join(map(str, found.location[2:])) == place
    assert found.what.startswith(what)


def test_all_faults_of_an_optimizer_are_told() -> None:
    found = check_optimizer({"sgd": {"momentum": -1, "nesterof": True}}, AT)
    assert [fault.location[-1] for fault in found] == ["momentum", "nesterof"]


def test_an_optimizer_that_was_not_checked_is_an_error() -> None:
    with pytest.raises(ValueError, match="'adm' is no optimizer"):
        read_optimizer("adm")
