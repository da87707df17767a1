"""Mixed precision (Micikevicius 2018): a twin of a network that computes with half the bits.

The network itself stays float32, and so do the twin's weights: what is saved and converted knows
nothing of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from dlcli.backend import Model, keras

FLOAT32, FLOAT16 = "float32", "mixed_float16"


@contextlib.contextmanager
def in_precision(model: Model, precision: str) -> Iterator[Model]:
    """What to train in place of `model`, which has its weights when the block ends.

    The last layer stays float32: probabilities of float16 end at 6e-8, and their loss with them.
    """
    if precision == FLOAT32:
        yield model
        return
    last = model.output._keras_history.operation

    def clone(operation: Any) -> Any:
        config = operation.get_config()
        if "dtype" in config:
            config["dtype"] = FLOAT32 if operation is last else precision
        return operation.__class__.from_config(config)

    twin = keras.models.clone_model(model, clone_function=clone)
    _copy_weights(model, twin)
    yield twin
    _copy_weights(twin, model)


def scale_loss(optimizer: Any, precision: str) -> Any:
    """The optimizer for a precision: gradients of float16 vanish unless the loss is scaled up."""
    return keras.optimizers.LossScaleOptimizer(optimizer) if precision == FLOAT16 else optimizer


def _copy_weights(source: Model, target: Model) -> None:
    target.set_weights(source.get_weights())
    for layer in target.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it keeps what it makes of its weights
