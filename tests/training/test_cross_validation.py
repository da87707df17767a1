"""Heads asked of pictures that they have not seen."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli.training.cross_validation import NUM_FOLDS, cross_validate, deal_folds
from dlcli.training.head import PENALTIES, LabelledFeatures
from tests.training.test_head import blobs, labelled

PENALTY = 0.03


def folds_of(data: LabelledFeatures) -> NDArray[np.int64]:
    return deal_folds(data.labels, data.groups)


def log_odds(probabilities: NDArray[np.floating]) -> NDArray[np.floating]:
    """Against the first class, (N, K - 1)."""
    return np.log(probabilities[:, 1:].astype(np.float64) / probabilities[:, :1])


def are_the_same_answers(
    ours: NDArray[np.floating], theirs: NDArray[np.floating], tolerance: float
) -> bool:
    """Whether log odds differ by one factor alone, which is a temperature."""
    factor = (ours * theirs).sum() / (theirs**2).sum()
    return bool(
        factor > 0 and np.abs(ours - factor * theirs).max() < tolerance * np.abs(ours).max()
    )


@pytest.mark.parametrize("counts", [[20, 20, 20], [1, 7, 33], [2, 3, 4, 5], [5, 1]])
def test_every_class_is_spread_evenly(counts: list[int]) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    folds = deal_folds(labels, np.arange(len(labels)))
    assert set(folds.tolist()) <= set(range(NUM_FOLDS))
    sizes = np.bincount(folds, minlength=NUM_FOLDS)
    assert sizes.max() - sizes.min() <= 1
    for label in range(len(counts)):
        held_out = np.bincount(folds[labels == label], minlength=NUM_FOLDS)
        assert held_out.max() - held_out.min() <= 1


def test_a_group_stays_whole() -> None:
    rng = np.random.default_rng(0)
    labels, groups = rng.integers(0, 3, 200), rng.integers(0, 60, 200)
    folds = deal_folds(labels, groups)
    assert all(len(set(folds[groups == group].tolist())) == 1 for group in range(60))
    assert len(set(folds.tolist())) == NUM_FOLDS


def test_the_seed_deals_the_folds() -> None:
    labels, groups = np.arange(100) % 2, np.arange(100)
    first = deal_folds(labels, groups, seed=1)
    np.testing.assert_array_equal(first, deal_folds(labels, groups, seed=1))
    assert (first != deal_folds(labels, groups, seed=2)).any()


def test_the_folds_do_not_depend_on_the_order_of_the_pictures() -> None:
    labels, groups = np.arange(90) % 3, np.arange(90)
    order = np.random.default_rng(1).permutation(90)
    np.testing.assert_array_equal(
        deal_folds(labels[order], groups[order]), deal_folds(labels, groups)[order]
    )


@pytest.mark.parametrize("num_classes", [2, 4])
@pytest.mark.parametrize(("num_features", "tolerance"), [(12, 0.02), (300, 0.12)])
def test_it_agrees_with_scikit_learn_fold_by_fold(
    num_classes: int, num_features: int, tolerance: float
) -> None:
    """The more features, the less far a fit goes for a fold."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    data = blobs([30] * num_classes, num_features, 3)
    folds = folds_of(data)
    found = cross_validate(data, folds, num_classes, penalties=[PENALTY])
    centred = data.features - data.features.mean(axis=0)
    scaled = centred / centred.std()
    expected = np.empty((len(folds), num_classes))
    for fold in range(NUM_FOLDS):
        learned, held_out = folds != fold, folds == fold
        model = LogisticRegression(C=1 / (PENALTY * learned.sum()), max_iter=10_000, tol=1e-8)
        with threadpool_limits(1):  # many times as fast on a busy machine
            model.fit(scaled[learned], data.labels[learned])
        expected[held_out] = model.predict_proba(scaled[held_out])
    assert found.judged.all()
    assert found.penalty == PENALTY
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)
    assert are_the_same_answers(log_odds(found.probabilities), log_odds(expected), tolerance)


def test_a_label_has_no_say_about_its_own_picture() -> None:
    data = blobs([30, 30, 30], 50, 3)
    folds = folds_of(data)
    labels = data.labels.copy()
    labels[0] = 2
    before = cross_validate(data, folds, 3, penalties=[PENALTY])
    after = cross_validate(replace(data, labels=labels), folds, 3, penalties=[PENALTY])
    same_fold = folds == folds[0]
    ours, theirs = log_odds(after.probabilities), log_odds(before.probabilities)
    assert are_the_same_answers(ours[same_fold], theirs[same_fold], 1e-4)
    assert not are_the_same_answers(ours[~same_fold], theirs[~same_fold], 1e-3)


def test_a_copy_with_another_label_has_no_say_either() -> None:
    """Noise, so that nothing but its copies could tell a picture's label."""
    rng = np.random.default_rng(0)
    features = np.repeat(rng.normal(size=(60, 200)), 2, axis=0)
    data = labelled(features, np.repeat(np.arange(60) % 2, 2))
    apart = cross_validate(data, folds_of(data), 2)
    together = replace(data, groups=np.repeat(np.arange(60), 2))
    whole = cross_validate(together, folds_of(together), 2)
    assert (apart.probabilities.argmax(axis=1) == data.labels).mean() > 0.8
    assert (whole.probabilities.argmax(axis=1) == data.labels).mean() < 0.65


def test_what_is_not_to_be_learned_has_no_say_and_is_judged() -> None:
    data = blobs([30, 30, 30], 40, 5)
    folds = folds_of(data)
    learned = np.random.default_rng(2).random(90) > 0.1
    other = np.where(learned, data.labels, (data.labels + 1) % 3)
    assert (other != data.labels).sum() > 3
    right = cross_validate(data, folds, 3, penalties=[PENALTY], learned=learned)
    wrong = cross_validate(
        replace(data, labels=other), folds, 3, penalties=[PENALTY], learned=learned
    )
    np.testing.assert_array_equal(right.probabilities, wrong.probabilities)
    assert right.judged.all()
    assert (right.probabilities.argmax(axis=1) == data.labels)[~learned].mean() > 0.7


def test_the_penalty_suits_the_data() -> None:
    clear = blobs([40, 40, 40], 30, 60)
    rng = np.random.default_rng(0)
    noise = labelled(rng.normal(size=(120, 30)), np.arange(120) % 3)
    on_clear, on_noise = (cross_validate(data, folds_of(data), 3) for data in (clear, noise))
    assert on_noise.penalty == PENALTIES[0]
    assert on_clear.penalty in PENALTIES
    assert on_clear.probabilities[np.arange(120), clear.labels].min() > 0.9
    np.testing.assert_allclose(on_noise.probabilities, 1 / 3, atol=0.25)


def test_penalties_end_where_the_loss_rises() -> None:
    """The last one, which would make scikit-learn fail, is never tried."""
    data = blobs([40, 40], 100, 1)
    found = cross_validate(data, folds_of(data), 2, penalties=[0.3, 1e-6, -1.0])
    assert found.penalty == 0.3


def test_a_class_of_one_picture_is_not_judged_and_the_others_are() -> None:
    data = blobs([20, 20, 1], 30, 20)
    found = cross_validate(data, folds_of(data), 3)
    np.testing.assert_array_equal(found.judged, data.labels != 2)
    assert (found.probabilities.argmax(axis=1) == data.labels)[:40].all()
    assert found.probabilities[40, 2] == 0  # no head that could be asked knew the class


def test_a_class_of_copies_is_not_judged() -> None:
    data = blobs([20, 20, 6], 30, 20)
    data = replace(data, groups=np.where(data.labels == 2, 1000, data.groups))
    found = cross_validate(data, folds_of(data), 3)
    np.testing.assert_array_equal(found.judged, data.labels != 2)


def test_a_class_of_fewer_pictures_than_folds_is_judged() -> None:
    data = blobs([30, 30, 2], 30, 60)
    found = cross_validate(data, folds_of(data), 3)
    assert found.judged.all()
    assert (found.probabilities.argmax(axis=1) == data.labels)[60:].all()


@pytest.mark.parametrize("counts", [[12], [1, 1], [1, 30]])
def test_without_two_classes_to_learn_nothing_is_judged(counts: list[int]) -> None:
    data = blobs(counts, 10, 5)
    found = cross_validate(data, folds_of(data), max(len(counts), 2))
    if counts == [1, 30]:
        # The folds that hold out pictures of the large class know both.
        np.testing.assert_array_equal(found.judged, (folds_of(data) != folds_of(data)[0]))
    else:
        assert not found.judged.any()
        np.testing.assert_allclose(found.probabilities, 0.5)


def test_a_class_without_any_picture_has_no_probability() -> None:
    data = blobs([20, 20, 20], 20, 10)
    data = replace(data, labels=data.labels * 2)  # 0, 2 and 4 of 5 classes
    found = cross_validate(data, folds_of(data), 5)
    np.testing.assert_array_equal(found.probabilities[:, [1, 3]], 0)
    assert (found.probabilities.argmax(axis=1) == data.labels).mean() > 0.9


def test_it_is_quiet_and_the_same_each_time() -> None:
    data = blobs([30, 3, 2], 20, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = cross_validate(data, folds_of(data), 3)
        second = cross_validate(data, folds_of(data), 3)
    np.testing.assert_array_equal(first.probabilities, second.probabilities)
    assert first.penalty == second.penalty
