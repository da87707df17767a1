"""The spec's keys, ranges and defaults."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from dlcli.spec.schema import (
    LEAST_IMAGE_SIZE,
    MOST_IMAGE_SIZE,
    DataSpec,
    ModelSpec,
    Spec,
    SplitSpec,
    TrainSpec,
)

DEFAULTS = {
    "data": {
        "folder": None,
        "exclude": None,
        "image_size": (224, 224),
        "resize": "crop",
        "color": "rgb",
        "split": {"val": 0.15, "test": 0.15, "seed": 0},
        "split_from": None,
        "unreadable": "skip",
    },
    "model": {
        "backbone": "efficientnet-lite0",
        "weights": "imagenet",
        "body": "float32",
        "pooling": "auto",
        "dropout": 0.2,
        "layers": None,
    },
    "augment": "auto",
    "train": {
        "effort": "balanced",
        "stages": "auto",
        "epochs": 30,
        "batch_size": "auto",
        "optimizer": "adamw",
        "learning_rate": "auto",
        "schedule": "cosine",
        "loss": "cross_entropy",
        "label_smoothing": 0.1,
        "class_weights": "none",
        "mix": "none",
        "early_stopping": {"monitor": "val_loss", "patience": 5},
        "ema": "none",
        "precision": "auto",
        "seed": 0,
        "max_time": "none",
    },
}


def test_every_key_has_the_default_that_is_documented() -> None:
    assert Spec().model_dump() == DEFAULTS


def test_the_defaults_are_valid_themselves() -> None:
    given = {**DEFAULTS, "data": {**DEFAULTS["data"], "image_size": [224, 224]}}  # type: ignore[dict-item]
    assert Spec.model_validate(given) == Spec()


@pytest.mark.parametrize(
    ("given", "image_size"),
    [
        (224, (224, 224)),
        ([96, 128], (96, 128)),
        (LEAST_IMAGE_SIZE, (8, 8)),
        (MOST_IMAGE_SIZE, (1024, 1024)),
    ],
)
def test_one_number_is_a_square_and_two_are_height_and_width(
    given: object, image_size: tuple[int, int]
) -> None:
    assert DataSpec.model_validate({"image_size": given}).image_size == image_size


@pytest.mark.parametrize(
    "given", [7, 1025, 0, -224, 224.0, "224", True, None, [224], [1, 2, 3], [64, 2000], {"a": 1}]
)
def test_an_impossible_image_size_is_refused(given: object) -> None:
    with pytest.raises(ValidationError, match=r"8-1024, got"):
        DataSpec.model_validate({"image_size": given})


@pytest.mark.parametrize(("val", "test"), [(0.5, 0.5), (0.9, 0.2), (0.99, 0.99)])
def test_a_split_must_leave_something_for_training(val: float, test: float) -> None:
    with pytest.raises(ValidationError, match="must leave some for training, but val \\+ test is"):
        SplitSpec(val=val, test=test)


def test_a_split_without_test_is_allowed() -> None:
    assert SplitSpec(val=0.2, test=0).test == 0


@pytest.mark.parametrize("val", [0, 1, -0.1, float("nan"), float("inf"), "0.2", True])
def test_a_share_of_val_lies_between_0_and_1(val: object) -> None:
    with pytest.raises(ValidationError, match="val"):
        SplitSpec.model_validate({"val": val})


@pytest.mark.parametrize(
    "given",
    [
        {"epochs": 1},
        {"epochs": 100_000},
        {"batch_size": 1},
        {"learning_rate": 1e-3},
        {"learning_rate": 1},
        {"label_smoothing": 0},
        {"optimizer": {"sgd": {"momentum": 0.9}}},
        {"schedule": "one_cycle"},
        {"schedule": {"exponential": {"decay_rate": 1}}},
        {"loss": {"focal": {"gamma": 0}}},
        {"loss": {"focal": {}}},
        {"class_weights": "balanced"},
        {"class_weights": {"no": 2.0, "yes": 1}},
        {"mix": {"mixup": 0.2}},
        {"mix": {"cutmix": 1}},
        {"early_stopping": "none"},
        {"early_stopping": {"monitor": "val_accuracy"}},
        {"ema": 0.999},
        {"max_time": "10m"},
        {"max_time": "1h30m"},
        {"max_time": "1.5h"},
        {"stages": [{"trainable": "head"}]},
        {"stages": [{"trainable": {"last": 3}, "epochs": 2, "learning_rate": 1e-4}]},
        {"stages": [{"trainable": "all", "learning_rate": "auto"}]},
        {"stages": [{"trainable": {"last": 3}, "layer_decay": 0.8}]},
        {"stages": [{"trainable": "all", "layer_decay": 1}]},
    ],
    ids=str,
)
def test_what_train_takes(given: dict[str, Any]) -> None:
    (key,) = given
    found = TrainSpec.model_validate(given).model_dump()[key]
    assert found == given[key] or isinstance(found, dict | list)


@pytest.mark.parametrize(
    "given",
    [
        {"epochs": True},
        {"epochs": 2.0},
        {"epochs": "3"},
        {"epochs": None},
        {"batch_size": 0},
        {"batch_size": True},
        {"learning_rate": float("nan")},
        {"learning_rate": True},
        {"learning_rate": "1e-3"},
        {"label_smoothing": 1},
        {"class_weights": {"no": 0}},
        {"class_weights": {"no": float("inf")}},
        {"mix": {}},
        {"mix": {"mixup": 0.2, "cutmix": 0.2}},
        {"ema": 0},
        {"ema": True},
        {"max_time": "10"},
        {"max_time": "m"},
        {"max_time": 10},
        {"stages": []},
        {"stages": [{}]},
        {"stages": [{"trainable": {"last": 0}}]},
        {"stages": [{"trainable": {"last": 1, "first": 1}}]},
        {"seed": -1},
        {"seed": 2**32},
    ],
    ids=str,
)
def test_what_train_does_not_take(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TrainSpec.model_validate(given)


@pytest.mark.parametrize(
    ("model", "begins_trained"),
    [
        ({}, True),
        ({"weights": "a-run"}, True),
        ({"weights": "random"}, False),
        ({"layers": ["flatten"]}, False),
    ],
)
def test_a_backbone_begins_trained_where_its_weights_are(
    model: dict[str, Any], begins_trained: bool
) -> None:
    assert Spec(model=ModelSpec.model_validate(model)).begins_trained is begins_trained


@pytest.mark.parametrize(
    ("model", "train", "head_only"),
    [
        ({}, {"effort": "quick"}, True),
        ({}, {}, False),
        ({"weights": "random"}, {"effort": "quick"}, False),
        ({"body": "int8"}, {}, True),
        ({}, {"stages": [{"trainable": "head"}]}, True),
        ({}, {"effort": "quick", "stages": [{"trainable": {"last": 1}}]}, False),
    ],
)
def test_a_body_surely_stays_as_it_is_where_nothing_asks_for_more(
    model: dict[str, Any], train: dict[str, Any], head_only: bool
) -> None:
    spec = Spec(model=ModelSpec.model_validate(model), train=TrainSpec.model_validate(train))
    assert spec.trains_head_only is head_only


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Spec().train.effort = "quick"  # type: ignore[misc]


def test_what_is_given_is_not_converted() -> None:
    with pytest.raises(ValidationError, match="seed"):
        SplitSpec.model_validate({"seed": "1"})
