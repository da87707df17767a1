"""Per-class numbers: worked by hand, by properties, and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli.metrics.classification import (
    AverageScores,
    ClassScores,
    ConfusedPair,
    average,
    count_confusion,
    mean_log_loss,
    most_confused,
    score_classes,
    top_k_accuracy,
)

# 6 cats, 3 dogs and 1 emu; an emu is never guessed.
LABELS = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 2])
GUESSES = np.array([0, 0, 0, 0, 1, 1, 1, 1, 0, 1])
MATRIX = np.array([[4, 2, 0], [1, 2, 0], [0, 1, 0]])
NAMES = ["cat", "dog", "emu"]


def random_case(seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities (N, K) and labels; some classes may have no picture or never be guessed."""
    rng = np.random.default_rng(seed)
    num_images, num_classes = int(rng.integers(1, 60)), int(rng.integers(2, 9))
    labels = rng.integers(0, num_classes, num_images)
    logits = rng.normal(size=(num_images, num_classes))
    logits[np.arange(num_images), labels] += 1
    exponents = np.exp(logits)
    return exponents / exponents.sum(axis=1, keepdims=True), labels


def test_confusion_has_true_classes_in_rows() -> None:
    matrix = count_confusion(LABELS, GUESSES, 3)
    np.testing.assert_array_equal(matrix, MATRIX)
    assert matrix.dtype == np.int64


def test_confusion_keeps_classes_that_do_not_occur() -> None:
    matrix = count_confusion(np.array([1]), np.array([3]), 5)
    assert matrix.shape == (5, 5)
    assert matrix[1, 3] == matrix.sum() == 1


def test_confusion_of_nothing_is_all_zeros() -> None:
    nothing = np.zeros(0, np.int64)
    np.testing.assert_array_equal(count_confusion(nothing, nothing, 2), np.zeros((2, 2)))


def test_scores_by_hand() -> None:
    assert score_classes(MATRIX, NAMES) == [
        ClassScores("cat", pytest.approx(4 / 5), pytest.approx(4 / 6), pytest.approx(8 / 11), 6),
        ClassScores("dog", pytest.approx(2 / 5), pytest.approx(2 / 3), pytest.approx(4 / 8), 3),
        ClassScores("emu", None, 0.0, 0.0, 1),
    ]


def test_averages_by_hand_leave_out_what_is_undefined() -> None:
    scores = score_classes(MATRIX, NAMES)
    assert average(scores) == AverageScores(
        pytest.approx((4 / 5 + 2 / 5) / 2),
        pytest.approx((4 / 6 + 2 / 3 + 0) / 3),
        pytest.approx((8 / 11 + 4 / 8 + 0) / 3),
    )
    assert average(scores, weighted=True) == AverageScores(
        pytest.approx((6 * 4 / 5 + 3 * 2 / 5) / 9),
        pytest.approx(6 / 10),
        pytest.approx((6 * 8 / 11 + 3 * 4 / 8) / 10),
    )


def test_what_has_no_denominator_is_undefined() -> None:
    matrix = np.array([[2, 1, 0], [0, 0, 0], [0, 0, 0]])
    cat, dog, emu = score_classes(matrix, NAMES)
    assert (dog.precision, dog.recall, dog.f1_score) == (0.0, None, 0.0)
    assert (emu.precision, emu.recall, emu.f1_score) == (None, None, None)
    assert average([emu]) == average([emu], weighted=True) == AverageScores(None, None, None)
    assert average([]) == AverageScores(None, None, None)
    assert average([cat, dog, emu], weighted=True).recall == pytest.approx(2 / 3)


def test_the_most_confused_pairs_come_first() -> None:
    matrix = np.array([[9, 2, 0], [5, 9, 2], [0, 1, 9]])
    assert most_confused(matrix, NAMES) == [
        ConfusedPair("dog", "cat", 5),
        ConfusedPair("cat", "dog", 2),
        ConfusedPair("dog", "emu", 2),
        ConfusedPair("emu", "dog", 1),
    ]
    assert most_confused(matrix, NAMES, most=1) == [ConfusedPair("dog", "cat", 5)]
    assert most_confused(np.diag([3, 3, 3]), NAMES) == []


def test_top_k_by_hand() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    labels = np.array([0, 1, 2, 2])
    found = [top_k_accuracy(probabilities, labels, k) for k in (1, 2, 3)]
    assert found == [0.5, 0.75, 1.0]


def test_log_loss_by_hand() -> None:
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75]])
    expected = (math.log(2) + math.log(4)) / 2
    assert mean_log_loss(probabilities, np.array([0, 0])) == pytest.approx(expected)


def test_the_log_loss_of_an_impossible_class_is_finite() -> None:
    loss = mean_log_loss(np.array([[0.0, 1.0]]), np.array([0]))
    assert loss == pytest.approx(-math.log(1e-7))


def test_the_log_loss_of_certainty_is_zero_and_has_no_sign() -> None:
    """Also where a softmax in float32 comes to a little more than 1."""
    certain = np.array([[1.0, 0.0], [1.0000001, 0.0]], np.float32)
    assert f"{mean_log_loss(certain, np.array([0, 0])):.3f}" == "0.000"


def test_nothing_has_no_top_k_and_no_log_loss() -> None:
    probabilities, labels = np.zeros((0, 3)), np.zeros(0, np.int64)
    assert top_k_accuracy(probabilities, labels, 2) is None
    assert mean_log_loss(probabilities, labels) is None


def test_relabelling_the_classes_permutes_their_scores() -> None:
    rng = np.random.default_rng(0)
    for seed in range(20):
        probabilities, labels = random_case(seed)
        guesses, count = probabilities.argmax(axis=1), probabilities.shape[1]
        names = [f"class {number}" for number in range(count)]
        new = rng.permutation(count)
        renamed = [names[old] for old in np.argsort(new)]
        before = score_classes(count_confusion(labels, guesses, count), names)
        after = score_classes(count_confusion(new[labels], new[guesses], count), renamed)
        assert sorted(after, key=lambda score: score.name) == before


@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_gives_the_same_numbers() -> None:
    from sklearn import metrics

    undefined = 0
    for seed in range(200):
        probabilities, labels = random_case(seed)
        guesses, count = probabilities.argmax(axis=1), probabilities.shape[1]
        scores = score_classes(count_confusion(labels, guesses, count), [""] * count)
        expected = metrics.precision_recall_fscore_support(
            labels, guesses, labels=range(count), zero_division=np.nan
        )
        found = [(one.precision, one.recall, one.f1_score, one.support) for one in scores]
        undefined += sum(None in one for one in found)
        np.testing.assert_allclose(
            np.array(found, np.float64), np.transpose(expected), rtol=1e-12
        )  # fmt: skip
        balanced = metrics.balanced_accuracy_score(labels, guesses)
        assert average(scores).recall == pytest.approx(balanced)
        loss = metrics.log_loss(labels, probabilities, labels=range(count))
        assert mean_log_loss(probabilities, labels) == pytest.approx(loss)
        if count > 2:
            top = metrics.top_k_accuracy_score(labels, probabilities, k=2, labels=range(count))
            assert top_k_accuracy(probabilities, labels, 2) == pytest.approx(top)
    assert undefined > 20
