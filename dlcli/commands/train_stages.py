"""The stages of a training in the folder of its run: after each, the best so far stands there as a
whole model with its numbers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dlcli.commands.train_result import StageResult, TrainResult, write_history, write_result
from dlcli.errors import DataError
from dlcli.events import Reporter, RunClosed, Said, Warned

if TYPE_CHECKING:
    from pathlib import Path

    from dlcli.artifact import ModelFacts
    from dlcli.commands.plan import Plan
    from dlcli.data.dataset import Dataset
    from dlcli.data.pixels import PixelFormat
    from dlcli.runs.run import Run
    from dlcli.training.trained import HistoryRow, StageOutcome, TrainedModel


@dataclass
class Clock:
    """Seconds by phase."""

    started: float = field(default_factory=time.monotonic)
    phases: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Counts the block as part of a phase."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + time.monotonic() - begun

    def seconds(self) -> dict[str, float]:
        """So far, to the millisecond, with the total."""
        total = time.monotonic() - self.started
        return {name: round(spent, 3) for name, spent in {**self.phases, "total": total}.items()}


def train_in(
    opened: Run,
    plan: Plan,
    dataset: Dataset,
    clock: Clock,
    reporter: Reporter,
    *,
    refit: bool = False,
) -> TrainResult:
    """Trains, stage by stage, and with `refit` once more on all pictures when the numbers are
    taken. However it ends, run.json and those who watch are told.

    Raises:
        KeyboardInterrupt: once what was reached is saved.
    """
    from dlcli.commands.flattery import tell_of_flattery
    from dlcli.commands.watching import run_completed, run_opened
    from dlcli.runs.run import FAILED, INTERRUPTED

    with opened.at_work():
        try:
            reporter.report(run_opened(opened, plan.spec))
            result = _train(opened, plan, dataset, clock, reporter, refit=refit)
        except KeyboardInterrupt:
            _close(opened, INTERRUPTED, clock, reporter)
            reporter.report(Said(f"go on with:  dlcli train --resume {opened.folder}"))
            raise
        except BaseException:
            _close(opened, FAILED, clock, reporter)
            raise
    reporter.report(run_completed(result))
    tell_of_flattery(result.agreement, reporter)
    return result


def _train(
    opened: Run,
    plan: Plan,
    dataset: Dataset,
    clock: Clock,
    reporter: Reporter,
    *,
    refit: bool,
) -> TrainResult:
    from dlcli.commands.report_page import write_training_page
    from dlcli.runs import files
    from dlcli.runs.run import COMPLETED, now
    from dlcli.spec.schema import seconds_of
    from dlcli.training.keeper import Keeper

    seconds = seconds_of(plan.spec.train.max_time)
    keeper = Keeper(
        opened.folder / files.CHECKPOINT,
        lambda rows: write_history(opened, rows),
        deadline=None if seconds is None else clock.started + seconds,
    )
    found: list[StageOutcome] = []
    stages: tuple[StageResult, ...] = ()
    rows: tuple[HistoryRow, ...] = ()
    result: TrainResult | None = None
    standing: TrainedModel | None = None
    with opened.workspace() as folder:
        outcomes = plan.train(dataset, folder, keeper, reporter)
        while (outcome := _next(outcomes, clock)) is not None:
            found.append(outcome)
            stages += (_stage_result(outcome, clock, stages),)
            if outcome.model is None:
                rows += _not_kept(outcome.history)
            else:
                rows = (*_not_kept(rows), *outcome.history)
                standing, facts = outcome.model, plan.facts_of(outcome, outcome.model)
                result = _stand(opened, outcome.model, plan.pixel_format, facts, clock)
            keeper.rows = rows
            if result is not None:
                result = replace(result, stages=stages, seconds=clock.seconds())
                write_history(opened, rows)
                write_result(opened, result)
        if result is None or standing is None:
            raise ValueError("a plan must have a stage")
        if refit:
            with clock.phase("refit"):
                refitted = _refit(opened, plan, found, folder, reporter)
            result = replace(result, model=refitted or result.model)
    with clock.phase("report"):
        page = write_training_page(opened, standing, plan, result, reporter)
    result = replace(result, status=COMPLETED, seconds=clock.seconds(), page=page)
    write_result(opened, result)
    opened.update(finished=now())
    opened.drop_checkpoint()
    return result


def _refit(
    opened: Run, plan: Plan, found: Sequence[StageOutcome], folder: Path, reporter: Reporter
) -> ModelFacts | None:
    """Trains once more on all pictures, and writes that model in place of the one that was
    measured; None where that stays."""
    from dlcli.runs import files
    from dlcli.training.artifact import write_model
    from dlcli.training.keeper import Keeper

    outcome = next(outcome for outcome in reversed(found) if outcome.model)
    best = outcome.model
    if best is None:
        raise ValueError("a plan must come to a model")
    keeper = Keeper(opened.folder / files.CHECKPOINT / files.REFIT, lambda _: None)
    num_images = len(best.dataset.as_one().rows("train"))
    reporter.report(Said(f"refit: once more on all {num_images} pictures"))
    model = plan.refit(best, found, folder, keeper, reporter)
    if model is None:
        reporter.report(Warned("the model that was measured stays"))
        return None
    facts = replace(plan.facts_of(outcome, model), refit=True)
    with opened.new_model() as building:
        write_model(building, model, plan.pixel_format, facts, judged=best)
    return facts


def _next(outcomes: Iterator[StageOutcome], clock: Clock) -> StageOutcome | None:
    with clock.phase("train"):
        return next(outcomes, None)


def _stage_result(
    outcome: StageOutcome, clock: Clock, before: Sequence[StageResult]
) -> StageResult:
    seconds = clock.phases["train"] - sum(stage.seconds for stage in before)
    accuracy = outcome.model.val_accuracy if outcome.model else outcome.best.val_accuracy
    epochs, rate = len(outcome.history), outcome.learning_rate
    return StageResult(outcome.name, epochs, round(seconds, 3), accuracy, rate)


def _not_kept(rows: Sequence[HistoryRow]) -> tuple[HistoryRow, ...]:
    return tuple(replace(row, kept=False) for row in rows)


def _stand(
    opened: Run, model: TrainedModel, pixel_format: PixelFormat, facts: ModelFacts, clock: Clock
) -> TrainResult:
    """Writes the model of a stage in place of the one before, and takes its numbers."""
    from dlcli.metrics.report import make_report
    from dlcli.runs.run import RUNNING
    from dlcli.training.artifact import write_model

    dataset = model.dataset
    with clock.phase("evaluate"):
        names, temperature = dataset.class_names, model.head.temperature
        val = make_report(*model.answers("val"), names, temperature)
        test = None
        if dataset.num_images()["test"]:
            test = make_report(*model.answers("test"), names, temperature)
    with clock.phase("export"), opened.new_model() as building:
        write_model(building, model, pixel_format, facts)
    return TrainResult(
        run=opened.folder,
        status=RUNNING,
        classes=dataset.class_names,
        num_images=dataset.num_images(),
        skipped=dataset.skipped,
        stages=(),
        best_epoch=model.best.epoch,
        val=val,
        test=test,
        seconds={},
        model=facts,
    )


def _close(opened: Run, status: str, clock: Clock, reporter: Reporter) -> None:
    from dlcli.runs.run import now

    # The disk may be what failed: the error under way says more than a second one would.
    with contextlib.suppress(OSError, DataError):
        opened.update(finished=now(), status=status, seconds=clock.seconds())
    reporter.report(RunClosed(status))
