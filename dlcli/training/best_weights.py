"""The weights of the best epoch, and the average of weights that `train.ema` asks for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli.backend import keras
from dlcli.spec.schema import EarlyStoppingSpec, TrainSpec
from dlcli.training.callbacks import is_number

_SIGNS = {"val_loss": -1, "val_accuracy": 1}
"""Whether more of it is better."""


class KeepBest(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the weights of the best epoch, and ends a training that gets no better for as long as
    `early_stopping` waits.

    All that it knows stands in its attributes: `best_epoch` counts from 0 and is None before there
    is one, `best` is the value of `monitor` then, `waited` the epochs since, `weights` those of
    the model in its order. Of an optimizer that averages it keeps the averages. With `keeps_last`
    the last epoch counts as the best one, and nothing ends early.
    """

    def __init__(self, spec: TrainSpec, *, keeps_last: bool = False) -> None:
        super().__init__()
        stops = spec.early_stopping if spec.early_stopping != "none" else None
        self.monitor = (stops or EarlyStoppingSpec()).monitor
        self.patience = stops.patience if stops else None
        self.keeps_last = keeps_last
        self.best_epoch: int | None = None
        self.best = 0.0
        self.waited = 0
        self.weights: list[NDArray[np.float32]] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Compares the epoch with the best one."""
        if not is_number(logs):
            return
        value = float((logs or {})[self.monitor])
        is_first = self.best_epoch is None or self.keeps_last
        if is_first or (value - self.best) * _SIGNS[self.monitor] > 0:
            self.best_epoch, self.best, self.waited = epoch, value, 0
            self.weights = _measured_weights(self.model)
            return
        self.waited += 1
        if self.patience is not None and self.waited >= self.patience:
            self.model.stop_training = True

    def restore(self, model: Any) -> None:
        """Gives the model the weights of the best epoch."""
        if self.best_epoch is not None:
            model.set_weights(self.weights)


class MeasureAverages(keras.callbacks.Callback):  # type: ignore[misc]
    """Measures val with the averaged weights (Polyak & Juditsky 1992), and puts the others back.

    Keras' own `SwapEMAWeights` exchanges them by additions, which rounds: the training would go on
    from other weights than without the measurement.
    """

    def __init__(self) -> None:
        super().__init__()
        self._own: list[NDArray[np.float32]] = []

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Puts the averages into the model."""
        self._own = [own.numpy() for own in self.model.trainable_variables]
        averages = _averages(self.model)
        for variable in self.model.trainable_variables:
            # A copy: JAX would share the array, and frees what belongs to the model at each step.
            variable.assign(averages[id(variable)].numpy())

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Puts the model's own weights back."""
        for variable, own in zip(self.model.trainable_variables, self._own, strict=True):
            variable.assign(own)


def _measured_weights(model: Any) -> list[NDArray[np.float32]]:
    """The weights that val was measured with."""
    averages = _averages(model)
    return [averages.get(id(weight), weight).numpy() for weight in model.weights]


def _averages(model: Any) -> dict[int, Any]:
    """The average of each trainable variable by its id; empty where nothing is averaged."""
    # An optimizer for mixed precision wraps the one that averages.
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if not optimizer.use_ema:
        return {}
    found = optimizer._model_variables_moving_average  # as Keras' own callback does
    return {id(own): mean for own, mean in zip(model.trainable_variables, found, strict=True)}
