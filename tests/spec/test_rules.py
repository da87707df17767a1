"""What one setting asks of another."""

from __future__ import annotations

from typing import Any

import pytest

from dlcli.spec.faults import Location
from dlcli.spec.rules import check_rules
from dlcli.spec.schema import Spec


def locations(values: Any, above: Location = ()) -> set[Location]:
    found = set()
    for key, value in values.items() if isinstance(values, dict) else ():
        found |= {(*above, key), *locations(value, (*above, key))}
    return found


def faults(values: dict[str, Any]) -> dict[str, str]:
    """Each fault's sentence by its place."""
    found = check_rules(Spec.model_validate(values), locations(values))
    return {".".join(map(str, fault.location)): fault.what for fault in found}


RANDOM = {"weights": "random"}
LAYERS = {"layers": ["flatten"]}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"model": RANDOM},
        {"model": LAYERS},
        {"model": {**LAYERS, "weights": "a-run"}},
        {"model": {**LAYERS, "weights": "random"}},
        {"model": {**LAYERS}, "data": {"color": "grayscale", "image_size": 8}},
        {"model": RANDOM, "augment": [{"random_flip": "horizontal"}], "train": {"epochs": 3}},
        {"model": LAYERS, "augment": ["random_flip"], "train": {"schedule": "constant"}},
        {"model": RANDOM, "train": {"optimizer": {"sgd": {"momentum": 0.9}}}},
        {"augment": "none", "train": {"seed": 5, "precision": "float32"}},
        {"data": {"image_size": 32}},
        {"model": {"body": "int8"}},
        {"model": {"body": "int8", "weights": "my.weights.h5", "backbone": "vgg16"}},
        {"model": {"body": "int8", "weights": "a-run"}},
        {"train": {"epochs": 30, "optimizer": "adamw", "schedule": "cosine", "mix": "none"}},
    ],
    ids=str,
)
def test_settings_that_go_together(values: dict[str, Any]) -> None:
    assert faults(values) == {}


NEEDS_TRAINING: dict[str, Any] = {
    "train.epochs": 3,
    "train.batch_size": 8,
    "train.optimizer": "sgd",
    "train.learning_rate": 1e-3,
    "train.schedule": "constant",
    "train.label_smoothing": 0.2,
    "train.early_stopping": "none",
    "model.dropout": 0.5,
}


@pytest.mark.parametrize(("key", "value"), NEEDS_TRAINING.items())
def test_what_a_head_alone_does_not_know_is_refused_and_with_all_layers_taken(
    key: str, value: Any
) -> None:
    section, name = key.split(".")
    quick: dict[str, Any] = {"train": {"effort": "quick"}}
    quick.setdefault(section, {})[name] = value
    (place,) = faults(quick)
    assert place == key
    values = {"model": dict(RANDOM)}
    values.setdefault(section, {})[name] = value
    assert faults(values) == {}


@pytest.mark.parametrize("model", [RANDOM, LAYERS, {**LAYERS, "weights": "a-run"}], ids=str)
def test_a_body_that_is_trained_is_float32(model: dict[str, Any]) -> None:
    (place,) = faults({"model": {**model, "body": "int8"}}).items()
    assert place[0] == "model.body"
    assert place[1].startswith("must be float32 where layers are trained")


def test_a_list_of_augmentations_is_for_layers_that_are_trained() -> None:
    flips: dict[str, Any] = {"augment": ["random_flip"]}
    assert list(faults({**flips, "train": {"effort": "quick"}})) == ["augment"]
    assert faults(flips) == {}


def test_the_head_of_ones_own_must_give_probabilities() -> None:
    def ending(*items: Any) -> dict[str, str]:
        return faults({"model": {"layers": ["flatten", *items, {"head": "none"}]}})

    assert ending({"dense": {"units": 3, "activation": "softmax"}}) == {}
    assert ending({"dense": 3}, "softmax") == {}
    what = "must give probabilities before head: none: add activation: softmax"
    assert ending({"dense": 3}) == {"model.layers.1": what}
    assert ending({"residual": ["relu"]}) == {"model.layers.1": what}


def test_the_channels_follow_the_color() -> None:
    values = {"model": {"layers": [{"rescaling": [1, 2, 3]}, "flatten"]}}
    assert faults(values) == {}
    grey = faults({**values, "data": {"color": "grayscale"}})
    assert grey == {
        "model.layers.0.rescaling.scale": "must be a number or a list of 1, got a list of 3"
    }


def test_nothing_is_said_that_a_fault_elsewhere_might_explain() -> None:
    spec = Spec.model_validate(
        {"train": {"epochs": 3, "effort": "quick"}, "augment": ["random_flop"]}
    )
    given: set[Location] = {("train", "epochs"), ("augment",)}
    everything = [fault.location for fault in check_rules(spec, given)]
    assert everything == [("augment", 0), ("train", "epochs"), ("augment",)]
    left = [fault.location for fault in check_rules(spec, given, {("model", "layrs")})]
    assert left == [("augment", 0)]
