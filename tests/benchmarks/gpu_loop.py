"""Pictures a second of training all layers of a network: by dlcli's fit from pixels in the memory
of the host, or by a bare loop of Keras whose one batch lies on the device. The first epoch, or the
first steps, which trace, do not count.

python -m tests.benchmarks.gpu_loop dlcli|bare BACKEND DEVICE BATCH_SIZE NUM_BATCHES SETTING...
"""

from __future__ import annotations

import json
import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np

from dlcli import backend
from dlcli.machine.device import choose_precision
from dlcli.spec.loader import load_spec
from dlcli.spec.schema import Spec
from dlcli.training.stages import plan_stages, resolve_spec
from tests.benchmarks.epoch_times import EpochTimes

EPOCHS, NUM_CLASSES, UNCOUNTED = 3, 10, 3


def main(
    kind: str, name: str, device: str, batch_size: str, num_batches: str, *settings: str
) -> None:
    """Prints a line of JSON: pictures a second, and the most memory of the device, if known."""
    backend.prepare(backend=name, device=device)
    size, count = int(batch_size), int(num_batches)
    own = (*settings, f"train.batch_size={size}", f"train.epochs={EPOCHS}", "augment=none")
    spec = resolve_spec(load_spec(None, (*own, "train.early_stopping=none")), size * count)
    precision = choose_precision("auto", backend.device())
    spec = spec.model_copy(update={"train": spec.train.model_copy(update={"precision": precision})})
    speed = (_fit if kind == "dlcli" else _loop)(spec, size, count)
    print(json.dumps({"images_per_second": speed, "peak_bytes": _peak_bytes(name)}))


def _fit(spec: Spec, size: int, count: int) -> float:
    from dlcli.models.network import build_network
    from dlcli.training.batches import Batches
    from dlcli.training.distribute import to_train
    from dlcli.training.fit import fit_model

    pixels, labels = _pictures(spec, size * count)
    rows = np.arange(len(labels))
    dataset: Any = SimpleNamespace(
        class_names=tuple("abcdefghij"),
        store=SimpleNamespace(read=lambda wanted: pixels[wanted], shape=pixels.shape),
        rows=lambda split: rows[:size] if split == "val" else rows,
        labels=lambda wanted: labels[wanted],
    )
    times = EpochTimes()
    (stage,) = plan_stages(spec)
    train, val = (Batches(dataset, split, size) for split in ("train", "val"))
    with to_train(build_network(spec, NUM_CLASSES).model, spec.train.precision) as model:
        fit_model(model, [], train, val, spec.train, stage, times)
    return times.images_per_second(size * count)


def _loop(spec: Spec, size: int, count: int) -> float:
    from dlcli.backend import keras
    from dlcli.models.network import build_network
    from dlcli.models.precision import in_precision

    pixels, labels = _pictures(spec, size)
    x = keras.ops.convert_to_tensor(pixels.astype(np.float32))
    y = keras.ops.convert_to_tensor(np.eye(NUM_CLASSES, dtype=np.float32)[labels])
    with in_precision(build_network(spec, NUM_CLASSES).model, spec.train.precision) as model:
        model.compile(
            optimizer="adamw", loss="categorical_crossentropy", jit_compile=backend.jit_compile()
        )
        for _ in range(UNCOUNTED):
            float(model.train_on_batch(x, y))
        began = time.perf_counter()
        for _ in range(count):
            loss = model.train_on_batch(x, y)
        float(loss)
        return size * count / (time.perf_counter() - began)


def _pictures(spec: Spec, count: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, *spec.data.image_size, 3), np.uint8)
    return pixels, np.arange(count) % NUM_CLASSES


def _peak_bytes(name: str) -> int | None:
    if name != "jax":
        return None
    import jax

    found = (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    return None if found is None else int(found)


if __name__ == "__main__":
    main(*sys.argv[1:])
