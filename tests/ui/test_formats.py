"""Results for programs: every line is read back, every key is frozen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlcli import __version__
from dlcli.artifact import ModelFacts
from dlcli.commands.benchmark import BenchmarkResult, Pace, TimedModel
from dlcli.commands.evaluate import EvaluateResult
from dlcli.commands.explain import ExplainedImage
from dlcli.commands.exported import ExportedModel, ExportResult, LeftOut
from dlcli.commands.head_plan import HeadPlan
from dlcli.commands.init import InitResult
from dlcli.commands.models import BackboneFacts
from dlcli.commands.near_pictures import NearPicture
from dlcli.commands.parity import Parity
from dlcli.commands.plan import Start
from dlcli.commands.train import DryRunResult
from dlcli.commands.train_result import StageResult, TrainResult
from dlcli.data.index import SkippedFile
from dlcli.events import LayerRow, ModelShown
from dlcli.metrics.agreement import agreement_of
from dlcli.metrics.gates import judge, read_bounds
from dlcli.metrics.paired import compare_answers
from dlcli.metrics.report import Report, make_report
from dlcli.spec.schema import Spec
from dlcli.training.stages import Stage
from dlcli.ui import formats
from dlcli.ui.explain_lines import explain_document
from tests.ui.checked import DIRTY


def test_names_are_readable_in_json_and_escaped_only_where_they_must_be() -> None:
    assert formats.dump_json({"a": "é"}, indent=None) == '{"a": "é"}'
    assert formats.dump_json({"a": "é\udcff"}, indent=None) == '{"a": "\\u00e9\\udcff"}'


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_holds_no_number_that_is_none(number: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        formats.dump_json({"a": number})


REPORT_KEYS = {
    "num_images",
    "accuracy",
    "accuracy_interval",
    "balanced_accuracy",
    "top_k_accuracy",
    "log_loss",
    "expected_calibration_error",
    "majority_baseline",
    "classes",
    "macro_avg",
    "weighted_avg",
    "confusion_matrix",
    "most_confused",
    "calibration_error_before",
    "chance_baseline",
    "risk_coverage",
}
POINT_KEYS = {"coverage", "threshold", "num_images", "accuracy"}
AVERAGE_KEYS = {"precision", "recall", "f1_score"}
OPENING = {"schema", "command", "dlcli"}


@pytest.fixture
def report() -> Report:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), 20)
    return make_report(probabilities, rng.integers(0, 3, 20), ["a", "b", "c", "d"])


@pytest.fixture
def train_result(report: Report) -> TrainResult:
    return TrainResult(
        run=Path("runs/animals-1"),
        status="completed",
        classes=("a", "b", "c", "d"),
        num_images={"train": 60, "val": 20, "test": 20, "skipped": 1},
        skipped=(SkippedFile("a/x\udcff.jpg", "truncated"),),
        stages=(StageResult("head", 1, 2.5, 0.9),),
        best_epoch=1,
        val=report,
        test=report,
        seconds={"data": 1.0, "train": 2.0, "evaluate": 0.1, "export": 0.2, "total": 3.3},
        model=ModelFacts("efficientnet-lite0", "imagenet", 3_418_148, 5124),
    )


def read(document: dict[str, object]) -> dict[str, object]:
    """A document as a program gets it."""
    found: dict[str, object] = json.loads(formats.dump_json(document).encode("utf-8"))
    return found


def check_report_keys(report: object) -> None:
    assert isinstance(report, dict)
    assert set(report) == REPORT_KEYS
    assert set(report["macro_avg"]) == set(report["weighted_avg"]) == AVERAGE_KEYS
    assert set(report["classes"][0]) == {"name", "support", *AVERAGE_KEYS}
    assert set(report["most_confused"][0]) == {"true", "predicted", "count"}
    assert len(report["accuracy_interval"]) == 2
    assert [set(point) for point in report["risk_coverage"]] == [POINT_KEYS] * 5


def check_report(report: object) -> None:
    check_report_keys(report)
    assert isinstance(report, dict)
    assert set(report["top_k_accuracy"]) == {"2", "3"}
    assert [len(row) for row in report["confusion_matrix"]] == [4] * 4
    assert report["classes"][3]["recall"] is None


def test_the_keys_of_train_are_frozen(train_result: TrainResult) -> None:
    document = read(formats.train_document(train_result))
    assert set(document) == OPENING | {
        "run",
        "status",
        "classes",
        "num_images",
        "skipped",
        "stages",
        "best_epoch",
        "val",
        "test",
        "agreement",
        "seconds",
        "model",
    }
    assert (document["schema"], document["command"], document["dlcli"]) == (1, "train", __version__)
    assert document["run"] == "runs/animals-1"
    assert document["skipped"] == [{"path": "a/x\udcff.jpg", "reason": "truncated"}]
    assert document["stages"] == [
        {
            "name": "head",
            "epochs": 1,
            "seconds": 2.5,
            "val_accuracy": 0.9,
            "learning_rate": None,
        }
    ]
    assert document["num_images"] == {"train": 60, "val": 20, "test": 20, "skipped": 1}
    assert document["seconds"] == train_result.seconds
    model = document["model"]
    assert isinstance(model, dict)
    assert set(model) >= {"backbone", "parameters", "trainable_parameters", "body"}
    check_report(document["val"])
    check_report(document["test"])


def test_a_training_without_a_test_part_has_null_for_it(train_result: TrainResult) -> None:
    document = read(formats.train_document(replace(train_result, test=None)))
    assert document["test"] is document["agreement"] is None


def test_the_keys_of_evaluate_are_frozen(report: Report) -> None:
    skipped = (SkippedFile("a/x.jpg", "truncated"),)
    document = read(formats.evaluate_document(EvaluateResult("r", "s", report, skipped)))
    keys = {"run", "source", "report", "skipped", "gates", "comparison"}
    keys |= {"agreement", "coverage"}
    assert set(document) == OPENING | keys
    assert document["command"] == "evaluate"
    assert document["skipped"] == [{"path": "a/x.jpg", "reason": "truncated"}]
    assert document["gates"] == []
    assert document["comparison"] is document["agreement"] is None
    check_report(document["report"])


def test_the_keys_of_gates_comparison_and_agreement_are_frozen(report: Report) -> None:
    right = np.array([True, False])
    result = EvaluateResult(
        "r",
        "s",
        report,
        (),
        judge(read_bounds(["recall:d=0.5", "accuracy=0"], []), report),
        compare_answers("r", "old", ["a", "b"], right, ~right),
        agreement_of(report, report),
    )
    document = read(formats.evaluate_document(result))
    assert document["gates"] == [
        {
            "metric": "recall:d",
            "minimum": 0.5,
            "maximum": None,
            "value": None,
            "passed": False,
            "detail": "undefined: no picture of it",
        },
        {
            "metric": "accuracy",
            "minimum": 0.0,
            "maximum": None,
            "value": report.accuracy,
            "passed": True,
            "detail": f"{report.num_correct} of 20",
        },
    ]
    assert document["comparison"] == {
        "run": "r",
        "baseline": "old",
        "num_images": 2,
        "accuracy": 0.5,
        "baseline_accuracy": 0.5,
        "difference": 0.0,
        "both_right": 0,
        "only_run_right": 1,
        "only_baseline_right": 1,
        "both_wrong": 0,
        "p_value": 1.0,
        "p_value_adjusted": 1.0,
        "classes": [
            {"name": "a", "support": 1, "gained": 1, "lost": 0},
            {"name": "b", "support": 1, "gained": 0, "lost": 1},
        ],
    }
    agreement = document["agreement"]
    assert isinstance(agreement, dict)
    assert set(agreement) == {
        "val_accuracy",
        "test_accuracy",
        "difference",
        "difference_interval",
        "val_flattered",
    }


def test_the_keys_of_export_are_frozen() -> None:
    parity = Parity(16, "pictures of noise", 1e-7, 1.0, True)
    model = ExportedModel("keras", "float32", None, 1000, parity)
    left_out = (LeftOut("onnx", "ONNX has no Erfc."),)
    result = ExportResult("r", Path("out"), ("labels.txt", "model.keras"), (model,), left_out)
    document = read(formats.export_document(result))
    assert set(document) == OPENING | {
        "run",
        "files",
        "parity",
        "format",
        "body",
        "size_bytes",
        "folder",
        "verified",
        "models",
        "left_out",
    }
    assert document["command"] == "export"
    assert (document["format"], document["body"], document["size_bytes"]) == (
        "keras",
        "float32",
        1000,
    )
    assert document["left_out"] == [{"format": "onnx", "reason": "ONNX has no Erfc."}]
    assert document["files"] == ["labels.txt", "model.keras"]
    found = document["parity"]
    assert isinstance(found, dict)
    assert set(found) == {
        "num_images",
        "source",
        "max_abs_difference",
        "top_1_agreement",
        "passed",
        "accuracy_of_run",
        "accuracy_of_export",
        "encoded",
    }


def test_the_keys_of_benchmark_are_frozen() -> None:
    pace = Pace(0.006, 0.007, 200.0)
    facts = ("runs/a", "runs/a", "litert", "int8", 4_000_000, 46, "pictures of val and test", 0.9)
    document = read(
        formats.benchmark_document(BenchmarkResult("a CPU", 2, (TimedModel(*facts, pace),)))
    )
    assert set(document) == OPENING | {"cpu", "threads", "models"}
    assert document["command"] == "benchmark"
    assert document["models"] == [
        {
            "target": "runs/a",
            "run": "runs/a",
            "format": "litert",
            "body": "int8",
            "size_bytes": 4_000_000,
            "num_images": 46,
            "source": "pictures of val and test",
            "accuracy": 0.9,
            "median_seconds": 0.006,
            "p95_seconds": 0.007,
            "images_per_second": 200.0,
        }
    ]


def test_the_keys_of_init_are_frozen() -> None:
    result = InitResult(Path("d.yaml"), "full", ("a", "b"), 7, (28, 20), "grayscale", "28 px")
    document = read(formats.init_document(result))
    assert document == {
        "schema": 1,
        "command": "init",
        "dlcli": __version__,
        "output": "d.yaml",
        "template": "full",
        "classes": ["a", "b"],
        "num_images": 7,
        "image_size": [28, 20],
        "color": "grayscale",
        "reason": "28 px",
    }
    unfitted = read(formats.init_document(InitResult(Path("d.yaml"), "full", (), 0)))
    assert (unfitted["image_size"], unfitted["color"], unfitted["reason"]) == (None, "rgb", "")
    listed = read(formats.templates_document({"full": "Every key"}))
    assert set(listed) == OPENING | {"templates"}


def test_the_keys_of_models_are_frozen() -> None:
    models = [BackboneFacts("vgg16", 14_714_688, (224, 200), "to be downloaded")]
    assert read(formats.models_document(models)) == {
        "schema": 1,
        "command": "models",
        "dlcli": __version__,
        "models": [
            {
                "name": "vgg16",
                "parameters": 14_714_688,
                "image_size": [224, 200],
                "weights": "to be downloaded",
            }
        ],
    }


def test_the_keys_of_a_dry_run_are_frozen() -> None:
    stages = (Stage("all layers", "all", 4, 8, 1e-3),)
    shown = ModelShown((LayerRow("dense_0", (4,), 10, 8),), 8, 1000)
    plan = HeadPlan(Spec(), stages, shown, Start("random"), reason="as effort best allows")
    numbers = {"train": 6, "val": 2, "test": 2, "skipped": 1}
    document = read(formats.dry_run_document(DryRunResult(plan, ("a", "b"), numbers)))
    assert document == {
        "schema": 1,
        "command": "train",
        "dlcli": __version__,
        "model": {
            "backbone": "efficientnet-lite0",
            "weights": "random",
            "parameters": 10,
            "trainable_parameters": 8,
            "body": "float32",
            "pooling": "average",
            "refit": False,
            "layers": [
                {
                    "name": "dense_0",
                    "output_shape": [4],
                    "parameters": 10,
                    "trainable_parameters": 8,
                }
            ],
            "batch_size": 8,
            "memory_bytes": 1000,
        },
        "num_images": numbers,
        "classes": ["a", "b"],
        "plan": {
            "effort": "balanced",
            "reason": "as effort best allows",
            "expected_seconds": document["plan"]["expected_seconds"],
            "stages": [
                {
                    "name": "all layers",
                    "trainable": "all",
                    "epochs": 4,
                    "batch_size": 8,
                    "learning_rate": 1e-3,
                    "views": None,
                    "layer_decay": 1.0,
                    "tests_rate": False,
                }
            ],
        },
    }
    assert document["plan"]["expected_seconds"] > 0


def test_an_undefined_metric_is_null() -> None:
    empty = make_report(np.zeros((0, 2)), np.zeros(0, np.int64), ["a", "b"])
    document = read(formats.evaluate_document(EvaluateResult("r", "s", empty, ())))
    report = document["report"]
    assert isinstance(report, dict)
    assert (report["accuracy"], report["accuracy_interval"], report["log_loss"]) == (None,) * 3


def test_the_keys_of_check_are_frozen() -> None:
    document = json.loads(formats.dump_json(formats.check_document(DIRTY)))
    assert list(document) == [
        "schema",
        "command",
        "dlcli",
        "target",
        "num_images",
        "classes",
        "splits",
        "findings",
        "gates",
        "census",
        "skipped",
        "num_ignored",
        "uniform_classes",
    ]
    assert (document["schema"], document["command"]) == (1, "check")
    assert document["classes"] == [
        {"name": "cat", "num_images": 1200},
        {"name": "dog", "num_images": 40},
    ]
    assert document["findings"][0] == {
        "kind": "leak",
        "paths": ["test/a", "train/b"],
        "detail": "the same picture in train and test",
        "exclude": ["train/b"],
        "classes": [],
    }
    assert document["gates"][0] == {
        "metric": "leak",
        "minimum": None,
        "maximum": 0,
        "value": 1,
        "passed": False,
    }
    assert document["skipped"][0] == {"path": "cat/skipped0", "reason": "not a picture"}
    assert document["splits"] == {"train": 1000, "test": 240}
    assert document["census"] == {
        "formats": {"JPEG": 1239, "PNG": 1},
        "modes": {"RGB": 1240},
        "shapes": {"portrait": 0, "square": 1000, "landscape": 240},
        "shorter_sides": {"128 to 255": 1240},
        "heights": {"minimum": 150, "median": 200, "maximum": 250},
        "widths": {"minimum": 300, "median": 300, "maximum": 300},
        "aspect_ratios": {"minimum": 1.2, "median": 1.5, "maximum": 2},
    }


def test_the_keys_of_explain_are_frozen() -> None:
    near = (NearPicture("animals/cat/1.jpg", "cat", 0.5),)
    images = [
        ExplainedImage("a", "cat", 0.75, "dog", 0.25, "maps/a.png", "conv", near, unknown=True),
        ExplainedImage("b", error="no such file"),
    ]
    assert read(explain_document("r", images)) == {
        "schema": 1,
        "command": "explain",
        "dlcli": __version__,
        "run": "r",
        "images": [
            {
                "path": "a",
                "label": "cat",
                "probability": 0.75,
                "explained": "dog",
                "map": "maps/a.png",
                "layer": "conv",
                "nearest": [{"path": "animals/cat/1.jpg", "label": "cat", "similarity": 0.5}],
                "error": None,
            },
            {
                **dict.fromkeys(("label", "probability", "explained", "map", "layer", "nearest")),
                "path": "b",
                "error": "no such file",
            },
        ],
    }
