"""Pictures a second of training a spec's network: by dlcli's fit, by that with its live view and a
checkpoint at each epoch's end, or by a bare fit of Keras on arrays in memory, with the same
augmentation layers in front and with what a process has by default. The first epoch, which traces,
does not count.

python keras_fit.py dlcli|watched|bare ARRAYS.npz SPEC.yaml
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from dlcli import backend, processor
from dlcli.events import Event
from dlcli.spec.loader import load_spec
from dlcli.spec.schema import Spec
from dlcli.training.stages import plan_stages, resolve_spec
from tests.benchmarks.epoch_times import EpochTimes

EPOCHS, NUM_CLASSES, VAL_SHARE = 4, 10, 0.1


class InMemory:
    """As much of a data set as a fit asks for, over arrays."""

    class_names = tuple("abcdefghij")

    def __init__(self, pixels: Any, labels: Any) -> None:
        self._labels = labels
        self._num_val = int(len(labels) * VAL_SHARE)
        self.store = SimpleNamespace(read=lambda rows: pixels[rows], shape=pixels.shape)

    def rows(self, split: str) -> Any:
        every = np.arange(len(self._labels))
        return every[: self._num_val] if split == "val" else every[self._num_val :]

    def labels(self, rows: Any) -> Any:
        return self._labels[rows]


def measure(kind: str, pixels: Any, labels: Any, spec: Spec) -> float:
    """Pictures a second over the epochs after the first."""
    from dlcli.models.network import build_network
    from dlcli.training.augment import augmentation_layers
    from dlcli.training.batches import Batches
    from dlcli.training.fit import fit_model

    dataset: Any = InMemory(pixels[..., None], labels)
    (stage,) = plan_stages(spec)
    size = stage.batch_size or 1
    train, val = Batches(dataset, "train", size), Batches(dataset, "val", size)
    model = build_network(spec, NUM_CLASSES).model
    layers = augmentation_layers(spec.augment)
    times = EpochTimes()
    if kind == "dlcli":
        fit_model(model, layers, train, val, spec.train, stage, times)
    elif kind == "watched":
        _fit_watched(partial(fit_model, model, layers, train, val, spec.train, stage), times)
    else:
        _fit_bare(model, layers, dataset, stage, times)
    return times.images_per_second(train.num_images)


def _fit_watched(fit: Any, times: EpochTimes) -> None:
    """On a terminal that nobody looks at."""
    import pty

    from dlcli.training.keeper import Keeper
    from dlcli.ui.bars import BarReporter

    ours, theirs = pty.openpty()
    threading.Thread(target=_drain, args=(ours,), daemon=True).start()
    sys.stderr = os.fdopen(theirs, "w")
    with tempfile.TemporaryDirectory() as folder, BarReporter() as view:
        keeper = Keeper(Path(folder) / "checkpoint", lambda _: None)
        fit(_Both(view, times), keeper=keeper)


def _drain(descriptor: int) -> None:
    while os.read(descriptor, 65536):
        pass


class _Both:
    """Tells two reporters."""

    def __init__(self, *reporters: Any) -> None:
        self._reporters = reporters

    def report(self, event: Event) -> None:
        """Tells each."""
        for reporter in self._reporters:
            reporter.report(event)


def _fit_bare(model: Any, layers: list[Any], dataset: Any, stage: Any, times: EpochTimes) -> None:
    keras = backend.keras
    whole = keras.Sequential([keras.Input(model.input_shape[1:]), *layers, model])
    whole.compile(
        optimizer=keras.optimizers.AdamW(stage.learning_rate),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        metrics=["accuracy"],
        jit_compile=False,
    )
    (x, y), val = (
        (
            dataset.store.read(rows).astype(np.float32),
            np.eye(NUM_CLASSES, dtype=np.float32)[dataset.labels(rows)],
        )
        for rows in (dataset.rows("train"), dataset.rows("val"))
    )

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            times.times.append(time.perf_counter())

    whole.fit(
        x,
        y,
        batch_size=stage.batch_size,
        epochs=EPOCHS,
        validation_data=val,
        callbacks=[Clock()],
        verbose=0,
    )


if __name__ == "__main__":
    wanted, arrays_path, spec_path = sys.argv[1:]
    arrays = np.load(arrays_path)
    settings = (f"train.epochs={EPOCHS}", "train.early_stopping=none")
    resolved = resolve_spec(load_spec(Path(spec_path), settings), len(arrays["labels"]))
    if wanted == "bare":
        processor.keep_freed_memory = lambda: None
    backend.prepare(seed=0)
    print(measure(wanted, arrays["pixels"], arrays["labels"], resolved))
