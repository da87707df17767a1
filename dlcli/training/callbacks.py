"""What happens beside a fit: events, the history, and an end where the loss is lost."""

from __future__ import annotations

import math
import time
from typing import Any

from dlcli import backend
from dlcli.backend import keras
from dlcli.errors import SpecError
from dlcli.events import EpochEnded, EpochStarted, Reporter, StageAdvanced, Warned
from dlcli.training.keeper import Keeper
from dlcli.training.trained import HistoryRow

_LEAST_SECONDS_BETWEEN = 0.1
_SECONDS_BETWEEN_LOOKS = 5.0
_MEASURED = ("loss", "accuracy", "val_loss", "val_accuracy")


def is_number(logs: dict[str, Any] | None) -> bool:
    """Whether an epoch's losses are finite: on train, and on val where that is measured."""
    found = logs or {}
    return all(math.isfinite(found.get(*key)) for key in (("loss", math.nan), ("val_loss", 0.0)))


def _number(logs: dict[str, Any], key: str) -> float | None:
    return float(logs[key]) if key in logs else None


def _learning_rate(model: Any) -> float:
    """That of the last step, without the digits that float32 adds."""
    rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    return float(f"{rate:.6g}")


class ReportProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells of every epoch, and of the steps between a few times a second."""

    async_safe = True

    def __init__(
        self,
        stage: str,
        num_images: int,
        batch_size: int,
        reporter: Reporter,
        *,
        done_before: int = 0,
    ) -> None:
        super().__init__()
        self._stage, self._reporter = stage, reporter
        self._num_images, self._batch_size = num_images, batch_size
        self._done_before = done_before
        self._told = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Tells that it begins."""
        self._reporter.report(EpochStarted(self._stage, epoch + 1, self.params["epochs"]))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Advances the stage."""
        now = time.monotonic()
        if now - self._told > _LEAST_SECONDS_BETWEEN:
            self._told = now
            done = min(self._num_images, (batch + 1) * self._batch_size)
            self._reporter.report(StageAdvanced(self._stage, self._done_before + done))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Tells the epoch's numbers, if they are any."""
        found = logs or {}
        if not is_number(found):
            return
        self._done_before += self._num_images
        self._reporter.report(StageAdvanced(self._stage, self._done_before))
        self._reporter.report(
            EpochEnded(
                self._stage,
                epoch + 1,
                self.params["epochs"],
                float(found["loss"]),
                _number(found, "val_loss"),
                _number(found, "val_accuracy"),
                accuracy=float(found["accuracy"]),
                learning_rate=_learning_rate(self.model),
            )
        )


class EndWhereLossIsLost(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a training whose loss is no longer a number: the epochs before it count, and where
    there is none it is an error."""

    async_safe = True

    def __init__(self, reporter: Reporter) -> None:
        super().__init__()
        self._reporter = reporter
        self._looked = time.monotonic()
        self._is_lost = False
        self.has_ended = False

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Ends the epoch with this step. At a step's end Keras may call in another thread, and to
        touch the model there would disturb the step that is under way."""
        if self._is_lost:
            self.model.stop_training = True

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Spares the rest of a long epoch; seldom, since to look at a number is to wait for it."""
        if backend.cluster() is not None:
            return  # all processes must end with the same step, and each has a clock of its own
        now = time.monotonic()
        if now - self._looked > _SECONDS_BETWEEN_LOOKS:
            self._looked = now
            self._is_lost = not math.isfinite(float((logs or {}).get("loss", 0.0)))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the losses on train and val.

        Raises:
            SpecError: if they are lost in the first epoch.
        """
        if is_number(logs):
            return
        lost = f"the loss is no longer a number in epoch {epoch + 1}: lower train.learning_rate"
        if epoch == 0:
            raise SpecError([lost])
        self._reporter.report(
            Warned(f"{lost}; the training ends here, with the best epoch before that")
        )
        self.has_ended = self.model.stop_training = True


class CountPicturesOnce(keras.callbacks.Callback):  # type: ignore[misc]
    """Corrects the loss of an epoch on many devices. Keras takes the mean of its batches by their
    sizes, and what fills up the last one would count. Belongs before all that look at the loss.

    `sizes` are the pictures of the batches before the last one, and of the last one; `filled` what
    Keras takes for these.
    """

    async_safe = True

    def __init__(self, sizes: tuple[int, int], filled: tuple[int, int]) -> None:
        super().__init__()
        self._sizes, self._filled = sizes, filled
        self._before = 0.0

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Takes the mean so far of an epoch that is gone on with at its last step."""
        if batch == 0 and self.params["steps"] == 1:
            self._before = float(self.model.metrics[0].result())

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Takes the mean of all batches but the last."""
        if batch == self.params["steps"] - 2:
            self._before = float((logs or {})["loss"])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Replaces the loss."""
        if not is_number(logs) or logs is None:
            return
        (before, last), (before_filled, last_filled) = self._sizes, self._filled
        total = float(logs["loss"]) * (before_filled + last_filled)
        loss_of_last = (total - self._before * before_filled) / last_filled
        logs["loss"] = (self._before * before + loss_of_last * last) / (before + last)


class EndInTime(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a training, after the step that is next, when its time is over."""

    def __init__(self, keeper: Keeper) -> None:
        super().__init__()
        self._keeper = keeper

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Looks at the clock."""
        if self._keeper.seconds_to_train <= 0:
            self.model.stop_training = True


class SeedSteps(keras.callbacks.Callback):  # type: ignore[misc]
    """Lets what a step draws follow from the seed, the epoch and the step alone, for a backend that
    keeps a random state of its own. The first epoch of the fit begins with step `first_step`."""

    def __init__(self, seed: int, first_epoch: int, first_step: int) -> None:
        super().__init__()
        self._seed = seed
        self._first_epoch, self._first_step = first_epoch, first_step
        self._epoch = first_epoch

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Notes which one it is."""
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Seeds the step."""
        before = self._first_step if self._epoch == self._first_epoch else 0
        backend.seed_step(self._seed, self._epoch, before + batch)


class KeepHistory(keras.callbacks.Callback):  # type: ignore[misc]
    """A row for each epoch that gave numbers; none is marked as kept yet."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self._stage = stage
        self.rows: list[HistoryRow] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keeps the numbers, and the learning rate at the end of the epoch."""
        if not is_number(logs):
            return
        measured = {key: round(float((logs or {})[key]), 6) for key in _MEASURED}
        self.rows.append(
            HistoryRow(
                epoch=epoch + 1,
                stage=self._stage,
                learning_rate=_learning_rate(self.model),
                kept=False,
                **measured,
            )
        )
