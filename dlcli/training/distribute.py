"""One step on many devices at once: each has the whole network and an equal part of the batch.

TensorFlow spreads a step with `tf.distribute.MirroredStrategy`, JAX with
`keras.distribution.DataParallel`; torch trains on one device.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from dlcli import backend
from dlcli.backend import Model, keras
from dlcli.events import Reporter, Warned
from dlcli.models.precision import in_precision
from dlcli.training.batches import Batch, Share


@cache
def num_devices() -> int:
    """All that a step is spread over, those of other processes included."""
    return len(_names())


@contextlib.contextmanager
def to_train(model: Model, precision: str) -> Iterator[Model]:
    """What to train in place of `model`, which has its weights when the block ends: on all devices
    that there are, in this precision. What is built inside belongs to all of them, too."""
    spread = _scope if num_devices() > 1 else None
    with in_precision(model, precision, spread) as trained:
        yield trained


@cache
def own_share() -> Share:
    """What this process takes of each batch."""
    cluster = backend.cluster()
    if cluster is None:
        return Share(num_devices())
    return Share(num_devices(), cluster.num_processes, cluster.process_id)


def dealt(batch: Batch, most: int = 0) -> Batch:
    """What this process takes of a whole batch, which is filled up to `most` pictures at most."""
    x, labels = batch
    rows = own_share().of(np.arange(len(x)), most)
    return x[rows], labels[rows]


def warn_of_filling(batch_size: int, reporter: Reporter) -> None:
    """Says so where not even whole batches can be dealt evenly."""
    num_filling = own_share().num_filled(batch_size) - batch_size
    if num_filling:
        reporter.report(
            Warned(
                f"{batch_size} pictures a step are not dealt evenly to {num_devices()} devices: "
                f"{num_filling} of them come twice; choose a train.batch_size that they divide"
            )
        )


def restartable(batches: Callable[[], Iterator[tuple[Any, ...]]]) -> Any:
    """What `fit` takes batches from. A MirroredStrategy looks at the first ones before it begins,
    which a generator would have lost by then."""
    if num_devices() == 1 or backend.device().backend != "tensorflow":
        return batches()
    tensorflow = backend.tensorflow()
    signature = tuple(
        tensorflow.TensorSpec((None, *array.shape[1:]), array.dtype) for array in next(batches())
    )
    dataset = tensorflow.data.Dataset.from_generator(batches, output_signature=signature)
    return dataset.prefetch(tensorflow.data.AUTOTUNE)  # as Keras does with a generator


def _names() -> list[str]:
    """The devices of the kind that is trained on."""
    running = backend.device()
    if running.backend == "torch":
        return [running.kind]
    if running.backend == "jax":
        return list(keras.distribution.list_devices(running.kind))
    config = backend.tensorflow().config
    return [device.name for device in config.list_logical_devices(running.kind.upper())]


@cache
def _strategy() -> Any:
    if backend.device().backend == "jax":
        return keras.distribution.DataParallel(devices=_names(), auto_shard_dataset=False)
    return backend.tensorflow().distribute.MirroredStrategy(_names())


@contextlib.contextmanager
def _scope() -> Iterator[None]:
    with _strategy().scope():
        yield
