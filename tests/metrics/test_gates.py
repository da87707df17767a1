"""Bounds on the numbers of a report."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dlcli.errors import UsageError
from dlcli.metrics.gates import Gate, judge, read_bounds, read_share, require_measurable
from dlcli.metrics.intervals import wilson_interval
from dlcli.metrics.report import Report, make_report

NAMES = ("cat", "dog", "a:b=c@low", "emu")
# 4 of 5 cats, 2 of 4 dogs and the 1 of the third are right; no emu is there, and none is guessed.
TRUE = [0, 0, 0, 0, 0, 1, 1, 1, 1, 2]
GUESSED = [0, 0, 0, 0, 1, 1, 1, 0, 0, 2]


@pytest.fixture(scope="module")
def report() -> Report:
    probabilities = np.full((10, 4), 0.05)
    probabilities[np.arange(10), GUESSED] = 0.85
    return make_report(probabilities, np.array(TRUE), NAMES)


def judge_one(text: str, report: Report, option: str = "--min") -> Gate:
    bounds = read_bounds([text], []) if option == "--min" else read_bounds([], [text])
    require_measurable(bounds, NAMES)
    (gate,) = judge(bounds, report)
    return gate


LOW, HIGH = wilson_interval(7, 10) or (0, 0)


@pytest.mark.parametrize(
    ("option", "typed", "value", "passed"),
    [
        ("--min", "accuracy=0.7", 0.7, True),
        ("--min", "accuracy=70%", 0.7, True),
        ("--min", "accuracy=0.71", 0.7, False),
        ("--max", "accuracy=0.7", 0.7, True),
        ("--max", "accuracy=0.69", 0.7, False),
        ("--min", "accuracy=0.39@low", LOW, True),
        ("--min", "accuracy=0.4@low", LOW, False),
        ("--min", "accuracy=0.89@high", HIGH, True),
        ("--max", "accuracy=0.89@high", HIGH, False),
        ("--min", "recall:cat=0.8", 0.8, True),
        ("--min", "recall:dog=0.51", 0.5, False),
        ("--min", "recall:a:b=c@low=1", 1.0, True),
        ("--min", "recall:cat=0.37@low", 0.375535, True),
        ("--min", "recall:cat=0.38@low", 0.375535, False),
        ("--min", "precision:cat=0.6", 4 / 6, True),
        ("--min", "precision:dog=0.9@high", 0.9385081, True),
        ("--min", "f1_score:cat=0.72", 8 / 11, True),
        ("--min", "f1:cat=0.73", 8 / 11, False),
        ("--min", "recall:emu=0", None, False),
        ("--max", "precision:emu=1", None, False),
        ("--min", "balanced_accuracy=0.76", (0.8 + 0.5 + 1) / 3, True),
        ("--min", "top_k_accuracy:2=0.5", 1.0, True),
        ("--max", "ece=0.2", 0.15, True),
        ("--max", "ece=0.1", 0.15, False),
        ("--max", "expected_calibration_error=0.151", 0.15, True),
        ("--max", "log_loss=1.01", -(7 * np.log(0.85) + 3 * np.log(0.05)) / 10, False),
        ("--max", "log_loss=1.02", -(7 * np.log(0.85) + 3 * np.log(0.05)) / 10, True),
        ("--min", "macro_avg:recall=0.76", (0.8 + 0.5 + 1) / 3, True),
        ("--min", "weighted_avg:precision=0.71", (5 * 4 / 6 + 4 * 2 / 3 + 1) / 10, False),
        ("--min", "num_images=10", 10, True),
    ],
)
def test_thirty_gates(
    report: Report, option: str, typed: str, value: float | None, passed: bool
) -> None:
    gate = judge_one(typed, report, option)
    assert gate.value == (None if value is None else pytest.approx(value, abs=1e-6))
    assert gate.passed is passed
    assert (gate.minimum is None) is (option == "--max")
    assert (gate.maximum is None) is (option == "--min")


def test_a_gate_says_what_was_counted(report: Report) -> None:
    assert judge_one("recall:cat=0.9@low", report) == Gate(
        "recall:cat@low", 0.9, None, pytest.approx(0.375535, abs=1e-6), False, "4 of 5"
    )
    assert judge_one("accuracy=0.5", report).detail == "7 of 10"
    assert judge_one("recall:emu=0.5", report).detail == "undefined: no picture of it"
    assert judge_one("precision:emu=0.5", report).detail == "undefined: nothing was taken for it"
    assert judge_one("f1:emu=0", report).detail == "undefined"


def test_the_minima_come_first_and_a_metric_may_have_both(report: Report) -> None:
    gates = judge(read_bounds(["accuracy=0.5", "ece=0"], ["accuracy=0.6"]), report)
    assert [(gate.metric, gate.minimum, gate.maximum) for gate in gates] == [
        ("accuracy", 0.5, None),
        ("ece", 0.0, None),
        ("accuracy", None, 0.6),
    ]


def test_an_evaluation_without_pictures_passes_nothing() -> None:
    empty = make_report(np.zeros((0, 4)), np.zeros(0, np.int64), NAMES)
    bounds = read_bounds(["accuracy=0", "accuracy=0@low", "top_k_accuracy:3=0"], ["ece=1"])
    gates = judge(bounds, empty)
    assert len(gates) == 4
    assert all((gate.value, gate.passed) == (None, False) for gate in gates)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("acuracy=0.9", "there is no metric 'acuracy'. Did you mean accuracy? There are accuracy,"),
        ("recal:cat=0.9", "there is no metric 'recal'. Did you mean recall?"),
        ("f1score:cat=0.9", "Did you mean f1_score?"),
        ("recall=0.9", "recall cannot be asked for like this. There are accuracy,"),
        ("accuracy:cat=0.9", "accuracy cannot be asked for like this"),
        ("top_k_accuracy:x=0.9", "top_k_accuracy cannot be asked for like this"),
        ("macro_avg:cat=0.9", "macro_avg cannot be asked for like this"),
        ("accuracy", "a metric and a value are wanted. E.g. --min accuracy=0.95"),
        ("accuracy=high", "'high' is no number of 0 or more. Write 0.95 or 95%."),
        ("accuracy=nan", "'nan' is no number"),
        ("accuracy=inf", "'inf' is no number"),
        ("accuracy=-0.1", "'-0.1' is no number"),
        ("accuracy=95", "accuracy lies between 0 and 1. Write 0.95 or 95%."),
        ("accuracy=0.9@lower", "accuracy has no end 'lower': low and high are."),
        ("ece=0.9@low", "ece has no interval. accuracy, recall:CLASS and precision:CLASS have one"),
        ("f1:cat=0.9@low", "f1:cat has no interval"),
    ],
)
def test_what_cannot_be_a_gate_is_a_sentence(typed: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)) as error:
        read_bounds([typed], [])
    assert error.value.where == f"--min {typed}"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("recall:kat=0.9", "there is no class 'kat'. Did you mean cat? The classes are cat, dog,"),
        ("f1:Dog=0.9", "there is no class 'Dog'. Did you mean dog?"),
        ("top_k_accuracy:4=0.9", "of 4 classes there is no top_k_accuracy:4. k may be 2, 3."),
        ("top_k_accuracy:1=0.9", "k may be 2, 3"),
    ],
)
def test_classes_and_ks_are_those_of_the_run(typed: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        require_measurable(read_bounds([], [typed]), NAMES)


def test_two_classes_have_no_top_k() -> None:
    with pytest.raises(UsageError, match="There is none for 2 classes"):
        require_measurable(read_bounds(["top_k_accuracy:2=0.9"], []), ("a", "b"))


@pytest.mark.parametrize(
    ("text", "share"),
    [("0.5%", 0.005), ("0.005", 0.005), ("0.7%", 0.007), (" 1e-3 ", 0.001), ("0", 0.0)],
)
def test_a_share_is_read_to_the_last_bit(text: str, share: float) -> None:
    assert read_share(text, "--max-drop") == share
