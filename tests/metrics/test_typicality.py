"""How much a picture looks like the training pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli.errors import DataError
from dlcli.metrics import typicality
from dlcli.metrics.typicality import UNKNOWN_BELOW, fit_typicality, load_typicality

FEATURES = 24
CENTRES = np.random.default_rng(0).normal(size=(3, FEATURES)) * 4


def features(seed: int, count: int) -> NDArray[np.float32]:
    """Pictures around three centres."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(count, FEATURES))
    return (CENTRES[rng.integers(0, 3, count)] + noise).astype(np.float32)


def foreign(count: int) -> NDArray[np.float32]:
    """On the other side of the origin."""
    return -features(9, count)


def test_pictures_of_the_same_kind_are_typical_and_foreign_ones_are_not() -> None:
    fitted = fit_typicality(features(1, 300), features(2, 200))
    own = fitted.score(features(3, 400))
    assert np.median(own) > 0.3
    assert (own < UNKNOWN_BELOW).mean() < 0.12
    np.testing.assert_array_equal(fitted.score(foreign(50)), 0)


def test_about_one_val_picture_in_twenty_is_called_unknown() -> None:
    val = features(2, 400)
    unknown = fit_typicality(features(1, 300), val).score(val) < UNKNOWN_BELOW
    assert unknown.mean() == pytest.approx(0.05, abs=0.005)


def test_the_training_pictures_themselves_are_typical() -> None:
    training = features(1, 300)
    assert (fit_typicality(training, features(2, 200)).score(training) > 0.05).mean() > 0.9


def test_scores_are_shares() -> None:
    fitted = fit_typicality(features(1, 100), features(2, 40))
    scores = fitted.score(np.concatenate([features(3, 100), foreign(10), np.zeros((1, FEATURES))]))
    assert scores.shape == (111,)
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert np.isfinite(scores).all()


def test_the_length_of_a_feature_does_not_matter() -> None:
    fitted = fit_typicality(features(1, 100), features(2, 40))
    some = features(3, 50)
    np.testing.assert_allclose(fitted.score(some * 7), fitted.score(some), atol=1 / 40)


def test_a_picture_is_scored_alike_alone_and_among_others() -> None:
    fitted = fit_typicality(features(1, 100), features(2, 40))
    some = np.concatenate([features(3, 150), foreign(5)])
    alone = np.concatenate([fitted.score(one[None]) for one in some])
    np.testing.assert_allclose(alone, fitted.score(some), atol=1 / 40)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_handful_of_training_pictures_suffices(count: int) -> None:
    scores = fit_typicality(features(1, count), features(2, 2)).score(features(3, 9))
    assert ((scores >= 0) & (scores <= 1)).all()


def test_what_is_loaded_scores_as_what_was_saved(tmp_path: Path) -> None:
    fitted = fit_typicality(features(1, 100), features(2, 40))
    fitted.save(tmp_path / "typicality.npz")
    loaded = load_typicality(tmp_path / "typicality.npz")
    some = np.concatenate([features(3, 80), foreign(9)])
    np.testing.assert_array_equal(loaded.score(some), fitted.score(some))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.npz: this holds no readable training features"):
        load_typicality(tmp_path / "gone.npz")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "typicality.npz"
    fit_typicality(features(1, 20), features(2, 9)).save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    cut = [whole[:length] for length in (0, 1, 50, len(whole) // 2, len(whole) - 1)]
    changed = []
    for _ in range(200):
        content = bytearray(whole)
        content[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        changed.append(bytes(content))
    messages = []
    for content in [b"words", *cut, *changed]:
        path.write_bytes(content)
        try:
            load_typicality(path)
        except DataError as error:
            messages.append(str(error))
    assert len(messages) > 180
    start = f"{path}: this holds no readable training features"
    assert [message for message in messages if not message.startswith(start)] == []


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "typicality.npz"
    np.savez(path, weights=np.zeros(3))
    with pytest.raises(DataError, match="no readable training features"):
        load_typicality(path)
    with open(path, "wb") as stream:
        np.save(stream, np.zeros((3, 4), np.float32))
    with pytest.raises(DataError, match="no readable training features"):
        load_typicality(path)


def test_many_training_pictures_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typicality, "MAX_TRAINING", 60)
    training, val = features(1, 300), features(2, 40)
    thinned = fit_typicality(training, val)
    assert thinned.training.shape == (60, FEATURES)
    assert len(np.unique(thinned.training, axis=0)) == 60
    again, other = fit_typicality(training, val), fit_typicality(training, val, seed=1)
    np.testing.assert_array_equal(again.training, thinned.training)
    assert not np.array_equal(other.training, thinned.training)
    assert np.median(thinned.score(features(3, 100))) > 0.2
    np.testing.assert_array_equal(thinned.score(foreign(9)), 0)


def test_the_nearest_training_pictures_by_hand() -> None:
    training = np.array([[1, 0], [3, 4], [0, 2], [-1, 0]], np.float32)
    fitted = fit_typicality(training, training[:2])
    rows, cosines = fitted.nearest(np.array([0, 5], np.float32), 3)
    assert rows.tolist() == [2, 1, 0]
    np.testing.assert_allclose(cosines, [1, 0.8, 0], atol=1e-3)
    rows, cosines = fitted.nearest(np.array([2, 0], np.float32), 9)
    assert rows.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(cosines, [1, 0.6, 0, -1], atol=1e-3)


def test_the_nearest_of_thinned_pictures_keep_their_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(typicality, "MAX_TRAINING", 60)
    training = features(1, 300)
    fit_typicality(training, features(2, 40)).save(tmp_path / "typicality.npz")
    thinned = load_typicality(tmp_path / "typicality.npz")
    assert thinned.rows is not None
    assert len(set(thinned.rows.tolist())) == 60
    assert thinned.rows.max() > 60
    for row in thinned.rows:
        rows, cosines = thinned.nearest(training[row], 1)
        assert rows.tolist() == [row]
        assert cosines[0] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("num_training", [3, 500, 4000])
def test_a_picture_is_scored_alike_whatever_is_asked_beside_it(num_training: int) -> None:
    fitted = fit_typicality(features(1, num_training), features(2, 200))
    asked = features(3, 70)
    together = fitted.score(asked)
    for rows in (slice(0, 1), slice(5, 21), slice(33, 70)):
        np.testing.assert_array_equal(fitted.score(asked[rows]), together[rows])
    # Of val itself each distance is found again, and not one a rounding error away.
    kept = fitted.val_distances
    ranks = 1 - np.searchsorted(kept, kept, side="right") / len(kept)
    np.testing.assert_array_equal(np.sort(fitted.score(features(2, 200))), np.sort(ranks))
