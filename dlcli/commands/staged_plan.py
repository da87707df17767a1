"""A head first, which stands within seconds as a whole model, and then layers below it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.head_plan import HeadPlan
from dlcli.events import Reporter, Said

if TYPE_CHECKING:
    from dlcli.data.dataset import Dataset
    from dlcli.machine.device import Choice, Device
    from dlcli.training.keeper import Keeper
    from dlcli.training.trained import StageOutcome

FEWEST_WRONG = 2
"""With fewer val pictures wrong than this, val cannot tell what is better."""


@dataclass(frozen=True)
class StagedPlan(HeadPlan):
    """The head needs no framework; Keras is started when it stands."""

    choice: Choice
    used_device: Device

    @property
    def device(self) -> Device:
        """What the layers below the head are trained on."""
        return self.used_device

    def train(
        self, dataset: Dataset, folder: Path, keeper: Keeper, reporter: Reporter
    ) -> Iterator[StageOutcome]:
        """Fits the head, and goes on with the stages below it as long as val can tell whether they
        are better."""
        from dlcli.data.split import VAL

        saved = keeper.load()
        (head,) = super().train(dataset, folder, keeper, reporter)
        best = head.model
        if best is None:
            raise ValueError("a head has a model")
        yield head
        probabilities, labels = best.answers(VAL)
        num_wrong = int((probabilities.argmax(axis=1) != labels).sum())
        if num_wrong < FEWEST_WRONG:
            reporter.report(
                Said(
                    f"{num_wrong} of {len(labels)} val pictures wrong: val could not tell "
                    "whether more training is better; the head is the result"
                )
            )
            return
        material = self._material(dataset, folder, keeper, reporter)
        yield from self._refine(material, best, saved)
