"""Pictures unlike all others."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli.metrics import outliers
from dlcli.metrics.outliers import NEIGHBOURS, find_neighbours, gather, outer_fences

FEATURES = 40
CENTRES = np.abs(np.random.default_rng(0).normal(size=(3, FEATURES))) * 3
NUM_EACH = 60


def classes(seed: int = 1) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features of pictures around three centres, and their labels."""
    labels = np.repeat(np.arange(3), NUM_EACH)
    noise = np.random.default_rng(seed).normal(size=(len(labels), FEATURES))
    return (CENTRES[labels] + noise).astype(np.float32), labels


def foreign(count: int) -> NDArray[np.float32]:
    """Each in a direction of its own."""
    return (np.abs(np.random.default_rng(7).normal(size=(count, FEATURES))) ** 3).astype(np.float32)


def alone(count: int) -> NDArray[np.int64]:
    return np.arange(count)


def distances_of(
    features: NDArray[np.floating], groups: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    groups = alone(len(features)) if groups is None else groups
    return find_neighbours(features, groups, gather(features, groups)).distances


def at_angles(degrees: list[float]) -> NDArray[np.float64]:
    """Points of the plane at these angles, each at another distance from the origin."""
    radians = np.radians(degrees)
    lengths = 1 + np.arange(len(degrees))
    return np.stack([np.cos(radians), np.sin(radians)], axis=1) * lengths[:, None]


def test_the_distance_is_that_to_the_fifth_neighbour() -> None:
    found = distances_of(at_angles([0, 10, 20, 30, 40, 60, 80]))
    assert NEIGHBOURS == 5
    expected = -np.log(np.cos(np.radians([60, 50, 40, 30, 40, 50, 70])))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_nearest_is_named_by_its_row() -> None:
    features, groups = at_angles([0, 50, 13, 30, 44]), alone(5)
    nearest = find_neighbours(features, groups, gather(features, groups)).nearest
    np.testing.assert_array_equal(nearest, [2, 4, 0, 4, 1])


def test_pictures_of_the_same_group_do_not_count() -> None:
    """Ten copies of a foreign picture are as foreign as one."""
    features, _ = classes()
    strange = foreign(1)
    together = np.concatenate([features, np.repeat(strange, 10, axis=0)])
    groups = np.concatenate([alone(len(features)), np.full(10, 9999)])
    single = distances_of(np.concatenate([features, strange]))[-1]
    np.testing.assert_allclose(distances_of(together, groups)[-10:], single, rtol=1e-5)
    assert (distances_of(together)[-10:] < 1e-3).all()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_with_fewer_than_five_others_nothing_is_far(count: int) -> None:
    np.testing.assert_array_equal(distances_of(foreign(count)), 0)


def test_opposite_directions_have_a_finite_distance() -> None:
    features = np.concatenate([np.ones((6, 4)), -np.ones((1, 4))])
    found = distances_of(features)
    assert np.isfinite(found).all()
    assert found[-1] > 4
    np.testing.assert_allclose(found[:5], 0, atol=1e-6)


def test_a_feature_of_zeros_is_no_fault() -> None:
    assert np.isfinite(distances_of(np.zeros((8, 4)))).all()


def test_of_very_many_pictures_a_sample_is_compared_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outliers, "MOST_COMPARED", 100)
    features, _ = classes()
    crowd = gather(features, alone(len(features)))
    assert crowd.features.shape == (100, FEATURES)
    assert len(set(crowd.rows.tolist())) == 100
    np.testing.assert_array_equal(crowd.groups, crowd.rows)
    found = find_neighbours(features, alone(len(features)), crowd)
    assert set(found.nearest.tolist()) <= set(crowd.rows.tolist())
    assert not (found.nearest == alone(len(features))).any()


def test_a_fence_is_three_interquartile_ranges_above_the_upper_quartile() -> None:
    # Quartiles of 1 to 13 are 4 and 10; of 101 to 125 in steps of 2 they are 107 and 119.
    distances = np.concatenate([np.arange(1.0, 14.0), np.arange(101.0, 126.0, 2.0)])
    labels = np.repeat([0, 1], 13)
    # The upper quartile of all 26 is at 18.75 of 0 to 25, between 111 and 113.
    expected = np.repeat([112.5, 119 + 3 * 12.0], 13)
    np.testing.assert_allclose(outer_fences(distances, labels), expected)
    np.testing.assert_allclose(outer_fences(distances[:13], labels[:13]), 10 + 3 * 6.0)


def test_of_a_small_class_nothing_is_said() -> None:
    distances = np.concatenate([np.linspace(1, 2, 20), [1.0] * 8, [50.0]])
    labels = np.repeat([0, 1], [20, 9])
    fences = outer_fences(distances, labels)
    assert np.isfinite(fences[:20]).all()
    assert np.isinf(fences[20:]).all()


def test_in_a_class_that_is_all_alike_a_little_difference_is_not_foreign() -> None:
    distances = np.concatenate([np.linspace(0.3, 0.5, 40), np.full(19, 0.01), [0.1]])
    labels = np.repeat([0, 1], [40, 20])
    assert not (distances > outer_fences(distances, labels)).any()
    distances[-1] = 0.9
    assert np.flatnonzero(distances > outer_fences(distances, labels)).tolist() == [59]


def test_foreign_pictures_are_found_and_few_others() -> None:
    features, labels = classes()
    strange = foreign(5)
    together = np.concatenate([features, strange])
    all_labels = np.concatenate([labels, np.arange(5) % 3])
    found = np.flatnonzero(
        distances_of(together) > outer_fences(distances_of(together), all_labels)
    )
    assert set(range(len(features), len(together))) <= set(found.tolist())
    assert len(found) <= 6


def test_a_wrong_label_does_not_make_an_outlier() -> None:
    features, labels = classes()
    labels[0] = 2
    distances = distances_of(features)
    assert not distances[0] > outer_fences(distances, labels)[0]


def test_the_order_of_pictures_and_the_scale_of_features_do_not_matter() -> None:
    features, labels = classes()
    order = np.random.default_rng(3).permutation(len(features))
    distances = distances_of(features)
    np.testing.assert_allclose(distances_of(features[order] * 7), distances[order], atol=1e-5)
    np.testing.assert_allclose(
        outer_fences(distances[order], labels[order]), outer_fences(distances, labels)[order]
    )


def test_no_pictures() -> None:
    assert outer_fences(np.empty(0), np.empty(0, np.int64)).shape == (0,)
