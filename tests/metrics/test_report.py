"""All numbers of one evaluation, under the names of the contract."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from dlcli.metrics.classification import AverageScores, ClassScores, ConfusedPair
from dlcli.metrics.coverage import CoveragePoint
from dlcli.metrics.intervals import wilson_interval
from dlcli.metrics.report import Report, make_report
from tests.metrics.test_classification import random_case

NAMES = ("cat", "dog", "emu")
# The guesses are cat, cat, dog, dog; the third class is never guessed.
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.1, 0.6, 0.3]])
LABELS = np.array([0, 1, 1, 2])


def random_report(order: list[int] | None = None) -> Report:
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet(np.ones(4), 50)
    labels = rng.integers(0, 4, 50)
    rows = np.array(order) if order else np.arange(50)
    return make_report(probabilities[rows], labels[rows], "abcd")


def rounded(value: Any) -> Any:
    """The same, without the last digits, which depend on the order of a sum."""
    return json.loads(json.dumps(value), parse_float=lambda text: round(float(text), 9))


def test_a_report_by_hand() -> None:
    report = make_report(PROBABILITIES, LABELS, NAMES)
    assert report.num_images == 4
    assert report.num_correct == 2
    assert report.accuracy == 0.5
    assert report.accuracy_interval == wilson_interval(2, 4)
    assert report.balanced_accuracy == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert report.top_k_accuracy == {"2": 1.0}
    expected_loss = -(math.log(0.7) + math.log(0.4) + math.log(0.8) + math.log(0.3)) / 4
    assert report.log_loss == pytest.approx(expected_loss)
    # Each picture is alone in its bin: right at 0.7 and 0.8, wrong at 0.5 and 0.6.
    expected_error = (0.3 + 0.5 + 0.2 + 0.6) / 4
    assert report.expected_calibration_error == pytest.approx(expected_error)
    assert report.majority_baseline == 0.5
    assert report.classes == (
        ClassScores("cat", 0.5, 1.0, pytest.approx(2 / 3), 1),
        ClassScores("dog", 0.5, 0.5, 0.5, 2),
        ClassScores("emu", None, 0.0, 0.0, 1),
    )
    assert report.macro_avg == AverageScores(0.5, 0.5, pytest.approx((2 / 3 + 1 / 2) / 3))
    assert report.weighted_avg == AverageScores(0.5, 0.5, pytest.approx((2 / 3 + 1) / 4))
    assert report.confusion_matrix == ((1, 0, 0), (1, 1, 0), (0, 1, 0))
    assert report.most_confused == (ConfusedPair("dog", "cat", 1), ConfusedPair("emu", "dog", 1))
    assert report.chance_baseline == pytest.approx(1 / 3)
    assert report.calibration_error_before is None
    # The surest two are right (0.8 and 0.7), the others (0.6 and 0.5) are not.
    assert report.risk_coverage == (
        CoveragePoint(0.5, 0.7, 2, 1.0),
        CoveragePoint(0.8, 0.5, 4, 0.5),
        CoveragePoint(0.9, 0.5, 4, 0.5),
        CoveragePoint(0.95, 0.5, 4, 0.5),
        CoveragePoint(1.0, 0.5, 4, 0.5),
    )


def test_the_calibration_error_without_the_temperature() -> None:
    # Odds of 9:1 were 3:1 before a temperature of 1/2: three of four right is 0.75 exactly.
    probabilities = np.array([[0.9, 0.1]] * 4)
    report = make_report(probabilities, np.array([0, 0, 0, 1]), ["cat", "dog"], 0.5)
    assert report.expected_calibration_error == pytest.approx(0.15)
    assert report.calibration_error_before == pytest.approx(0)


@pytest.mark.parametrize(
    ("num_classes", "ks"), [(2, []), (3, ["2"]), (4, ["2", "3"]), (6, ["2", "3", "5"])]
)
def test_top_k_is_given_where_it_says_something(num_classes: int, ks: list[str]) -> None:
    probabilities = np.full((3, num_classes), 1 / num_classes)
    report = make_report(probabilities, np.zeros(3, int), [str(k) for k in range(num_classes)])
    assert list(report.top_k_accuracy) == ks


def test_an_evaluation_without_pictures_is_undefined_and_not_zero() -> None:
    report = make_report(np.zeros((0, 3)), np.zeros(0, np.int64), NAMES)
    assert report.num_images == report.num_correct == 0
    numbers = report.to_json()
    undefined = ("accuracy", "accuracy_interval", "balanced_accuracy", "log_loss")
    baselines = ("majority_baseline", "chance_baseline")
    errors = ("expected_calibration_error", "calibration_error_before")
    for name in (*undefined, *errors, *baselines):
        assert numbers[name] is None
    assert make_report(np.zeros((0, 3)), LABELS[:0], NAMES, 2.0).calibration_error_before is None
    assert report.risk_coverage == ()
    assert report.top_k_accuracy == {"2": None}
    assert report.macro_avg == report.weighted_avg == AverageScores(None, None, None)
    assert [(one.name, one.recall, one.support) for one in report.classes] == [
        (name, None, 0) for name in NAMES
    ]
    assert report.confusion_matrix == ((0, 0, 0),) * 3
    assert report.most_confused == ()


def test_a_class_without_test_pictures_does_not_lower_the_balanced_accuracy() -> None:
    report = make_report(PROBABILITIES[[0, 2]], LABELS[[0, 2]], NAMES)
    assert report.accuracy == report.balanced_accuracy == 1.0
    assert report.classes[2].recall is None


def test_the_order_of_pictures_does_not_matter() -> None:
    order = [int(row) for row in np.random.default_rng(0).permutation(50)]
    assert rounded(random_report(order).to_json()) == rounded(random_report().to_json())


def test_the_json_is_plain_and_has_the_names_of_the_contract() -> None:
    numbers = json.loads(json.dumps(random_report().to_json(), allow_nan=False))
    expected = """num_images accuracy accuracy_interval balanced_accuracy top_k_accuracy log_loss
        expected_calibration_error majority_baseline classes macro_avg weighted_avg
        confusion_matrix most_confused calibration_error_before chance_baseline risk_coverage"""
    assert set(numbers) == set(expected.split())
    assert set(numbers["classes"][0]) == {"name", "precision", "recall", "f1_score", "support"}
    assert set(numbers["macro_avg"]) == {"precision", "recall", "f1_score"}
    assert set(numbers["most_confused"][0]) == {"true", "predicted", "count"}
    assert set(numbers["risk_coverage"][0]) == {"coverage", "threshold", "num_images", "accuracy"}
    assert len(numbers["accuracy_interval"]) == 2


def test_a_report_comes_back_from_its_json() -> None:
    rng = np.random.default_rng(3)
    report = make_report(rng.dirichlet(np.ones(4), 50), rng.integers(0, 4, 50), "abcd", 1.5)
    assert report.calibration_error_before is not None
    assert Report.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_what_an_older_report_does_not_have_is_none() -> None:
    numbers = json.loads(json.dumps(random_report().to_json()))
    for name in ("calibration_error_before", "chance_baseline", "risk_coverage"):
        del numbers[name]
    older = Report.from_json(numbers)
    assert older.risk_coverage is older.chance_baseline is older.calibration_error_before is None
    assert older.accuracy == random_report().accuracy


@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_and_scipy_give_the_same_report() -> None:
    """200 random cases: classes that do not occur or are never guessed are among them."""
    from scipy.stats import binomtest
    from sklearn import metrics

    undefined = tops = 0
    for seed in range(200):
        probabilities, labels = random_case(seed)
        guesses, count = probabilities.argmax(axis=1), probabilities.shape[1]
        report = make_report(probabilities, labels, [str(label) for label in range(count)])
        classes = range(count)
        assert report.accuracy == pytest.approx(metrics.accuracy_score(labels, guesses))
        interval = binomtest(report.num_correct, len(labels)).proportion_ci(method="wilson")
        assert report.accuracy_interval == pytest.approx((interval.low, interval.high))
        balanced = metrics.balanced_accuracy_score(labels, guesses)
        assert report.balanced_accuracy == pytest.approx(balanced)
        loss = metrics.log_loss(labels, probabilities, labels=classes)
        assert report.log_loss == pytest.approx(loss)
        matrix = metrics.confusion_matrix(labels, guesses, labels=classes)
        assert report.confusion_matrix == tuple(map(tuple, matrix.tolist()))
        for k, found in report.top_k_accuracy.items():
            tops += 1
            top = metrics.top_k_accuracy_score(labels, probabilities, k=int(k), labels=classes)
            assert found == pytest.approx(top)
        for averages, name in ((report.macro_avg, "macro"), (report.weighted_avg, "weighted")):
            *expected, _ = metrics.precision_recall_fscore_support(
                labels, guesses, labels=classes, average=name, zero_division=np.nan
            )
            found = (averages.precision, averages.recall, averages.f1_score)
            if name == "weighted" and None in found:
                # No class with a precision has a picture, and thus a weight: scikit-learn then
                # takes the plain mean.
                assert all(one.precision is None for one in report.classes if one.support)
                found, expected = found[1:], expected[1:]
            assert found == pytest.approx(expected)
        undefined += sum(None in (one.precision, one.recall) for one in report.classes)
    assert undefined > 20
    assert tops > 200


def test_float32_probabilities_give_the_same_report() -> None:
    single = make_report(PROBABILITIES.astype(np.float32), LABELS, NAMES)
    double = make_report(PROBABILITIES, LABELS, NAMES)
    assert single.confusion_matrix == double.confusion_matrix
    assert single.log_loss == pytest.approx(double.log_loss, rel=1e-6)
    assert single.expected_calibration_error == pytest.approx(double.expected_calibration_error)
