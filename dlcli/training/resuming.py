"""A fit that can be stopped after any step and gone on with as if nothing had happened.

Saved are the model's variables with the states of its random layers, the optimizer's, those of the
metrics within an epoch, the best weights so far and what early stopping has seen. The order of the
data and what MixUp draws follow from the seed, the epoch and the step; the learning rate from the
optimizer's count of steps.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli.backend import Model, keras
from dlcli.errors import DataError
from dlcli.training.best_weights import KeepBest
from dlcli.training.callbacks import KeepHistory
from dlcli.training.checkpoint import Checkpoint, grouped
from dlcli.training.interrupts import Interrupt
from dlcli.training.keeper import Keeper
from dlcli.training.trained import HistoryRow

_VARIABLES, _OPTIMIZER, _METRICS, _BEST = "variables", "optimizer", "metrics", "best"


@dataclass(frozen=True)
class Place:
    """The next step of a fit: `step` of `epoch`, both counted from 0."""

    epoch: int = 0
    step: int = 0


@dataclass(frozen=True)
class FitState:
    """All of a compiled model that changes while it is fitted; `accuracy` is its metric."""

    model: Model
    accuracy: Any
    best: KeepBest
    history: KeepHistory

    @property
    def counters(self) -> list[Any]:
        """What the loss and the accuracy of an epoch are counted in. Keras lists them only after
        the first step."""
        return [*self.model.metrics[0].variables, *self.accuracy.variables]


class SaveProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves at the end of epochs, every few minutes within them, and where Ctrl-C was pressed,
    which ends the fit. Belongs behind the callbacks whose state it saves."""

    def __init__(
        self,
        state: FitState,
        keeper: Keeper,
        interrupt: Interrupt,
        saved: Checkpoint | None,
    ) -> None:
        super().__init__()
        self._state, self._keeper, self._interrupt = state, keeper, interrupt
        self._metrics = saved.group(_METRICS) if saved is not None else []
        self._place = Place()
        self.first_step = 0
        self.own: list[NDArray[Any]] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Gives the metrics back what they had counted in the first part of this epoch."""
        self._place = Place(epoch)
        if self._metrics:
            _assign(self._state.counters, self._metrics, _METRICS)
            self._metrics = []

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Saves what the steps before have made, if it is time to: at a step's end Keras may call
        in another thread while the next step is under way.

        Raises:
            KeyboardInterrupt: if Ctrl-C was pressed, once all is saved.
        """
        if batch == 0:
            return  # that is the end of an epoch, or what was restored
        if self._interrupt.came or self._keeper.is_due(within_epoch=True):
            self._save(Place(self._place.epoch, self.first_step + batch))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Saves if it is time to.

        Raises:
            KeyboardInterrupt: if Ctrl-C was pressed, once all is saved.
        """
        if self._interrupt.came or self._keeper.is_due(within_epoch=False):
            self._save(Place(epoch + 1))
        if self.first_step:  # Keras puts averages in place of the weights where a fit ends
            self.own = _values(self.model.trainable_variables)
            self.first_step = 0

    def _save(self, place: Place) -> None:
        model, best = self.model, self._state.best
        rows = self._state.history.rows
        facts = {
            **asdict(place),
            "is_stopped": bool(model.stop_training) and place.step == 0,
            "best": {"epoch": best.best_epoch, "value": best.best, "waited": best.waited},
            "rows": [asdict(row) for row in rows],
        }
        arrays = {
            **grouped(_VARIABLES, _values(model.variables)),
            **grouped(_OPTIMIZER, _values(model.optimizer.variables)),
            **grouped(_METRICS, _values(self._state.counters) if place.step else []),
            **grouped(_BEST, best.weights),
        }
        self._keeper.save(facts, arrays, rows)
        if self._interrupt.came:
            raise KeyboardInterrupt


def restore(state: FitState, saved: Checkpoint | None) -> tuple[Place, bool]:
    """Where a fit goes on with the state that was saved, and whether it was stopped there for
    good.

    Raises:
        DataError: if the checkpoint is of another network.
    """
    if saved is None or "epoch" not in saved.facts:
        return Place(), False
    model, best = state.model, state.best
    model.optimizer.build(model.trainable_variables)
    _assign(model.variables, saved.group(_VARIABLES), _VARIABLES)
    _assign(model.optimizer.variables, saved.group(_OPTIMIZER), _OPTIMIZER)
    facts = saved.facts
    best.best_epoch, best.best = facts["best"]["epoch"], facts["best"]["value"]
    best.waited, best.weights = facts["best"]["waited"], saved.group(_BEST)
    state.history.rows = [HistoryRow(**row) for row in facts["rows"]]
    return Place(facts["epoch"], facts["step"]), facts["is_stopped"]


def assign_trainable(model: Model, values: list[NDArray[Any]]) -> None:
    """Gives the trainable variables these values."""
    _assign(model.trainable_variables, values, _VARIABLES)


def _values(variables: list[Any]) -> list[NDArray[Any]]:
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def _assign(variables: list[Any], values: list[NDArray[Any]], what: str) -> None:
    shapes = [tuple(variable.shape) for variable in variables]
    if shapes != [value.shape for value in values]:
        raise DataError(
            f"the checkpoint is of another network: its {what} are of other shapes.",
            fix="Train anew.",
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
