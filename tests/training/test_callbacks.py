"""What happens beside a fit: above all, the end of one whose loss is lost."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from dlcli import backend
from dlcli.errors import SpecError
from dlcli.events import EpochEnded, Warned
from dlcli.training.batches import Batch
from tests.conftest import Recorder
from tests.training.pictures import ArrayBatches
from tests.training.small_fits import Fitted, small_fit

DEEP = (
    "model.layers=[rescaling: {scale: 0.02, offset: -2.5}, global_average_pooling2d, dense: 8,"
    " dense: 8]"
)
DIVERGING = (DEEP, "train.optimizer=sgd", "train.schedule=one_cycle", "train.early_stopping=none")


class CountedBatches(ArrayBatches):
    """Counts the batches that were asked for."""

    asked = 0

    def shuffled(self, seed: int, first_epoch: int = 0, first_batch: int = 0) -> Iterator[Batch]:
        for batch in super().shuffled(seed, first_epoch, first_batch):
            type(self).asked += 1
            yield batch


def noise(seed: int) -> ArrayBatches:
    return ArrayBatches.noise(40, 20, seed=seed)


def test_a_loss_that_is_lost_in_the_first_epoch_is_an_error_that_says_what_to_lower() -> None:
    settings = (*DIVERGING, "train.learning_rate=1000000", "train.batch_size=2")
    recorder = Recorder()
    with pytest.raises(SpecError) as raised:
        small_fit(settings, ArrayBatches.noise(40, 2, seed=0), noise(1), reporter=recorder)
    sentence = "the loss is no longer a number in epoch 1: lower train.learning_rate"
    assert sentence in str(raised.value)
    assert not [event for event in recorder.events if isinstance(event, EpochEnded)]


@pytest.fixture(scope="module")
def lost_later() -> tuple[Fitted, Recorder]:
    """The rate rises: the loss is a number for some epochs, and then no more."""
    recorder = Recorder()
    settings = (*DIVERGING, "train.learning_rate=30", "train.epochs=12")
    return small_fit(settings, noise(0), noise(1), reporter=recorder), recorder


def test_a_loss_that_is_lost_later_ends_the_training_with_a_sentence(
    lost_later: tuple[Fitted, Recorder],
) -> None:
    fitted, recorder = lost_later
    (warned,) = [event.text for event in recorder.events if isinstance(event, Warned)]
    assert warned == (
        f"the loss is no longer a number in epoch {len(fitted.rows) + 1}: lower "
        "train.learning_rate; the training ends here, with the best epoch before that"
    )


def test_the_epochs_before_the_loss_was_lost_count(lost_later: tuple[Fitted, Recorder]) -> None:
    fitted, recorder = lost_later
    told = [event.epoch for event in recorder.events if isinstance(event, EpochEnded)]
    assert [row.epoch for row in fitted.rows] == told
    assert told == list(range(1, len(told) + 1))
    assert 1 <= len(told) < 12
    (kept,) = [row for row in fitted.rows if row.kept]
    assert kept.val_loss == min(row.val_loss for row in fitted.rows)
    assert all(np.isfinite(weights).all() for weights in fitted.weights)
    val = noise(1)
    answers = fitted.model.predict_on_batch(val.pixels.astype(np.float32))
    accuracy = (answers.argmax(axis=1) == val.labels.argmax(axis=1)).mean()
    assert kept.val_accuracy == pytest.approx(accuracy, abs=1e-6)


def test_a_long_epoch_whose_loss_is_lost_is_not_trained_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backend.prepare()
    from dlcli.training import callbacks

    monkeypatch.setattr(callbacks, "_SECONDS_BETWEEN_LOOKS", 0)
    monkeypatch.setattr(CountedBatches, "asked", 0)
    pictures = ArrayBatches.noise(300, 1, seed=0)
    train = CountedBatches(pictures.pixels, pictures.labels, 1)
    settings = (*DIVERGING, "train.learning_rate=1000000", "train.epochs=2", "train.batch_size=1")
    with pytest.raises(SpecError, match="no longer a number in epoch 1"):
        small_fit(settings, train, noise(1))
    assert 1 < CountedBatches.asked < 200
