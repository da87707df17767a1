"""What happens beside a fit: events, and an end where the loss is lost."""

from __future__ import annotations

import math
from typing import Any

from dlcli.backend import keras
from dlcli.errors import SpecError
from dlcli.events import EpochEnded, Reporter, StageAdvanced

_LEAST_SECONDS_BETWEEN = 0.1


class ReportProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells of every epoch, and of the steps between a few times a second."""

    async_safe = True

    def __init__(self, stage: str, num_images: int, batch_size: int, reporter: Reporter) -> None:
        super().__init__()
        self._stage, self._reporter = stage, reporter
        self._num_images, self._batch_size = num_images, batch_size
        self._done_before = 0
        self._told = 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Advances the stage."""
        import time

        now = time.monotonic()
        if now - self._told > _LEAST_SECONDS_BETWEEN:
            self._told = now
            done = min(self._num_images, (batch + 1) * self._batch_size)
            self._reporter.report(StageAdvanced(self._stage, self._done_before + done))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Tells the epoch's numbers.

        Raises:
            SpecError: if the loss is no longer a number.
        """
        found = logs or {}
        if not all(math.isfinite(found.get(key, math.nan)) for key in ("loss", "val_loss")):
            raise SpecError(
                [f"the loss is no longer a number in epoch {epoch + 1}: lower train.learning_rate"]
            )
        self._done_before += self._num_images
        self._reporter.report(StageAdvanced(self._stage, self._done_before))
        self._reporter.report(
            EpochEnded(
                self._stage,
                epoch + 1,
                self.params["epochs"],
                float(found["loss"]),
                float(found["val_loss"]),
                float(found["val_accuracy"]),
            )
        )


class KeepLearningRates(keras.callbacks.Callback):  # type: ignore[misc]
    """The learning rate at the end of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.rates: list[float] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Asks the optimizer."""
        self.rates.append(float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)))
