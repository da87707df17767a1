"""A report as text for a person."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.metrics.agreement import agreement_of
from dlcli.metrics.gates import Gate
from dlcli.metrics.paired import compare_answers
from dlcli.metrics.report import Report, make_report
from dlcli.ui.columns import MOST_COLUMNS, width_of
from dlcli.ui.report_lines import (
    agreement_line,
    comparison_text,
    gate_lines,
    report_lines,
    verdict_on,
)

pytestmark = pytest.mark.usefixtures("plain")


def report_on(matrix: list[list[int]], names: list[str] | None = None) -> Report:
    """The report on pictures that were confused as `matrix` says."""
    num_classes = len(matrix)
    pairs = [
        (true, predicted)
        for true, row in enumerate(matrix)
        for predicted, count in enumerate(row)
        for _ in range(count)
    ]
    probabilities = np.full((len(pairs), num_classes), 0.1 / num_classes)
    for row, (_, predicted) in enumerate(pairs):
        probabilities[row, predicted] += 0.9
    labels = np.array([true for true, _ in pairs], np.int64)
    return make_report(probabilities, labels, names or [f"c{n}" for n in range(num_classes)], 0.5)


def test_two_classes_are_a_table_of_two_rows() -> None:
    lines = list(report_lines("Test", report_on([[9, 1], [2, 8]], ["cat", "dog"])))
    assert lines[:2] == [
        " Test: 0.850 right (17 of 20), 95 % interval 0.640 to 0.948.",
        ' Always guessing "cat" would give 0.500, guessing at random 0.500.',
    ]
    assert [line.split() for line in lines[2:7]] == [
        ["class", "precision", "recall", "f1", "pictures"],
        ["cat", "0.818", "0.900", "0.857", "10"],
        ["dog", "0.889", "0.800", "0.842", "10"],
        ["macro", "avg", "0.854", "0.850", "0.850", "20"],
        ["weighted", "avg", "0.854", "0.850", "0.850", "20"],
    ]
    assert lines[7:] == [
        " Most confused: dog taken for cat (2), cat taken for dog (1).",
        " Balanced accuracy 0.850 · log loss 0.493",
        " Calibration: expected error 0.100 (0.037 before the temperature).",
        " Right where it is surest: 0.850 of 50 %, 0.850 of 80 %, 0.850 of 90 %, 0.850 of",
        "   95 % of the answers.",
    ]


def test_columns_stand_below_each_other() -> None:
    names = ["cat", "an exceedingly long class name"]
    table = list(report_lines("Test", report_on([[9, 1], [2, 8]], names)))[2:7]
    assert len({len(line) for line in table}) == 1


def test_five_classes_are_all_shown_in_class_order() -> None:
    matrix = np.diag([5, 4, 3, 2, 1]).tolist()
    lines = list(report_lines("Test", report_on(matrix)))
    assert [line.split()[0] for line in lines[3:8]] == ["c0", "c1", "c2", "c3", "c4"]
    assert not any("Most confused" in line for line in lines)


def test_of_200_classes_the_worst_are_shown_and_the_rest_is_counted() -> None:
    matrix = np.diag([10] * 200)
    for label in range(100, 115):
        matrix[label, label], matrix[label, label + 1] = 10 - (label - 99) // 2, (label - 99) // 2
    lines = list(report_lines("Test", report_on(matrix.tolist())))
    assert len(lines) < 24
    rows = [line.split() for line in lines[3:13]]
    assert all(row[0].startswith("c1") for row in rows)
    scores = [float(row[3]) for row in rows]
    assert len(rows) == 10
    assert scores == sorted(scores)
    assert "   the 10 worst of 200; all of them: --json" in lines
    (average,) = (line for line in lines if "macro avg" in line)
    assert average.split()[-1] == "2,000"


def test_what_is_undefined_is_shown_as_such() -> None:
    lines = list(report_lines("Test", report_on([[3, 0, 0], [1, 0, 0], [0, 0, 0]])))
    assert lines[4].split() == ["c1", "n/a", "0.000", "0.000", "1"]
    assert lines[5].split() == ["c2", "n/a", "n/a", "n/a", "0"]


def test_no_pictures_are_a_sentence() -> None:
    lines = list(report_lines("Test", report_on([[0, 0], [0, 0]])))
    assert lines[0] == " Test: no pictures."
    assert lines[-1].split() == ["weighted", "avg", "n/a", "n/a", "n/a", "0"]


def test_a_class_name_cannot_command_the_terminal_or_break_the_table() -> None:
    names = ["red\x1b[31m", "two\nlines"]
    lines = list(report_lines("Test", report_on([[1, 2], [1, 3]], names)))
    text = "\n".join(lines)
    assert "\x1b" not in text
    assert text.count("\n") == len(lines) - 1
    assert "red\\x1b[31m taken for two\\nlines (2)" in text
    assert len({len(line) for line in lines[2:7]}) == 1


NAMES = [
    "a class whose name is much longer than a line of a terminal, 1 of 2, and goes on and on",
    "大熊猫和小熊猫的照片以及许多其他动物的照片第二部分还有更多更多",
    "e\u0301cureuil",
]


def test_no_line_is_wider_than_80_columns() -> None:
    lines = list(report_lines("Accuracy", report_on([[9, 1, 2], [2, 8, 0], [3, 0, 5]], NAMES)))
    table = lines[3:9]
    assert {width_of(line) for line in table} == {MOST_COLUMNS}
    assert "…" in table[1]
    assert "…" in table[2]
    assert "e\u0301cureuil" in table[3]
    broken = [line for line in lines if width_of(line) > MOST_COLUMNS]
    assert all(max(map(width_of, line.split())) > 40 for line in broken)  # one long word


def test_200_classes_fit_a_screen_and_say_how_to_see_all() -> None:
    rng = np.random.default_rng(0)
    lines = list(report_lines("Test", report_on(rng.integers(0, 3, (200, 200)).tolist())))
    assert len(lines) < 24
    assert max(map(width_of, lines)) <= MOST_COLUMNS
    assert any("the 10 worst of 200; all of them: --json" in line for line in lines)


def test_colour_is_bold_and_never_carries_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    gates = [Gate("accuracy", 0.9, None, 0.8, passed=False, detail="8 of 10")]
    report = report_on([[9, 1], [2, 8]])
    without = [*report_lines("Test", report), *gate_lines(gates)]
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with_color = [*report_lines("Test", report), *gate_lines(gates)]
    assert with_color != without
    assert [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in with_color] == without


def test_what_an_older_report_does_not_have_is_left_out() -> None:
    numbers = report_on([[9, 1], [2, 8]]).to_json()
    for name in ("calibration_error_before", "chance_baseline", "risk_coverage"):
        del numbers[name]
    lines = list(report_lines("Test", Report.from_json(numbers)))
    assert lines[1] == ' Always guessing "c0" would give 0.500.'
    assert lines[-1] == " Calibration: expected error 0.100."


def test_gates_stand_in_columns_with_their_verdicts() -> None:
    gates = [
        Gate("accuracy@low", 0.95, None, 0.962, passed=True, detail="300 of 310"),
        Gate("recall:tiger", 0.9, None, 27 / 31, passed=False, detail="27 of 31"),
        Gate("ece", None, 0.05, None, passed=False, detail="undefined"),
        Gate("num_images", 1000, None, 1234, passed=True),
    ]
    assert list(gate_lines(gates)) == [
        " gates  accuracy@low   0.962  >= 0.950   passed",
        "        recall:tiger   0.871  >= 0.900   NOT MET (27 of 31)",
        "        ece              n/a  <= 0.050   NOT MET (undefined)",
        "        num_images     1,234  >= 1,000   passed",
    ]
    assert list(gate_lines([])) == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.8996, "0.8996  >= 0.9000"), (0.899999, "0.899999  >= 0.900000"), (0.9, "0.900  >= 0.900")],
)
def test_a_gate_that_is_missed_by_a_hair_does_not_look_met(value: float, shown: str) -> None:
    (line,) = gate_lines([Gate("accuracy", 0.9, None, value, passed=value >= 0.9)])
    assert shown in line


def test_a_comparison_says_what_chance_can_explain() -> None:
    right, wrong = np.ones(10, bool), np.zeros(10, bool)
    names = ["cat"] * 10
    found = compare_answers("new", "old\x1b", names, right, wrong)
    assert comparison_text(found) == (
        "new against old\\x1b on the same 10 pictures: 1.000 and 0.000 (+1.000)."
    )
    assert verdict_on(found) == (
        "Right where the other is wrong: new 10 times, old\\x1b 0 times. "
        "Chance does not explain that (McNemar's exact test, p = 0.002)."
    )
    some = wrong.copy()
    some[:1] = True
    said = verdict_on(compare_answers("a", "b", names, wrong, some))
    assert said.startswith("Right where the other is wrong: a 0 times, b once. Chance can explain")
    same = compare_answers("a", "b", names, some, some)
    assert verdict_on(same) == "Both are right and wrong on the same pictures."


@pytest.mark.parametrize(
    ("val", "test", "said"),
    [
        ((90, 100), (90, 100), "had 0.900 as well."),
        ((95, 100), (93, 100), "had 0.950: 0.020 more, which chance can explain."),
        ((90, 100), (93, 100), "had 0.900: 0.030 less, which chance can explain."),
        ((99, 100), (80, 100), "0.190 more, more than chance explains: val flattered."),
        ((80, 100), (99, 100), "0.190 less, more than chance explains."),
    ],
)
def test_val_and_test_in_a_line(val: tuple[int, int], test: tuple[int, int], said: str) -> None:
    one, other = (report_on([[right, all_ - right], [0, 0]]) for right, all_ in (val, test))
    agreement = agreement_of(one, other)
    assert agreement is not None
    assert agreement_line(agreement).endswith(said)
