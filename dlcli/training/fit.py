"""Compile and fit: layers of a network, by backpropagation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from dlcli import backend
from dlcli.backend import Model
from dlcli.errors import ResourceError
from dlcli.events import Reporter, Said, StageEnded, StageStarted
from dlcli.models.layers import first_line
from dlcli.models.precision import scale_loss
from dlcli.spec.schema import TrainSpec
from dlcli.training.augment import with_augmentation
from dlcli.training.batches import BatchSource, dtype_of
from dlcli.training.best_weights import KeepBest, MeasureAverages
from dlcli.training.callbacks import (
    EndInTime,
    EndWhereLossIsLost,
    KeepHistory,
    ReportProgress,
    SeedSteps,
)
from dlcli.training.checkpoint import Checkpoint
from dlcli.training.class_weights import Weights
from dlcli.training.distribute import num_devices, warn_of_filling
from dlcli.training.feed import Accuracy, Feed
from dlcli.training.interrupts import deferred_interrupt
from dlcli.training.keeper import Keeper
from dlcli.training.layer_rates import variable_shares
from dlcli.training.losses import make_loss
from dlcli.training.optimizer import make_optimizer
from dlcli.training.pace import Limits, Pace, measure_pace, shortened
from dlcli.training.range_test import losses_of, rate_from, rising_rate
from dlcli.training.resuming import FitState, Place, SaveProgress, assign_trainable, restore
from dlcli.training.stages import Stage
from dlcli.training.trained import HistoryRow


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
    keeper: Keeper | None = None,
    saved: Checkpoint | None = None,
    keeps_last: bool = False,
    shares: Mapping[str, float] | None = None,
) -> tuple[HistoryRow, ...]:
    """Trains `model` (pixels or activations -> probabilities) and leaves it with the weights of its
    best epoch, or with `keeps_last` of the last one.

    Augmentation stands before the model while it is trained, and is no part of it.
    `class_weights` (K,) are what `train.class_weights` amounts to: see `class_weights_of`.
    `keeper` saves what is reached; with `saved` the fit goes on from there, and ends with the
    weights that it would have had. `shares` are those of the learning rate that layers have, by
    name: see `block_shares`.

    Raises:
        SpecError: if the loss is no longer a number in the first epoch, or CutMix has nothing to
            cut.
        ResourceError: if an op is not deterministic where that is asked for.
        KeyboardInterrupt: after the step in which Ctrl-C was pressed, once all is saved.
    """
    if (class_weights is None) != (spec.class_weights == "none"):
        raise ValueError("class_weights are to be what train.class_weights says")
    warn_of_filling(train.batch_size, reporter)
    trained = with_augmentation(model, augmentation, dtype_of(train))
    own = variable_shares(model, shares or {})
    fit = _Fit(trained, train, val, spec, class_weights, stage, own)
    with _refused_where_indeterministic():
        if keeper is not None and keeper.is_limited:
            fit = _within_time(fit, val, keeper, saved, reporter)
        if stage.tests_rate:
            fit = _at_found_rate(fit, keeper, saved, reporter)
    train, epochs, accuracy = fit.train, fit.epochs, fit.compile()
    history, best = KeepHistory(stage.name), KeepBest(spec, keeps_last=keeps_last)
    state = FitState(trained, accuracy, best, history)
    place, is_over = restore(state, saved)
    averages = [MeasureAverages()] if spec.ema != "none" else []
    progress = ReportProgress(
        stage.name,
        train.num_images,
        train.batch_size,
        reporter,
        done_before=place.epoch * train.num_images,
    )
    callbacks = [*averages, EndWhereLossIsLost(reporter), history, best, progress]
    if keeper is not None and keeper.is_limited:
        callbacks.append(EndInTime(keeper))
    reporter.report(StageStarted(stage.name, train.num_images * epochs))
    if not is_over:
        _run(fit, callbacks, place, state, keeper, saved)
    best.restore(trained)
    rows = tuple(replace(row, kept=row.epoch - 1 == best.best_epoch) for row in history.rows)
    kept = next(row for row in rows if row.kept)
    reporter.report(
        StageEnded(stage.name, f"val accuracy {kept.val_accuracy:.3f}  (epoch {kept.epoch} kept)")
    )
    return rows


def fit_again(
    model: Model,
    augmentation: Sequence[Any],
    train: BatchSource,
    spec: TrainSpec,
    stage: Stage,
    reporter: Reporter,
    *,
    end: int,
    class_weights: Weights | None = None,
    shares: Mapping[str, float] | None = None,
    keeper: Keeper | None = None,
    saved: Checkpoint | None = None,
) -> bool:
    """Trains as `fit_model` does, without val, which is trained on as well: for the first `end`
    epochs of the stage, whose last weights the model has then. Whether it came so far: the loss
    may have been lost after the first epoch.

    Raises:
        as `fit_model`.
    """
    trained = with_augmentation(model, augmentation, dtype_of(train))
    own = variable_shares(model, shares or {})
    fit = _Fit(trained, train, None, spec, class_weights, stage, own, end)
    state = FitState(trained, fit.compile(), KeepBest(spec), KeepHistory(stage.name))
    place, _ = restore(state, saved)
    before = place.epoch * train.num_images
    progress = ReportProgress(
        stage.name, train.num_images, train.batch_size, reporter, done_before=before
    )
    losing = EndWhereLossIsLost(reporter)
    reporter.report(StageStarted(stage.name, train.num_images * end))
    _run(fit, [losing, progress], place, state, keeper, saved)
    reporter.report(StageEnded(stage.name))
    return not losing.has_ended


@dataclass(frozen=True)
class _Fit:
    """A model and its batches; epochs are counted from 0 up to `epochs`, for which the schedule is
    made, or up to `end`, where that comes before. Without `val` nothing is measured."""

    model: Model
    train: BatchSource
    val: BatchSource | None
    spec: TrainSpec
    class_weights: Weights | None
    stage: Stage
    shares: tuple[float, ...]
    end: int | None = None

    @property
    def epochs(self) -> int:
        """At most so many."""
        return self.stage.epochs or 1

    @property
    def feed(self) -> Feed:
        """What it takes, batch by batch."""
        return Feed(self.train, self.val, self.spec, self.class_weights)

    def compile(self, rate: Any = None) -> Any:
        """Compiles the model, with a `rate` in place of the schedule; returns the metric that
        counts its accuracy."""
        accuracy = Accuracy("accuracy")
        # Only where pictures fill up batches is it to know of weights.
        counted = "weighted_metrics" if num_devices() > 1 else "metrics"
        num_steps = self.train.num_batches * self.epochs
        optimizer = make_optimizer(self.spec, self.stage, num_steps, self.shares, rate=rate)
        self.model.compile(
            optimizer=scale_loss(optimizer, self.spec.precision),
            loss=make_loss(self.spec),
            **{counted: [accuracy]},
            jit_compile=backend.jit_compile(),
        )
        return accuracy

    def pace(self) -> Pace:
        """How fast it is here and now."""
        self.compile()
        return measure_pace(self.model, lambda: self.feed.steps(0, 0))

    def find_rate(self) -> float:
        """The learning rate that a range test speaks for."""
        self.compile(rising_rate())
        losses = losses_of(self.model, lambda: self.feed.steps(0, 0))
        return rate_from(losses, self.stage.learning_rate or 0.0)

    def within(self, limits: Limits) -> _Fit:
        """What of it fits into these limits."""
        stage, train = shortened(self.stage, self.train, limits)
        return replace(self, stage=stage, train=train)

    def run(self, callbacks: Sequence[Any], place: Place) -> None:
        """All epochs from `place` on. An epoch that was begun already is ended by a fit of its
        own, since Keras knows no other way to begin within one."""
        end = self.end or self.epochs
        if place.epoch >= end:
            return
        validation = self.feed.validation()
        if place.step:
            own = self._finish_epoch(callbacks, place, validation)
            if self.model.stop_training:
                return
            if self.spec.ema != "none":
                assign_trainable(self.model, own)
            place = Place(place.epoch + 1)
        if place.epoch < end:
            self._epochs(callbacks, place, end, validation)

    def _finish_epoch(
        self, callbacks: Sequence[Any], place: Place, validation: dict[str, Any]
    ) -> list[Any]:
        saving = next(callback for callback in callbacks if isinstance(callback, SaveProgress))
        saving.first_step = place.step
        self._epochs(callbacks, place, place.epoch + 1, validation)
        return saving.own

    def _epochs(
        self, callbacks: Sequence[Any], place: Place, end: int, validation: dict[str, Any]
    ) -> None:
        seeding = SeedSteps(self.spec.seed, place.epoch, place.step)
        own = [] if backend.keeps_random_state_in_variables() else [seeding]
        self.model.fit(
            self.feed.steps(place.epoch, place.step),
            steps_per_epoch=self.train.num_batches - place.step,
            initial_epoch=place.epoch,
            epochs=end,
            callbacks=[*callbacks, *own],
            shuffle=False,  # the batches come in their order already
            verbose=0,
            **validation,
        )


def _run(
    fit: _Fit,
    callbacks: Sequence[Any],
    place: Place,
    state: FitState,
    keeper: Keeper | None,
    saved: Checkpoint | None,
) -> None:
    """Runs the fit from `place` on; a keeper saves what is reached."""
    callbacks = [*fit.feed.corrections(), *callbacks]
    with _refused_where_indeterministic():
        if keeper is None:
            fit.run(callbacks, place)
            return
        with deferred_interrupt() as interrupt:
            saving = SaveProgress(state, keeper, interrupt, saved)
            fit.run([*callbacks, saving], place)


@contextlib.contextmanager
def _refused_where_indeterministic() -> Iterator[None]:
    """Inside, what has no deterministic form is an error with a sentence."""
    try:
        yield
    except Exception as error:
        if not backend.is_indeterministic(error):
            raise
        raise ResourceError(
            f"an op of this network has no deterministic form here: {first_line(error)}.",
            where="--deterministic",
            fix="Leave it out, or train with --device cpu, which is always deterministic.",
        ) from error


def _within_time(
    fit: _Fit, val: BatchSource, keeper: Keeper, saved: Checkpoint | None, reporter: Reporter
) -> _Fit:
    """As much of it as there is time for; of a fit that is gone on with, what was chosen when it
    began, so that it is the same fit."""
    if saved is not None:
        limits = Limits(**saved.facts["limits"])
    else:
        pace = fit.pace()
        keeper.finishing = keeper.finishing or pace.finishing(fit.train, val)
        limits = pace.limit(fit.stage, fit.train, val, keeper.seconds_to_train)
    keeper.facts = {**keeper.facts, "limits": asdict(limits)}
    if limits != Limits(fit.epochs, fit.train.num_batches):
        few = f"{limits.epochs} of {fit.epochs} epochs"
        if limits.steps < fit.train.num_batches:
            few = f"{limits.steps} of the {fit.train.num_batches} steps of an epoch"
        reporter.report(Said(f"{fit.stage.name}: there is time for {few}"))
    return fit.within(limits)


def _at_found_rate(
    fit: _Fit, keeper: Keeper | None, saved: Checkpoint | None, reporter: Reporter
) -> _Fit:
    """At the rate that a test finds; that of a fit that is gone on with was found when it began."""
    rate = fit.find_rate() if saved is None else saved.facts["learning_rate"]
    if keeper is not None:
        keeper.facts = {**keeper.facts, "learning_rate": rate}
    if saved is None:
        reporter.report(Said(f"{fit.stage.name}: learning rate {rate:g} (range test)"))
    return replace(fit, stage=replace(fit.stage, learning_rate=rate))
