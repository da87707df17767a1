"""A confusion matrix as a table that stays small: of many classes the most confused ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlcli.ui.html import short

if TYPE_CHECKING:
    from dlcli.metrics.report import Report

MOST_CLASSES = 16
_NAME_LETTERS = 40


@dataclass(frozen=True)
class Cell:
    """How many pictures, and their share of the row, 0-1."""

    count: int
    share: float
    is_right: bool


@dataclass(frozen=True)
class MatrixRow:
    """A true class: what its pictures were taken for, how many for classes that are not shown, and
    how many there are."""

    name: str
    cells: tuple[Cell, ...]
    num_others: int
    total: int


@dataclass(frozen=True)
class MatrixTable:
    """Rows are true classes, columns predicted ones, the same and in the same order; `num_classes`
    counts those that are not shown, too."""

    rows: tuple[MatrixRow, ...]
    num_classes: int

    @property
    def names(self) -> tuple[str, ...]:
        """The classes that are shown."""
        return tuple(row.name for row in self.rows)

    @property
    def is_whole(self) -> bool:
        """Whether every class is shown."""
        return len(self.rows) == self.num_classes


def matrix_table(report: Report) -> MatrixTable | None:
    """The table; None where there are too many classes for all, and none is confused."""
    labels = _shown_labels(report)
    if not labels:
        return None
    return MatrixTable(tuple(_row(report, label, labels) for label in labels), len(report.classes))


def _shown_labels(report: Report) -> list[int]:
    """All classes, or in class order those of the most confused pairs, as many as there is room
    for."""
    if len(report.classes) <= MOST_CLASSES:
        return list(range(len(report.classes)))
    label_of = {scores.name: label for label, scores in enumerate(report.classes)}
    shown: dict[int, None] = {}
    for pair in report.most_confused:
        both = {label_of[pair.true]: None, label_of[pair.predicted]: None}
        if len(shown | both) <= MOST_CLASSES:
            shown |= both
    return sorted(shown)


def _row(report: Report, label: int, labels: list[int]) -> MatrixRow:
    counts = report.confusion_matrix[label]
    total = sum(counts)
    cells = [Cell(counts[other], counts[other] / (total or 1), other == label) for other in labels]
    others = total - sum(cell.count for cell in cells)
    return MatrixRow(short(report.classes[label].name, _NAME_LETTERS), tuple(cells), others, total)
