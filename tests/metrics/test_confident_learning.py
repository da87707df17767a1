"""Confident learning, by hand and by its symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dlcli.metrics.confident_learning import (
    NO_CLASS,
    class_thresholds,
    confident_classes,
    confident_errors,
    implausible_labels,
    self_confidence,
)

# Three pictures labelled 0, two labelled 1, one labelled 2.
PROBABILITIES = np.array(
    [
        [0.90, 0.06, 0.04],
        [0.70, 0.20, 0.10],
        [0.05, 0.93, 0.02],
        [0.10, 0.85, 0.05],
        [0.30, 0.45, 0.25],
        [0.30, 0.30, 0.40],
    ]
)
LABELS = np.array([0, 0, 0, 1, 1, 2])
THRESHOLDS = [(0.9 + 0.7 + 0.05) / 3, (0.85 + 0.45) / 2, 0.4]  # 0.55, 0.65, 0.4


def test_a_threshold_is_the_mean_self_confidence_of_a_class() -> None:
    np.testing.assert_allclose(class_thresholds(PROBABILITIES, LABELS), THRESHOLDS)
    np.testing.assert_allclose(
        self_confidence(PROBABILITIES, LABELS), [0.9, 0.7, 0.05, 0.85, 0.45, 0.4]
    )


def test_a_picture_is_counted_to_the_most_probable_class_over_its_threshold() -> None:
    classes = confident_classes(PROBABILITIES, class_thresholds(PROBABILITIES, LABELS))
    # The fifth is most probably of class 1, but pictures of that class get 0.65 on average.
    np.testing.assert_array_equal(classes, [0, 0, 1, 1, NO_CLASS, 2])


def test_a_less_probable_class_over_its_threshold_comes_before_a_more_probable_one_below() -> None:
    thresholds = np.array([0.8, 0.3, 0.9])
    np.testing.assert_array_equal(confident_classes(np.array([[0.6, 0.4, 0.0]]), thresholds), [1])


def test_errors_are_counted_to_another_class() -> None:
    np.testing.assert_array_equal(
        confident_errors(PROBABILITIES, LABELS), [False, False, True, False, False, False]
    )


def test_no_error_where_the_own_label_is_more_probable() -> None:
    """Class 1 is never sure, so its threshold is low: the first picture reaches it, and not that
    of its own class."""
    probabilities = np.array([[0.6, 0.4], [1.0, 0.0], [1.0, 0.0], [0.7, 0.3], [0.7, 0.3]])
    labels = np.array([0, 0, 0, 1, 1])
    classes = confident_classes(probabilities, class_thresholds(probabilities, labels))
    np.testing.assert_array_equal(classes, [1, 0, 0, 1, 1])
    assert not confident_errors(probabilities, labels).any()


def test_a_class_without_pictures_is_never_counted_to() -> None:
    probabilities = np.array([[0.2, 0.1, 0.7], [0.6, 0.3, 0.1]])
    labels = np.array([0, 1])
    thresholds = class_thresholds(probabilities, labels)
    np.testing.assert_allclose(thresholds, [0.2, 0.3, np.inf])
    np.testing.assert_array_equal(confident_classes(probabilities, thresholds), [0, 0])
    np.testing.assert_array_equal(confident_errors(probabilities, labels), [False, True])


def test_equal_probabilities_reach_their_own_mean() -> None:
    """0.1 three times over is a little more than 0.1 in floating point."""
    probabilities = np.full((3, 10), 0.1)
    labels = np.zeros(3, np.int64)
    classes = confident_classes(probabilities, class_thresholds(probabilities, labels))
    np.testing.assert_array_equal(classes, [0, 0, 0])


def test_two_classes() -> None:
    probabilities = np.array([[0.99, 0.01], [0.9, 0.1], [0.04, 0.96], [0.2, 0.8]])
    labels = np.array([0, 1, 0, 1])
    # Thresholds are 0.515 and 0.45.
    np.testing.assert_array_equal(
        confident_errors(probabilities, labels), [False, True, True, False]
    )
    np.testing.assert_array_equal(implausible_labels(probabilities, labels), [2])


@pytest.mark.parametrize(
    ("row", "is_found"),
    [
        ([0.04, 0.80, 0.16], True),  # 20 times
        ([0.05, 0.80, 0.15], False),  # 16 times
        ([0.00, 0.34, 0.33, 0.33], True),  # a third
        ([0.00, 0.30, 0.30, 0.20, 0.20], False),
        ([0.98, 0.01, 0.01], False),
    ],
)
def test_what_makes_a_label_implausible(row: list[float], *, is_found: bool) -> None:
    found = implausible_labels(np.array([row]), np.array([0]))
    assert found.tolist() == ([0] if is_found else [])


def test_the_least_self_confidence_comes_first() -> None:
    probabilities = np.array([[0.02, 0.9, 0.08], [0.9, 0.05, 0.05], [0.01, 0.4, 0.59]])
    np.testing.assert_array_equal(implausible_labels(probabilities, np.zeros(3, np.int64)), [2, 0])


def test_no_pictures() -> None:
    probabilities, labels = np.empty((0, 3)), np.empty(0, np.int64)
    assert np.isinf(class_thresholds(probabilities, labels)).all()
    assert confident_errors(probabilities, labels).shape == (0,)
    assert implausible_labels(probabilities, labels).shape == (0,)


def make_probabilities(seed: int, num_rows: int, num_classes: int) -> NDArray[np.float32]:
    """From sure to unsure, float32 as a head gives them; no two numbers are equal."""
    rng = np.random.default_rng(seed)
    sharpness = rng.uniform(0.5, 6, (num_rows, 1))
    logits = rng.normal(size=(num_rows, num_classes)) * sharpness
    powers = np.exp(logits)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


@settings(derandomize=True, deadline=None, database=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(2, 7))
def test_neither_the_order_of_the_classes_nor_of_the_pictures_matters(
    seed: int, num_rows: int, num_classes: int
) -> None:
    rng = np.random.default_rng(seed + 1)
    probabilities = make_probabilities(seed, num_rows, num_classes)
    labels = rng.integers(0, num_classes, num_rows)
    errors = confident_errors(probabilities, labels)
    worst = implausible_labels(probabilities, labels)

    rename = rng.permutation(num_classes)  # class j is now class rename[j]
    renamed = np.empty_like(probabilities)
    renamed[:, rename] = probabilities
    np.testing.assert_allclose(
        class_thresholds(renamed, rename[labels])[rename], class_thresholds(probabilities, labels)
    )
    np.testing.assert_array_equal(confident_errors(renamed, rename[labels]), errors)
    np.testing.assert_array_equal(implausible_labels(renamed, rename[labels]), worst)

    order = rng.permutation(num_rows)
    np.testing.assert_array_equal(
        confident_errors(probabilities[order], labels[order]), errors[order]
    )
    np.testing.assert_array_equal(
        order[implausible_labels(probabilities[order], labels[order])], worst
    )


def test_the_symmetries_are_tried_on_pictures_with_errors() -> None:
    probabilities = make_probabilities(3, 60, 4)
    labels = np.random.default_rng(4).integers(0, 4, 60)
    assert 5 < confident_errors(probabilities, labels).sum() < 55
    assert 2 < len(implausible_labels(probabilities, labels)) < 55
