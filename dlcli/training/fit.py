"""Compile and fit: layers of a network, by backpropagation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from dlcli import backend
from dlcli.backend import Model, keras
from dlcli.errors import ResourceError
from dlcli.events import Reporter, StageEnded, StageStarted
from dlcli.models.layers import first_line
from dlcli.models.precision import scale_loss
from dlcli.spec.schema import TrainSpec
from dlcli.training.batches import Batch, BatchSource
from dlcli.training.best_weights import KeepBest, MeasureAverages
from dlcli.training.callbacks import EndWhereLossIsLost, KeepHistory, ReportProgress
from dlcli.training.class_weights import Weights
from dlcli.training.losses import make_loss
from dlcli.training.mixing import mixed
from dlcli.training.optimizer import make_optimizer
from dlcli.training.stages import Stage
from dlcli.training.trained import HistoryRow

_MOST_VAL_BYTES = 2**28
"""A val part of up to this size is kept in memory, which spares a small network 6 % of its time."""

_Weighted = tuple[Any, ...]
"""A batch as Keras takes it: with weights (B,) where classes have some."""


def fit_model(  # noqa: PLR0917
    model: Model,
    augmentation: Sequence[Any],
    train: BatchSource,
    val: BatchSource,
    spec: TrainSpec,
    stage: Stage,
    reporter: Reporter,
    *,
    class_weights: Weights | None = None,
) -> tuple[HistoryRow, ...]:
    """Trains `model` (pixels or activations -> probabilities) and leaves it with the weights of its
    best epoch.

    Augmentation stands before the model while it is trained, and is no part of it.
    `class_weights` (K,) are what `train.class_weights` amounts to: see `class_weights_of`.

    Raises:
        SpecError: if the loss is no longer a number in the first epoch, or CutMix has nothing to
            cut.
        ResourceError: if an op is not deterministic where that is asked for.
    """
    if (class_weights is None) != (spec.class_weights == "none"):
        raise ValueError("class_weights are to be what train.class_weights says")
    trained = _with_augmentation(model, augmentation, train.in_turn(0)[0].dtype)
    epochs = stage.epochs or 1
    trained.compile(
        optimizer=scale_loss(
            make_optimizer(spec, stage, train.num_batches * epochs), spec.precision
        ),
        loss=make_loss(spec),
        metrics=["accuracy"],
        jit_compile=backend.jit_compile(),
    )
    history, best = KeepHistory(stage.name), KeepBest(spec)
    averages = [MeasureAverages()] if spec.ema != "none" else []
    progress = ReportProgress(stage.name, train.num_images, train.batch_size, reporter)
    reporter.report(StageStarted(stage.name, train.num_images * epochs))
    at_once = val.num_bytes <= _MOST_VAL_BYTES
    try:
        trained.fit(
            _steps(train, spec, class_weights),
            steps_per_epoch=train.num_batches,
            epochs=epochs,
            validation_data=(
                _weighted(val.at_once(), class_weights) if at_once else _InTurn(val, class_weights)
            ),
            validation_batch_size=val.batch_size if at_once else None,
            callbacks=[*averages, EndWhereLossIsLost(reporter), history, best, progress],
            shuffle=False,  # the batches come in their order already
            verbose=0,
        )
    except Exception as error:
        if not backend.is_indeterministic(error):
            raise
        raise ResourceError(
            f"an op of this network has no deterministic form here: {first_line(error)}.",
            where="--deterministic",
            fix="Leave it out, or train with --device cpu, which is always deterministic.",
        ) from error
    rows = tuple(replace(row, kept=row.epoch - 1 == best.best_epoch) for row in history.rows)
    kept = next(row for row in rows if row.kept)
    reporter.report(
        StageEnded(stage.name, f"val accuracy {kept.val_accuracy:.3f}  (epoch {kept.epoch} kept)")
    )
    return rows


def _steps(
    train: BatchSource, spec: TrainSpec, class_weights: Weights | None
) -> Iterator[_Weighted]:
    """Batch after batch without end, mixed and weighted."""
    for batch in mixed(train.shuffled(spec.seed), spec, train.num_batches):
        yield _weighted(batch, class_weights)


def _weighted(batch: Batch, class_weights: Weights | None) -> _Weighted:
    """A picture weighs what its class does, and a mixed one what its mixture does."""
    x, labels = batch
    return batch if class_weights is None else (x, labels, labels @ class_weights)


class _InTurn(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch in the order of the index. A generator would not do: Keras reads ahead of the
    validation steps, and the next validation begins where that ended."""

    def __init__(self, batches: BatchSource, class_weights: Weights | None) -> None:
        super().__init__()
        self._batches, self._class_weights = batches, class_weights

    def __len__(self) -> int:
        return self._batches.num_batches

    def __getitem__(self, number: int) -> _Weighted:
        return _weighted(self._batches.in_turn(number), self._class_weights)


def _with_augmentation(model: Model, augmentation: Sequence[Any], dtype: Any) -> Model:
    """The network that is trained: takes batches in their own dtype."""
    inputs = keras.Input(model.input_shape[1:], dtype=str(dtype), name="batch")
    x = keras.ops.cast(inputs, "float32")
    for layer in augmentation:
        x = layer(x)
    if x.shape[1:] != model.input_shape[1:]:  # random_crop leaves a smaller picture
        height, width, _ = model.input_shape[1:]
        x = keras.layers.Resizing(height, width, name="as_before")(x)
    return keras.Model(inputs, model(x), name="training")
