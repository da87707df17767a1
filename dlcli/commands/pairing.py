"""Two runs that were asked about the same pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlcli.commands.answers import Answer
    from dlcli.commands.open_run import OpenedRun
    from dlcli.metrics.paired import Comparison


@dataclass(frozen=True)
class Asked:
    """A run and its answers, each with the row of its picture."""

    opened: OpenedRun
    answers: Sequence[Answer]

    @property
    def rights(self) -> dict[int, bool]:
        """Whether each picture, by its row, was answered right."""
        class_names = self.opened.classifier.artifact.class_names
        return {
            answer.row: class_names[int(answer.probabilities.argmax())] == answer.name
            for answer in self.answers
        }


def compare_asked(run: Asked, baseline: Asked) -> Comparison:
    """Both on the pictures that both have answered.

    Raises:
        ValueError: if there are none.
    """
    import numpy as np

    from dlcli.metrics.paired import compare_answers

    rights, baseline_rights = run.rights, baseline.rights
    common = [answer for answer in run.answers if answer.row in baseline_rights]
    return compare_answers(
        run.opened.name,
        baseline.opened.name,
        [answer.name for answer in common],
        np.array([rights[answer.row] for answer in common], np.bool_),
        np.array([baseline_rights[answer.row] for answer in common], np.bool_),
    )
