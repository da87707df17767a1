"""A fit on several devices of one processor, in a process of its own.

python -m tests.training.spread_fit BACKEND NUM_DEVICES NUM_IMAGES FILE.npz SETTING...
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from dlcli import backend
from dlcli.events import NullReporter
from dlcli.training.stages import plan_stages
from tests.training.pictures import ArrayBatches
from tests.training.small_fits import CLASSES, small_spec

LAYERS = (
    "model.layers=[rescaling: {scale: 0.02, offset: -2.5}, conv2d: {filters: 4, "
    "kernel_size: 3, use_bias: false}, "
    "batch_normalization: {momentum: 0.5}, relu, global_average_pooling2d]",
    "train.early_stopping=none",
)


def pictures(num_images: int, batch_size: int, seed: int) -> ArrayBatches:
    """Of one class some are brighter."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num_images) % 2
    pixels = rng.normal(100 + 60 * labels[:, None, None, None], 20, (num_images, 8, 8, 3))
    pixels = pixels.clip(0, 255).astype(np.uint8)
    return ArrayBatches(pixels, np.eye(2, dtype=np.float32)[labels], batch_size)


def main(name: str, num_devices: str, num_images: str, file: str, *settings: str) -> None:
    """Writes the weights and the losses, and how many devices there were."""
    if name == "jax":
        os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={num_devices}"
    else:
        import tensorflow as tf

        (processor,) = tf.config.list_physical_devices("CPU")
        parts = [tf.config.LogicalDeviceConfiguration() for _ in range(int(num_devices))]
        tf.config.set_logical_device_configuration(processor, parts)
    backend.prepare(backend=name, device="cpu")
    from dlcli.models.network import build_network
    from dlcli.training.augment import augmentation_layers
    from dlcli.training.distribute import num_devices as found
    from dlcli.training.distribute import to_train
    from dlcli.training.fit import fit_model

    spec = small_spec(*LAYERS, *settings)
    network = build_network(spec, len(CLASSES))
    (stage,) = plan_stages(spec)
    train, val = pictures(int(num_images), 20, seed=0), pictures(25, 20, seed=1)
    weights = None if spec.train.class_weights == "none" else np.array([0.5, 2.0], np.float32)
    augmentation = augmentation_layers(spec.augment)
    with to_train(network.model, spec.train.precision) as model:
        rows = fit_model(
            model,
            augmentation,
            train,
            val,
            spec.train,
            stage,
            NullReporter(),
            class_weights=weights,
        )
    weights = {f"weight_{number}": one for number, one in enumerate(network.model.get_weights())}
    measured = [(row.loss, row.accuracy, row.val_loss, row.val_accuracy) for row in rows]
    np.savez(Path(file), devices=found(), measured=measured, **weights)


if __name__ == "__main__":
    main(*sys.argv[1:])
