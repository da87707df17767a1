"""Many devices come to what one device comes to. They are parts of one processor here, in processes
of their own: which devices there are is settled when a framework starts."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcli import backend

RANDOM = ("augment=[random_flip: horizontal]", "train.mix={mixup: 0.2}")
WEIGHTED = ("train.class_weights=balanced", "train.ema=0.8")
PLAIN = (
    "model.layers=[rescaling: {scale: 0.02, offset: -2.5}, conv2d: {filters: 4, kernel_size: 3}, "
    "relu, global_average_pooling2d]"
)
NUM_EPOCHS = 4


def fit_on(
    num_devices: int, name: str, num_images: int, folder: Path, *settings: str
) -> dict[str, Any]:
    """What `spread_fit` writes."""
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    file = folder / f"{name}-{num_devices}.npz"
    command = [sys.executable, "-m", "tests.training.spread_fit", name, num_devices, num_images]
    done = subprocess.run(
        [*map(str, command), str(file), *settings], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with np.load(file) as found:
        return dict(found)


def require_equal_weights(many: dict[str, Any], one: dict[str, Any], count: int) -> None:
    """Within 1e-5, the statistics of batch normalization included."""
    weights = [key for key in one if key.startswith("weight_")]
    assert len(weights) == count
    for key in weights:
        np.testing.assert_allclose(many[key], one[key], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "num_images", "settings"),
    [
        ("tensorflow", 46, ()),
        ("tensorflow", 45, WEIGHTED),
        ("jax", 45, WEIGHTED),
        ("jax", 46, RANDOM),
    ],
)
def test_two_devices_come_to_the_weights_of_one(
    name: str, num_images: int, settings: tuple[str, ...], tmp_path: Path
) -> None:
    """In batches of 20, the last one of an epoch with 6 pictures, or 5, which two cannot share, and
    of val with 5. What is random is drawn as on one device by jax alone."""
    one, two = (fit_on(count, name, num_images, tmp_path, *settings) for count in (1, 2))
    assert (one["devices"], two["devices"]) == (1, 2)
    assert one["measured"].shape == (NUM_EPOCHS, 4)
    np.testing.assert_allclose(two["measured"], one["measured"], atol=1e-5)
    require_equal_weights(two, one, 7)
    assert one["measured"][-1, 0] < one["measured"][0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tensorflow", "jax"])
def test_a_batch_that_cannot_be_dealt_evenly_is_filled_up(name: str, tmp_path: Path) -> None:
    """To three devices neither 20 nor 5 can, nor the 20 and the 5 of val. What fills up weighs
    nothing; batch normalization alone would see one picture of 21 twice."""
    one, three = (fit_on(count, name, 45, tmp_path, PLAIN) for count in (1, 3))
    assert three["devices"] == 3
    np.testing.assert_allclose(three["measured"], one["measured"], atol=1e-5)
    require_equal_weights(three, one, 4)


def test_weights_let_keras_come_to_the_mean_over_the_pictures_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Keras takes the mean over all pictures of a batch, and then over the batches by their
    sizes."""
    backend.prepare()
    from dlcli.training import distribute, feed
    from dlcli.training.batches import Share
    from tests.training.pictures import ArrayBatches

    for module in (distribute, feed):
        monkeypatch.setattr(module, "own_share", lambda: Share(4))
    rng = np.random.default_rng(0)
    val = ArrayBatches(
        rng.integers(0, 255, (17, 2, 2, 3), np.uint8), np.eye(17, dtype=np.float32), 8
    )
    losses = rng.random(17)
    batches = feed._Dealt(val, None)
    total = weighed = pictures = 0.0
    for number in range(len(batches)):
        _, labels, weights = batches[number]
        assert len(labels) % 4 == 0
        total += len(labels)
        weighed += float((losses[labels.argmax(axis=1)] * weights).sum())
        pictures += int((weights > 0).sum())
    assert pictures == 17
    assert weighed / total == pytest.approx(losses.mean())
