"""When an answer is given, and what belongs to a set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlcli.artifact import VAL_ANSWERS, Artifact, ModelFacts
from dlcli.commands.answer_rules import (
    AnswerRules,
    Asked,
    RankedClass,
    fit_rules,
    least_of_sets,
    require_sound,
)
from dlcli.data.pixels import PixelFormat
from dlcli.errors import UsageError
from dlcli.events import Said, Warned
from dlcli.metrics.val_answers import ValAnswers
from dlcli.runtime.classifier import Classifier, Prediction
from tests.conftest import Recorder
from tests.runtime.test_classifier import make_classifier

NAMES = ("dark", "bright", "other")
ROW = np.array([0.25, 0.65, 0.1], np.float32)
ANSWER = Prediction("a.jpg", ROW, 0.5)


def val(right: list[int], sureness: list[float]) -> ValAnswers:
    probabilities = np.array(sureness, np.float32)
    is_right = np.array(right, bool)
    true = np.where(is_right, probabilities, 1 - probabilities).astype(np.float32)
    return ValAnswers(probabilities, true, is_right, np.full(len(right), 0.5, np.float32))


def classifier_with(tmp_path: Path, answers: ValAnswers | None) -> Classifier:
    sha256s = {}
    if answers is not None:
        answers.save(tmp_path / VAL_ANSWERS)
        sha256s[VAL_ANSWERS] = "checked when it is opened"
    facts = ModelFacts("means", "none", 12, 12)
    artifact = Artifact(tmp_path, NAMES, PixelFormat((32, 32)), facts, sha256s, 0.05)
    return replace(make_classifier(), artifact=artifact)


def said(recorder: Recorder) -> list[str]:
    return [event.text for event in recorder.events if isinstance(event, Said | Warned)]


def test_a_record_by_hand() -> None:
    record = AnswerRules(NAMES, top=2).record_of(ANSWER)
    assert (record.path, record.label, record.probability) == ("a.jpg", "bright", ROW[1])
    assert record.top == (RankedClass("bright", ROW[1]), RankedClass("dark", ROW[0]))
    assert (record.typicality, record.unknown, record.reason) == (0.5, False, None)
    assert record.set is record.probabilities is record.error is None


def test_all_classes_where_they_are_asked_for() -> None:
    record = AnswerRules(NAMES, top=None, probabilities=True).record_of(ANSWER)
    assert record.probabilities == dict(zip(NAMES, map(float, ROW), strict=True))
    assert [one.label for one in record.top or ()] == ["bright", "dark", "other"]


def test_an_error_is_a_record_without_an_answer() -> None:
    record = AnswerRules(NAMES, 0.9, 0.1).record_of(Prediction("a.jpg", error="no such file"))
    assert (record.error, record.unknown) == ("no such file", False)
    assert record.label is record.top is record.typicality is record.reason is record.set is None


@pytest.mark.parametrize(
    ("least", "atypical", "reason"),
    [
        (0.0, False, None),
        (0.65, False, None),
        (0.66, False, "improbable"),
        (0.0, True, "atypical"),
        (0.9, True, "atypical"),
    ],
)
def test_why_a_picture_is_unknown(least: float, atypical: bool, reason: str | None) -> None:
    least = float(np.float32(least))
    record = AnswerRules(NAMES, least).record_of(replace(ANSWER, unknown=atypical))
    assert (record.unknown, record.reason) == (reason is not None, reason)
    assert record.label == "bright"


@pytest.mark.parametrize(
    ("least", "held"),
    [(0.2, ("bright", "dark")), (0.7, ("bright",)), (0, ("bright", "dark", "other"))],
)
def test_a_set_holds_what_is_probable_enough(least: float, held: tuple[str, ...]) -> None:
    assert AnswerRules(NAMES, least_of_set=least).record_of(ANSWER).set == held


def test_a_threshold_as_it_is_typed(tmp_path: Path) -> None:
    classifier = classifier_with(tmp_path, None)
    assert fit_rules(classifier, Asked(), Recorder()).least_probability == 0
    assert fit_rules(classifier, Asked("0.7"), Recorder()).least_probability == 0.7


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Asked("much"), "--threshold much: must be auto or a probability from 0 to 1"),
        (Asked("1.5"), "--threshold 1.5: must be auto"),
        (Asked("nan"), "--threshold nan: must be auto"),
        (Asked("0.5", 0.05), "contradicts --max-error 0.05"),
        (Asked(max_error=0), "--max-error 0: must lie between 0 and 1"),
        (Asked(max_error=5), "--max-error 5: must lie between"),
        (Asked(coverage=1), "--coverage 1: must lie between"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: Asked, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        require_sound(asked)


def test_a_share_of_errors_finds_its_threshold_and_says_what_it_means(tmp_path: Path) -> None:
    answers = val([1] * 18 + [0, 1], [0.9] * 18 + [0.6, 0.7])
    recorder = Recorder()
    rules = fit_rules(classifier_with(tmp_path, answers), Asked(max_error=0.01), recorder)
    assert rules.least_probability == pytest.approx(0.7)
    (told,) = said(recorder)
    assert told.startswith(
        "answers from 0.700 on are given: on val 19 of 20, 0 of them wrong (95 %"
    )
    recorder = Recorder()
    rules = fit_rules(classifier_with(tmp_path, answers), Asked(max_error=0.1), recorder)
    assert rules.least_probability == 0
    assert said(recorder)[0].startswith("answers of any probability are given: on val 20 of 20, 1")


def test_errors_that_cannot_be_kept_as_rare_are_a_sentence(tmp_path: Path) -> None:
    classifier = classifier_with(tmp_path, val([0, 1], [0.9, 0.8]))
    with pytest.raises(UsageError, match=r"--max-error 0.05: the surest answers on val \(2 pic"):
        fit_rules(classifier, Asked(max_error=0.05), Recorder())


def test_sets_are_fitted_on_val(tmp_path: Path) -> None:
    answers = val([1] * 30, [0.99 - 0.01 * number for number in range(30)])
    rules = fit_rules(classifier_with(tmp_path, answers), Asked(coverage=0.9), Recorder())
    assert rules.least_of_set == pytest.approx(0.72)  # the 28th of 31 ranks


def test_too_small_a_val_is_said() -> None:
    recorder = Recorder()
    assert least_of_sets(val([1] * 10, [0.9] * 10), 0.95, recorder) == 0
    assert said(recorder) == [
        "val has 10 pictures, and 19 are needed to promise 0.95: every set holds every class"
    ]


@pytest.mark.parametrize(
    ("asked", "option"),
    [(Asked(max_error=0.1), "--max-error"), (Asked(coverage=0.9), "--coverage")],
)
def test_a_model_that_does_not_know_val_is_a_sentence(
    asked: Asked, option: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=f"{option}: imagenet does not know what it answered"):
        fit_rules(classifier_with(tmp_path, None), asked, Recorder(), "imagenet")
