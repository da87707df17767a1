"""The best epoch: its weights are what a training ends with, and waiting for a better one ends."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.pictures import ArrayBatches
from tests.training.small_fits import Fitted, small_fit

SETTINGS = ("train.optimizer=sgd", "train.learning_rate=0.3", "train.schedule=constant")


def wrong_in_a_quarter(num_images: int, *, seed: int) -> ArrayBatches:
    """Labels of which it is good to be sure at first, and bad to be too sure."""
    batches = ArrayBatches.noise(num_images, 20, seed=seed)
    is_wrong = np.arange(num_images) % 8 < 2
    labels = np.where(is_wrong[:, None], batches.labels[:, ::-1], batches.labels)
    return ArrayBatches(batches.pixels, labels, 20)


def fit(*settings: str) -> Fitted:
    train, val = ArrayBatches.noise(100, 20, seed=0), wrong_in_a_quarter(200, seed=1)
    return small_fit((*SETTINGS, *settings), train, val)


@pytest.fixture(scope="module")
def to_the_end() -> Fitted:
    return fit("train.epochs=12", "train.early_stopping=none")


@pytest.fixture(scope="module")
def best_epoch(to_the_end: Fitted) -> int:
    losses = [row.val_loss for row in to_the_end.rows]
    best = int(np.argmin(losses)) + 1
    assert 2 <= best <= 6, "val gets better at first and worse later"
    return best


def same_weights(one: Fitted, other: Fitted) -> bool:
    pairs = zip(one.weights, other.weights, strict=True)
    return all(np.array_equal(first, second) for first, second in pairs)


def test_without_early_stopping_the_weights_are_those_of_the_best_epoch(
    to_the_end: Fitted, best_epoch: int
) -> None:
    assert len(to_the_end.rows) == 12
    assert [row.epoch for row in to_the_end.rows if row.kept] == [best_epoch]
    ended_there = fit(f"train.epochs={best_epoch}")
    assert same_weights(to_the_end, ended_there)


def test_early_stopping_waits_so_many_epochs_and_gives_the_best_weights_back(
    to_the_end: Fitted, best_epoch: int
) -> None:
    stopped = fit("train.epochs=12", "train.early_stopping={patience: 3}")
    assert len(stopped.rows) == best_epoch + 3
    assert stopped.rows == to_the_end.rows[: best_epoch + 3]
    assert same_weights(stopped, to_the_end)


def test_of_epochs_that_are_equally_accurate_the_first_is_kept(to_the_end: Fitted) -> None:
    stopped = fit("train.epochs=12", "train.early_stopping={monitor: val_accuracy, patience: 2}")
    accuracies = [row.val_accuracy for row in stopped.rows]
    (kept,) = [row for row in stopped.rows if row.kept]
    assert kept.val_accuracy == max(accuracies)
    assert accuracies[-1] == kept.val_accuracy, "the epochs after it were as accurate"
    assert accuracies.index(kept.val_accuracy) == kept.epoch - 1
    assert len(stopped.rows) == kept.epoch + 2
    assert stopped.rows[0].val_loss == to_the_end.rows[0].val_loss


def test_averages_are_what_the_best_epoch_is_chosen_and_kept_by(to_the_end: Fitted) -> None:
    """They lag behind: val is at its best later, and what is kept is measured again."""
    averaged = fit("train.epochs=12", "train.early_stopping=none", "train.ema=0.9")
    (kept,) = [row for row in averaged.rows if row.kept]
    assert kept.epoch > next(row.epoch for row in to_the_end.rows if row.kept)
    val = wrong_in_a_quarter(200, seed=1)
    answers = averaged.model.predict_on_batch(val.pixels.astype(np.float32))
    loss = -np.log((answers * val.labels).sum(axis=1)).mean()
    assert kept.val_loss == pytest.approx(loss, rel=1e-4)
    train_losses = [row.loss for row in averaged.rows]
    assert train_losses == [row.loss for row in to_the_end.rows], "the steps are the same"
