"""The spec's keys, ranges and defaults."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from dlcli.spec.schema import LEAST_IMAGE_SIZE, MOST_IMAGE_SIZE, DataSpec, Spec, SplitSpec


def test_every_key_has_the_default_that_is_documented() -> None:
    assert Spec().model_dump() == {
        "data": {
            "folder": None,
            "image_size": (224, 224),
            "resize": "crop",
            "split": {"val": 0.15, "test": 0.15, "seed": 0},
            "unreadable": "skip",
        },
        "model": {"backbone": "efficientnet-lite0", "weights": "imagenet"},
        "train": {"effort": "quick"},
    }


@pytest.mark.parametrize(
    ("given", "image_size"),
    [
        (224, (224, 224)),
        ([96, 128], (96, 128)),
        (LEAST_IMAGE_SIZE, (32, 32)),
        (MOST_IMAGE_SIZE, (1024, 1024)),
    ],
)
def test_one_number_is_a_square_and_two_are_height_and_width(
    given: object, image_size: tuple[int, int]
) -> None:
    assert DataSpec.model_validate({"image_size": given}).image_size == image_size


@pytest.mark.parametrize(
    "given", [31, 1025, 0, -224, 224.0, "224", True, None, [224], [1, 2, 3], [64, 2000], {"a": 1}]
)
def test_an_impossible_image_size_is_refused(given: object) -> None:
    with pytest.raises(ValidationError, match=r"32-1024, got"):
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


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Spec().train.effort = "quick"  # type: ignore[misc]


def test_what_is_given_is_not_converted() -> None:
    with pytest.raises(ValidationError, match="seed"):
        SplitSpec.model_validate({"seed": "1"})
