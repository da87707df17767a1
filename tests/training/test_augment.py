"""Augmentation: Keras layers for the training side alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcli import backend
from dlcli.spec import vocabulary
from tests.training.pictures import ArrayBatches
from tests.training.small_fits import Fitted, small_fit


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


ARGUMENTS: dict[str, dict[str, Any]] = {
    "random_color_jitter": {"brightness_factor": 0.5, "contrast_factor": 0.5},
    "random_crop": {"height": 12, "width": 12},
    "random_posterization": {"factor": 4},
    "random_shear": {"x_factor": 0.3, "y_factor": 0.3},
    "random_translation": {"height_factor": 0.3, "width_factor": 0.3},
    "solarization": {"threshold_factor": 0.5},
}
"""Where the defaults, and 0.5 for what is required, change nothing or are no such thing."""
ALL = sorted(vocabulary.augmentations())
FOR_COLORS = {"random_color_degeneration", "random_grayscale", "random_hue", "random_saturation"}


def item_of(name: str) -> Any:
    entry = vocabulary.augmentations()[name]
    required = [argument.name for argument in entry.arguments.values() if argument.required]
    arguments = ARGUMENTS.get(name) or dict.fromkeys(required, 0.5)
    return {name: arguments} if arguments else name


def bytes_of_pictures(channels: int) -> Any:
    """Noise, and among it a black and a white picture."""
    seen = np.random.default_rng(0).integers(0, 256, (8, 16, 16, channels)).astype(np.float32)
    seen[0], seen[1] = 0, 255
    return seen


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        (name, channels)
        for name in ALL
        for channels in ([3] if name in FOR_COLORS else [3, 1])
        if name != "random_crop"
    ],
)
def test_every_augmentation_changes_pictures_and_keeps_their_shape_and_range(
    name: str, channels: int
) -> None:
    from dlcli.training.augment import augmentation_layers

    backend.keras.utils.set_random_seed(0)
    seen = bytes_of_pictures(channels)
    (layer,) = augmentation_layers([item_of(name)])
    changed = np.stack([np.asarray(layer(seen, training=True)) for _ in range(4)])
    assert changed.dtype == np.float32
    assert changed.shape == (4, *seen.shape)
    assert changed.min() >= -0.01
    assert changed.max() <= 255.01
    assert np.abs(changed - seen)[:, 2:].mean() > 1, "noise is changed"
    np.testing.assert_array_equal(layer(seen, training=False), seen)


def test_a_crop_is_a_window_of_its_picture() -> None:
    from dlcli.training.augment import augmentation_layers

    backend.keras.utils.set_random_seed(0)
    seen = bytes_of_pictures(3)
    (layer,) = augmentation_layers([item_of("random_crop")])
    windows = {
        seen[2, y : y + 12, x : x + 12].tobytes(): (y, x) for y in range(5) for x in range(5)
    }
    found = {windows[np.asarray(layer(seen, training=True))[2].tobytes()] for _ in range(8)}
    assert len(found) > 1


@pytest.fixture(scope="module")
def augmented() -> Fitted:
    """Trained with every augmentation at once."""
    assert len(ALL) >= 20
    items = json.dumps([item_of(name) for name in ALL])
    train, val = ArrayBatches.noise(20, 10, seed=0), ArrayBatches.noise(20, 10, seed=1)
    return small_fit([f"augment={items}", "train.epochs=2"], train, val)


def test_a_training_sees_the_changed_pictures_and_val_does_not(augmented: Fitted) -> None:
    train, val = ArrayBatches.noise(20, 10, seed=0), ArrayBatches.noise(20, 10, seed=1)
    plain = small_fit(["train.epochs=2"], train, val)
    losses = [fitted.rows[0].loss or 0.0 for fitted in (augmented, plain)]
    assert abs(losses[0] - losses[1]) > 1e-3
    answers = augmented.model.predict_on_batch(val.pixels.astype(np.float32))
    loss = -np.log((answers * val.labels).sum(axis=1)).mean()
    (kept,) = [row for row in augmented.rows if row.kept]
    assert kept.val_loss == pytest.approx(loss, rel=1e-4)


def test_the_saved_model_holds_no_augmentation_and_answers_the_same_twice(
    augmented: Fitted, tmp_path: Path
) -> None:
    augmented.model.save(tmp_path / "model.keras")
    loaded = backend.keras.saving.load_model(tmp_path / "model.keras", compile=False)
    kinds = [type(layer).__name__ for layer in loaded.layers]
    assert kinds == ["InputLayer", "Rescaling", "GlobalAveragePooling2D", "Dense"]
    seen = bytes_of_pictures(3)[:, :8, :8]
    first, second = loaded.predict_on_batch(seen), loaded.predict_on_batch(seen)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, augmented.model.predict_on_batch(seen))
