"""Class weights: their numbers, and what they do for a rare class in a head and in a network."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli import backend
from dlcli.spec.loader import load_spec
from dlcli.training.class_weights import class_weight_faults, class_weights_of
from dlcli.training.head import LabelledFeatures, fit_head, fit_solver, new_solver, weights_of
from tests.training.pictures import ArrayBatches
from tests.training.small_fits import small_fit, unbalanced

NAMES = ["ant", "bee", "cat"]


def test_balanced_weights_are_the_pictures_over_the_classes_times_the_count() -> None:
    labels = np.repeat([0, 1, 2], [6, 3, 1])
    found = class_weights_of("balanced", NAMES, labels)
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [10 / 18, 10 / 9, 10 / 3], rtol=1e-6)
    assert found[labels].mean() == pytest.approx(1)


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.random.default_rng(0).choice(3, 500, p=[0.7, 0.25, 0.05])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    found = class_weights_of("balanced", NAMES, labels)
    assert found is not None
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_class_without_pictures_gets_a_number_too() -> None:
    found = class_weights_of("balanced", NAMES, np.array([0, 0, 1]))
    assert found is not None
    np.testing.assert_allclose(found, [0.5, 1, 1])


def test_named_classes_weigh_what_is_said_and_the_others_1() -> None:
    setting = load_spec(None, ("train.class_weights={cat: 2.5, ant: 0.5}",)).train.class_weights
    found = class_weights_of(setting, NAMES, np.zeros(3, np.int64))
    assert found is not None
    np.testing.assert_array_equal(found, [0.5, 1, 2.5])


def test_without_weights_there_are_no_numbers() -> None:
    assert class_weights_of("none", NAMES, np.array([0, 1, 2])) is None


def test_a_name_that_is_no_class_is_a_fault_with_the_nearest_one() -> None:
    assert class_weight_faults("balanced", NAMES) == []
    assert class_weight_faults({"cat": 2}, NAMES) == []
    first, second = class_weight_faults({"cat": 2, "bees": 3, "dog": 1}, NAMES)
    assert first.location == ("train", "class_weights", "bees")
    assert first.what == "is no class of this folder. Did you mean bee?"
    assert second.location[-1] == "dog"


def features(num_rows: int, seed: int) -> LabelledFeatures:
    """One row in twenty is rare, and lies among the others."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(num_rows) % 20 == 0).astype(np.int64)
    noise = rng.normal(size=(num_rows, 10))
    noise[:, 0] += 1.5 * labels
    return LabelledFeatures(noise.astype(np.float32), labels, np.arange(num_rows))


def head_recalls(weights: NDArray[np.float32] | None) -> NDArray[np.float64]:
    head = fit_head(features(800, 0), features(200, 1), 2, class_weights=weights).head
    test = features(2000, 2)
    answers = head.logits(test.features).argmax(axis=1)
    return np.array([(answers[test.labels == label] == label).mean() for label in range(2)])


def test_weights_make_a_head_find_more_of_a_rare_class() -> None:
    labels = features(800, 0).labels
    plain = head_recalls(None)
    named = head_recalls(class_weights_of({"rare": 5}, ["common", "rare"], labels))
    balanced = head_recalls(class_weights_of("balanced", ["common", "rare"], labels))
    assert plain[1] < 0.3
    assert plain[1] + 0.2 < named[1] < balanced[1] - 0.1
    assert balanced[1] == pytest.approx(balanced[0], abs=0.15), "both count alike"


def test_a_weight_of_3_is_as_if_every_rare_row_were_there_3_times() -> None:
    train = features(200, 0)
    rows = np.concatenate([np.arange(200), *[np.flatnonzero(train.labels)] * 2])
    weighted, repeated = new_solver(1e-8), new_solver(1e-8)
    weights = np.array([1, 3], np.float32)
    fit_solver(weighted, train.features, train.labels, 0.01, weights)
    fit_solver(repeated, train.features[rows], train.labels[rows], 0.01)
    for found, expected in zip(weights_of(weighted, 2), weights_of(repeated, 2), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.fixture(scope="module")
def parts() -> tuple[ArrayBatches, ArrayBatches]:
    return unbalanced(600, seed=0), unbalanced(1000, seed=10)


def test_weights_make_a_network_find_more_of_a_rare_class(
    parts: tuple[ArrayBatches, ArrayBatches],
) -> None:
    settings = ["train.epochs=4"]
    plain = small_fit(settings, *parts)
    named = small_fit([*settings, "train.class_weights={rare: 4}"], *parts)
    balanced = small_fit([*settings, "train.class_weights=balanced"], *parts)
    assert plain.recalls[1] + 0.1 < named.recalls[1] < balanced.recalls[1]
    assert balanced.recalls[1] == pytest.approx(balanced.recalls[0], abs=0.15), "both count alike"


def test_val_is_measured_with_the_weights_that_are_trained_with(
    parts: tuple[ArrayBatches, ArrayBatches],
) -> None:
    train, val = parts
    settings = ["train.epochs=1", "train.class_weights={common: 0.5, rare: 8}"]
    fitted = small_fit(settings, train, val)
    answers = fitted.model.predict_on_batch(val.pixels.astype(np.float32))
    losses = -np.log((answers * val.labels).sum(axis=1))
    weights = val.labels @ np.array([0.5, 8])
    assert fitted.rows[0].val_loss == pytest.approx((losses * weights).mean(), rel=1e-3)


def test_the_weight_of_a_mixed_picture_is_that_of_its_mixture() -> None:
    backend.prepare()
    from dlcli.training.feed import _weighted

    labels = np.array([[0.25, 0.75], [1, 0]], np.float32)
    *_, weights = _weighted((np.zeros((2, 1)), labels), np.array([1, 5], np.float32))
    np.testing.assert_array_equal(weights, [4, 1])
