"""Compile and fit: all layers of a network, by backpropagation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlcli import backend
from dlcli.backend import Model, keras
from dlcli.errors import ResourceError
from dlcli.events import Reporter, StageEnded, StageStarted
from dlcli.models.layers import first_line
from dlcli.models.precision import scale_loss
from dlcli.spec.optimizers import read_optimizer
from dlcli.spec.schema import EarlyStoppingSpec, TrainSpec
from dlcli.spec.walk import MisfitError
from dlcli.training.batches import Batch, Batches
from dlcli.training.callbacks import KeepLearningRates, ReportProgress
from dlcli.training.stages import Stage
from dlcli.training.trained import HistoryRow

_WARM_UP_SHARE = 0.05
_FIRST_RATE_SHARE = 0.01
_MOST_VAL_BYTES = 2**28
"""A val part of up to this size is kept in memory, which spares a small network 6 % of its time."""

_NEVER_DECAYED = ("bias", "beta", "gamma")
"""Weight decay is for what multiplies: biases and normalization are left out, as is usual."""


def fit_model(  # noqa: PLR0917
    model: Model,
    augmentation: Sequence[Any],
    train: Batches,
    val: Batches,
    spec: TrainSpec,
    stage: Stage,
    reporter: Reporter,
) -> tuple[HistoryRow, ...]:
    """Trains `model` (pixels -> probabilities) and leaves it with the weights of its best epoch.

    Augmentation stands before the model while it is trained, and is no part of it.

    Raises:
        SpecError: if the loss is no longer a number.
        ResourceError: if an op is not deterministic where that is asked for.
    """
    trained = _with_augmentation(model, augmentation)
    epochs = stage.epochs or 1
    trained.compile(
        optimizer=scale_loss(
            make_optimizer(spec, stage, train.num_batches * epochs), spec.precision
        ),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=spec.label_smoothing),
        metrics=["accuracy"],
        jit_compile=backend.jit_compile(),
    )
    rates = KeepLearningRates()
    best = _keep_best(spec, epochs)
    progress = ReportProgress(stage.name, train.num_images, train.batch_size, reporter)
    reporter.report(StageStarted(stage.name, train.num_images * epochs))
    at_once = val.num_bytes <= _MOST_VAL_BYTES
    try:
        history = trained.fit(
            train.shuffled(spec.seed),
            steps_per_epoch=train.num_batches,
            epochs=epochs,
            validation_data=val.at_once() if at_once else _InTurn(val),
            validation_batch_size=val.batch_size if at_once else None,
            callbacks=[rates, best, progress],
            shuffle=False,  # the batches come in their order already
            verbose=0,
        ).history
    except Exception as error:
        if not backend.is_indeterministic(error):
            raise
        raise ResourceError(
            f"an op of this network has no deterministic form here: {first_line(error)}.",
            where="--deterministic",
            fix="Leave it out, or train with --device cpu, which is always deterministic.",
        ) from error
    rows = _history_rows(stage.name, history, rates.rates, best.best_epoch)
    kept = rows[best.best_epoch]
    reporter.report(
        StageEnded(stage.name, f"val accuracy {kept.val_accuracy:.3f}  (epoch {kept.epoch} kept)")
    )
    return rows


class _InTurn(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch in the order of the index. A generator would not do: Keras reads ahead of the
    validation steps, and the next validation begins where that ended."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self._batches = batches

    def __len__(self) -> int:
        return self._batches.num_batches

    def __getitem__(self, number: int) -> Batch:
        return self._batches.in_turn(number)


def _with_augmentation(model: Model, augmentation: Sequence[Any]) -> Model:
    pixels = keras.Input(model.input_shape[1:], dtype="uint8", name="bytes")
    x = keras.ops.cast(pixels, "float32")
    for layer in augmentation:
        x = layer(x)
    if x.shape[1:] != model.input_shape[1:]:  # random_crop leaves a smaller picture
        height, width, _ = model.input_shape[1:]
        x = keras.layers.Resizing(height, width, name="as_before")(x)
    return keras.Model(pixels, model(x), name="training")


def _keep_best(spec: TrainSpec, epochs: int) -> Any:
    """Restores the best epoch's weights, and ends the training where `early_stopping` says so."""
    if spec.early_stopping == "none":
        monitor, patience = EarlyStoppingSpec().monitor, epochs
    else:
        monitor, patience = spec.early_stopping.monitor, spec.early_stopping.patience
    return keras.callbacks.EarlyStopping(
        monitor=monitor, patience=patience, restore_best_weights=True
    )


def make_optimizer(spec: TrainSpec, stage: Stage, num_steps: int) -> Any:
    """The optimizer of the spec with its schedule over `num_steps`.

    Raises:
        MisfitError: if Keras refuses an argument.
    """
    kind, arguments = read_optimizer(spec.optimizer)
    rate = stage.learning_rate or 0.0
    warm_up = int(num_steps * _WARM_UP_SHARE)
    if spec.schedule == "cosine":
        schedules = keras.optimizers.schedules
        rate = schedules.CosineDecay(
            rate * _FIRST_RATE_SHARE if warm_up else rate,
            max(1, num_steps - warm_up),
            warmup_target=rate if warm_up else None,
            warmup_steps=warm_up,
        )
    try:
        optimizer = getattr(keras.optimizers, kind)(learning_rate=rate, **arguments)
    except (ValueError, TypeError) as error:
        what = f"is refused by Keras: {first_line(error)}"
        raise MisfitError(("train", "optimizer"), what) from error
    optimizer.exclude_from_weight_decay(var_names=list(_NEVER_DECAYED))
    return optimizer


def _history_rows(
    stage: str, history: dict[str, list[float]], rates: list[float], best: int
) -> tuple[HistoryRow, ...]:
    columns = (history[key] for key in ("loss", "accuracy", "val_loss", "val_accuracy"))
    return tuple(
        HistoryRow(
            epoch=number + 1,
            stage=stage,
            loss=round(loss, 6),
            accuracy=round(accuracy, 6),
            val_loss=round(val_loss, 6),
            val_accuracy=round(val_accuracy, 6),
            learning_rate=float(f"{rate:.6g}"),
            kept=number == best,
        )
        for number, (loss, accuracy, val_loss, val_accuracy, rate) in enumerate(
            zip(*columns, rates, strict=True)
        )
    )
