"""Augmentation: Keras layers for the training side alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcli import backend
from dlcli.spec import vocabulary


@pytest.fixture(scope="module", autouse=True)
def keras() -> Any:
    backend.prepare()
    return backend.keras


def pixels() -> Any:
    return np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype(np.float32)


@pytest.mark.parametrize("augment", ["none", "auto"])
def test_a_word_alone_gives_no_layers(augment: str) -> None:
    from dlcli.training.augment import augmentation_layers

    assert augmentation_layers(augment) == []


def test_layers_come_in_order_with_their_arguments() -> None:
    from dlcli.training.augment import augmentation_layers

    flip, shift = augmentation_layers(
        ["random_flip", {"random_translation": {"height_factor": 0.5, "width_factor": 0}}]
    )
    assert [flip.name, shift.name] == ["augment_0", "augment_1"]
    assert type(flip).__name__ == "RandomFlip"
    seen = pixels()
    assert not np.array_equal(shift(seen, training=True), seen)
    np.testing.assert_array_equal(shift(seen, training=False), seen)


def test_brightness_knows_that_pixels_go_up_to_255() -> None:
    from dlcli.training.augment import augmentation_layers

    (layer,) = augmentation_layers([{"random_brightness": 0.5}])
    changed = np.asarray(layer(pixels(), training=True))
    assert changed.max() <= 255
    assert np.abs(changed - pixels()).max() > 2


@pytest.mark.slow
def test_every_augmentation_keeps_pixels_within_their_range() -> None:
    from dlcli.training.augment import augmentation_layers

    needed: dict[str, Any] = {
        "random_posterization": {"factor": 4},
        "random_crop": {"height": 16, "width": 16},
        "random_translation": {"height_factor": 0.1, "width_factor": 0.1},
    }
    tried = 0
    for name, entry in vocabulary.augmentations().items():
        required = [arg.name for arg in entry.arguments.values() if arg.required]
        arguments = needed.get(name) or dict.fromkeys(required, 0.5)
        (layer,) = augmentation_layers([{name: arguments}])
        changed = np.asarray(layer(pixels(), training=True))
        assert changed.shape == (2, 16, 16, 3), name
        assert changed.min() >= -1, name
        assert changed.max() <= 256, name
        tried += 1
    assert tried >= 20
