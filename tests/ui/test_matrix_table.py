"""A confusion matrix that fits on a page."""

from __future__ import annotations

import numpy as np

from dlcli.metrics.report import Report, make_report
from dlcli.ui.matrix_table import MOST_CLASSES, matrix_table


def report_of(pairs: list[tuple[int, int, int]], num_classes: int) -> Report:
    """Of pictures (true, predicted, how many)."""
    labels = np.array([true for true, _, count in pairs for _ in range(count)])
    predicted = [predicted for _, predicted, count in pairs for _ in range(count)]
    probabilities = np.eye(num_classes, dtype=np.float32)[predicted]
    return make_report(probabilities, labels, [f"c{label}" for label in range(num_classes)])


def test_a_few_classes_are_all_there() -> None:
    table = matrix_table(report_of([(0, 0, 3), (0, 2, 1), (1, 1, 2)], 3))
    assert table is not None
    assert table.is_whole
    assert table.names == ("c0", "c1", "c2")
    first, _, last = table.rows
    assert [(cell.count, cell.share, cell.is_right) for cell in first.cells] == [
        (3, 0.75, True),
        (0, 0.0, False),
        (1, 0.25, False),
    ]
    assert (first.num_others, first.total) == (0, 4)
    assert (last.total, [cell.share for cell in last.cells]) == (0, [0, 0, 0])


def test_of_many_classes_the_most_confused_are_shown() -> None:
    right = [(label, label, 5) for label in range(200)]
    wrong = [(7, 150, 4), (150, 3, 3), (60, 61, 2), (199, 7, 1)]
    table = matrix_table(report_of([*right, *wrong], 200))
    assert table is not None
    assert not table.is_whole
    assert table.num_classes == 200
    assert table.names == ("c3", "c7", "c60", "c61", "c150", "c199")
    row = table.rows[1]
    assert [cell.count for cell in row.cells] == [0, 5, 0, 0, 4, 0]
    assert (row.num_others, row.total) == (0, 9)


def test_what_is_not_shown_is_counted() -> None:
    """More classes are confused than there is room for: rows still add up."""
    wrong = [(label, label + 40, 20 - label) for label in range(18)]
    table = matrix_table(report_of([*wrong, (0, 90, 1)], 100))
    assert table is not None
    assert len(table.rows) <= MOST_CLASSES
    assert table.rows[0].num_others == 1
    for row in table.rows:
        assert sum(cell.count for cell in row.cells) + row.num_others == row.total


def test_many_classes_and_no_mistake() -> None:
    assert matrix_table(report_of([(label, label, 1) for label in range(30)], 30)) is None
