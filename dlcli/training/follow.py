"""All processes of a training but the first: they take each step with it, and keep nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli.backend import Model
from dlcli.cluster.team import Team
from dlcli.training.checkpoint import Checkpoint, grouped
from dlcli.training.keeper import Keeper
from dlcli.training.trained import HistoryRow

_WEIGHTS, _SAVED = "weights", "saved/"


class Follower(Keeper):
    """A keeper that has what process 0 had saved, and saves nothing itself."""

    def __init__(self, saved: Checkpoint | None) -> None:
        super().__init__(Path(), lambda _: None)
        self._saved = saved

    def load(self) -> Checkpoint | None:
        """What process 0 had saved."""
        return self._saved

    def is_due(self, *, within_epoch: bool) -> bool:  # noqa: ARG002
        """Never."""
        return False

    def save(
        self, facts: dict[str, Any], arrays: dict[str, Any], rows: Sequence[HistoryRow]
    ) -> None:
        """Leaves it to process 0."""


def lead(team: Team, model: Model, batch_size: int, saved: Checkpoint | None) -> None:
    """Lets the others begin a fit with the weights and the checkpoint that process 0 has."""
    facts = {"batch_size": batch_size, "saved": None if saved is None else saved.facts}
    arrays = grouped(_WEIGHTS, [variable.numpy() for variable in model.variables])
    if saved is not None:
        arrays |= {f"{_SAVED}{name}": array for name, array in saved.arrays.items()}
    team.order(facts, arrays)


def next_fit(team: Team, model: Model) -> tuple[int, Checkpoint | None] | None:
    """Waits for a fit, whose weights `model` has then: its batch size, and the checkpoint that it
    goes on from. None when there are no more."""
    order = team.next_order()
    if order is None:
        return None
    facts, arrays = order
    given = Checkpoint({}, arrays).group(_WEIGHTS)
    for variable, value in zip(model.variables, given, strict=True):
        variable.assign(value)
    if facts["saved"] is None:
        return int(facts["batch_size"]), None
    own: dict[str, NDArray[np.generic]] = {
        name.removeprefix(_SAVED): array
        for name, array in arrays.items()
        if name.startswith(_SAVED)
    }
    return int(facts["batch_size"]), Checkpoint(facts["saved"], own)
