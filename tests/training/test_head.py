"""The linear head."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli.runtime.head import softmax
from dlcli.training.head import (
    PENALTIES,
    LabelledFeatures,
    fit_head,
    within_one_standard_error,
)


def labelled(features: NDArray[np.floating], labels: NDArray[np.integer]) -> LabelledFeatures:
    return LabelledFeatures(
        features.astype(np.float32), labels.astype(np.int64), np.arange(len(labels))
    )


def blobs(counts: list[int], num_features: int, distance: float, seed: int = 0) -> LabelledFeatures:
    """Gaussian classes of spread 1 whose centres, the same for every seed, are `distance` out."""
    centres = np.random.default_rng(99).normal(size=(len(counts), num_features))
    centres *= distance / np.linalg.norm(centres, axis=1, keepdims=True)
    labels = np.repeat(np.arange(len(counts)), counts)
    noise = np.random.default_rng(seed).normal(size=(len(labels), num_features))
    return labelled(centres[labels] + noise, labels)


@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize("num_features", [10, 400])
def test_separable_classes_are_told_apart(num_classes: int, num_features: int) -> None:
    distance = 60.0
    train = blobs([20] * num_classes, num_features, distance)
    val = blobs([10] * num_classes, num_features, distance, seed=1)
    test = blobs([40] * num_classes, num_features, distance, seed=2)
    fitted = fit_head(train, val, num_classes)
    probabilities = fitted.head.probabilities(test.features)
    assert probabilities.shape == (len(test.labels), num_classes)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), test.labels)
    assert fitted.val_accuracy == 1
    assert fitted.penalty in PENALTIES


def plain_probabilities(
    train: LabelledFeatures, test: LabelledFeatures, penalty: float
) -> NDArray[np.float64]:
    """What scikit-learn alone says, on features centred and scaled by one number."""
    from sklearn.linear_model import LogisticRegression

    mean = train.features.mean(axis=0)
    scale = (train.features - mean).std()
    model = LogisticRegression(C=1 / (penalty * len(train.labels)), max_iter=10_000, tol=1e-8)
    model.fit((train.features - mean) / scale, train.labels)
    found: NDArray[np.float64] = model.predict_proba((test.features - mean) / scale)
    return found


@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize("num_features", [8, 300])
def test_it_agrees_with_plain_logistic_regression(num_classes: int, num_features: int) -> None:
    train = blobs([30] * num_classes, num_features, 3)
    val = blobs([15] * num_classes, num_features, 3, seed=1)
    test = blobs([30] * num_classes, num_features, 3, seed=2)
    fitted = fit_head(train, val, num_classes)
    expected = plain_probabilities(train, test, fitted.penalty)
    found = fitted.head.uncalibrated().probabilities(test.features)
    np.testing.assert_allclose(found, expected, atol=1e-2)


def test_more_features_that_say_nothing_change_nothing() -> None:
    """100 rows are more than 60 features and fewer than 200: two ways to the same answer."""
    train, val = blobs([50, 50], 60, 3), blobs([20, 20], 60, 3, seed=1)

    def widened(part: LabelledFeatures) -> LabelledFeatures:
        # Each value twice over sqrt 2: the same distances, and the same spread of all values.
        return labelled(np.hstack([part.features, part.features]), part.labels)

    narrow, wide = fit_head(train, val, 2), fit_head(widened(train), widened(val), 2)
    test = blobs([40, 40], 60, 3, seed=2)
    expected = plain_probabilities(widened(train), widened(test), wide.penalty)
    found = wide.head.uncalibrated().probabilities(widened(test).features)
    np.testing.assert_allclose(found, expected, atol=1e-2)
    assert (found.argmax(axis=1) == narrow.head.logits(test.features).argmax(axis=1)).mean() > 0.9


@pytest.mark.parametrize("num_features", [40, 400])
def test_a_rotation_of_the_features_changes_no_answer(num_features: int) -> None:
    train, val = blobs([40, 40, 40], num_features, 4), blobs([20] * 3, num_features, 4, seed=1)
    test = blobs([30] * 3, num_features, 4, seed=2)
    noise = np.random.default_rng(5).normal(size=(num_features, num_features))
    rotation = np.linalg.qr(noise)[0]

    def rotated(part: LabelledFeatures) -> LabelledFeatures:
        return labelled(part.features @ rotation, part.labels)

    plain = fit_head(train, val, 3)
    turned = fit_head(rotated(train), rotated(val), 3)
    assert turned.penalty == plain.penalty
    np.testing.assert_allclose(
        turned.head.probabilities(rotated(test).features),
        plain.head.probabilities(test.features),
        atol=1e-2,
    )


def test_features_far_from_zero_and_of_any_scale_give_the_same_answer() -> None:
    train, val = blobs([30, 30], 100, 5), blobs([20, 20], 100, 5, seed=1)
    test = blobs([20, 20], 100, 5, seed=2)

    def moved(part: LabelledFeatures) -> LabelledFeatures:
        return labelled(part.features * 0.01 + 3, part.labels)

    plain, other = fit_head(train, val, 2), fit_head(moved(train), moved(val), 2)
    np.testing.assert_allclose(
        other.head.probabilities(moved(test).features),
        plain.head.probabilities(test.features),
        atol=1e-2,
    )


def test_other_numbers_for_the_classes_give_the_same_answers() -> None:
    order = np.array([2, 0, 1])
    train, val = blobs([25, 30, 35], 20, 3), blobs([15] * 3, 20, 3, seed=1)
    plain = fit_head(train, val, 3)
    renamed = fit_head(
        labelled(train.features, order[train.labels]), labelled(val.features, order[val.labels]), 3
    )
    test = blobs([20] * 3, 20, 3, seed=2).features
    np.testing.assert_allclose(
        renamed.head.uncalibrated().probabilities(test)[:, order],
        plain.head.uncalibrated().probabilities(test),
        atol=1e-2,
    )


def test_a_head_on_noise_is_made_less_sure() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    train = labelled(rng.normal(size=(90, 500)), labels)
    val = labelled(rng.normal(size=(45, 500)), labels[:45])
    test = labelled(rng.normal(size=(300, 500)), np.arange(300) % 3)
    head = fit_head(train, val, 3).head
    assert head.temperature > 1

    def log_loss(probabilities: NDArray[np.float32]) -> float:
        return float(-np.log(probabilities[np.arange(300), test.labels]).mean())

    calibrated = log_loss(head.probabilities(test.features))
    assert calibrated < log_loss(head.uncalibrated().probabilities(test.features))
    assert calibrated == pytest.approx(np.log(3), abs=0.1)


def test_val_log_loss_is_that_of_val_before_the_temperature() -> None:
    train, val = blobs([30, 30, 30], 20, 3), blobs([20] * 3, 20, 3, seed=1)
    fitted = fit_head(train, val, 3)
    own = softmax(fitted.head.logits(val.features))[np.arange(60), val.labels]
    assert fitted.val_log_loss == pytest.approx(-np.log(own).mean(), abs=1e-4)


def test_the_same_data_give_the_same_head() -> None:
    train, val = blobs([30, 30, 30], 200, 3), blobs([10] * 3, 200, 3, seed=1)
    first, second = fit_head(train, val, 3), fit_head(train, val, 3)
    np.testing.assert_array_equal(first.head.weights, second.head.weights)
    np.testing.assert_array_equal(first.head.bias, second.head.bias)
    assert first.head.temperature == second.head.temperature


@pytest.mark.parametrize(
    "counts", [(1, 1), (2, 2), (2, 1), (1, 40), (40, 1), (2, 40), (1, 1, 1), (1, 20, 20), (2, 2, 2)]
)
def test_very_small_classes_are_learned(counts: tuple[int, ...]) -> None:
    train = blobs(list(counts), 50, 40)
    val = blobs([5] * len(counts), 50, 40, seed=1)
    fitted = fit_head(train, val, len(counts))
    assert np.isfinite(fitted.head.weights).all()
    assert fitted.val_accuracy > 1 / len(counts)
    assert 0.05 <= fitted.head.temperature <= 20


def test_a_class_that_is_one_group_does_not_crash() -> None:
    """All its pictures are copies of one: they lie in one fold together."""
    train = blobs([30, 30, 6], 50, 10)
    groups = np.where(train.labels == 2, 1000, train.groups)
    train = LabelledFeatures(train.features, train.labels, groups)
    fitted = fit_head(train, blobs([10] * 3, 50, 10, seed=1), 3)
    assert fitted.val_accuracy > 0.9
    assert np.isfinite(fitted.head.temperature)


@pytest.mark.parametrize("num_features", [4, 100])
def test_pictures_that_all_look_the_same_do_not_crash(num_features: int) -> None:
    alike = labelled(np.full((10, num_features), 0.5), np.arange(10) % 2)
    fitted = fit_head(alike, alike, 2)
    np.testing.assert_allclose(fitted.head.probabilities(alike.features), 0.5, atol=1e-3)


def test_one_picture_in_val_is_enough() -> None:
    train = blobs([20, 20], 30, 20)
    val = labelled(train.features[:1], train.labels[:1])
    assert fit_head(train, val, 2).val_accuracy == 1


@pytest.mark.parametrize(
    ("losses", "chosen"),
    [
        # excess over the best (the last row): mean 1, deviation 1, error 1 / sqrt 2 = 0.71
        ([[3.0, 1.0], [1.0, 1.0]], 1),
        # excess 4, 0, 0, 0: mean 1, deviation sqrt 3, error 0.87
        ([[5.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]], 1),
        # excess 3, -1, -1, -1, and four zeros: mean 0, below any error
        ([[4.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]], 0),
        # excess 2, -1, -1, 1: mean 0.25, deviation 1.30, error 0.65
        ([[3.0, 0.0, 0.0, 2.0], [1.0, 1.0, 1.0, 1.0]], 0),
        # the simplest is too bad, the second within the error of the third
        ([[9.0] * 4, [3.0, 0.0, 0.0, 2.0], [1.0] * 4], 1),
        # the best itself is the simplest
        ([[1.0, 1.0], [2.0, 2.0]], 0),
        # one picture has no spread
        ([[2.0], [1.0]], 1),
        ([[1.0], [1.0]], 0),
    ],
)
def test_the_simplest_within_one_standard_error_is_chosen(
    losses: list[list[float]], chosen: int
) -> None:
    assert within_one_standard_error(np.array(losses)) == chosen
