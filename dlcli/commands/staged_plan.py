"""A head first, which stands within seconds as a whole model, and then layers below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.head_plan import HeadPlan
from dlcli.events import NullReporter, Reporter, Said, Warned

if TYPE_CHECKING:
    from dlcli.backend import Model
    from dlcli.data.dataset import Dataset
    from dlcli.machine.device import Choice, Device
    from dlcli.training.keeper import Keeper
    from dlcli.training.refine import Material
    from dlcli.training.trained import StageOutcome, TrainedModel

FEWEST_WRONG = 2
"""With fewer val pictures wrong than this, val cannot tell what is better."""


LEAST_SECONDS = 25.0
"""Until Keras is there and has trained and converted anything, so long goes by."""


@dataclass(frozen=True)
class StagedPlan(HeadPlan):
    """The head needs no framework; Keras is started when it stands."""

    choice: Choice
    used_device: Device

    @property
    def device(self) -> Device:
        """What the layers below the head are trained on."""
        return self.used_device

    def train(
        self, dataset: Dataset, folder: Path, keeper: Keeper, reporter: Reporter
    ) -> Iterator[StageOutcome]:
        """Fits the head, and goes on with the stages below it where val can tell whether they are
        better."""
        saved = keeper.load()
        below = saved.facts["earlier"] if saved else []
        is_surpassed = any(stage["share"] is not None for stage in below)
        best: TrainedModel | None = None
        for outcome in super().train(dataset, folder, keeper, reporter):
            best = outcome.model or best
            # Where a better one stands already, a head does not take its place.
            yield replace(outcome, model=None) if is_surpassed else outcome
        if best is None:
            raise ValueError("a head has a model")
        if saved is None:
            if not _can_be_better(best, reporter):
                return
            if keeper.seconds_left < LEAST_SECONDS:
                reporter.report(Said("no time is left for more: the head is the result"))
                return
        material = self._material(dataset, folder, keeper, reporter, best.pooling)
        from dlcli.training.refine import reached, refine  # Keras runs from here on

        for outcome in reached(material, best, saved) if saved else ():
            yield outcome
            best = outcome.model or best
            material = material.after(outcome)
        for stage in self.stages[1 + material.number :]:
            refined = refine(material, stage, best)
            if refined is None:
                return
            yield refined
            best = refined.model or best
            material = material.after(refined)

    def refit(
        self,
        best: TrainedModel,
        outcomes: Sequence[StageOutcome],
        folder: Path,
        keeper: Keeper,
        reporter: Reporter,
    ) -> TrainedModel | None:
        """The head that stood first on all pictures, and below it the stages that were kept."""
        from dlcli.training.quick import HEADS

        below = [outcome for outcome in outcomes if outcome.name not in HEADS]
        pairs = zip(self.stages[1:], below, strict=False)
        kept = [(stage, outcome) for stage, outcome in pairs if outcome.share is not None]
        if not kept:
            return super().refit(best, outcomes, folder, keeper, reporter)
        # A run that is gone on with has a better model than its head's.
        first = super().train(best.dataset, folder, keeper, NullReporter())
        *_, head = (outcome.model for outcome in first if outcome.model)
        head = self._refit_head(head, reporter)
        dataset = best.dataset.as_one()
        material = self._material(dataset, folder, keeper, reporter, head.pooling)
        from dlcli.training.refit import ChosenStage, refit_stages

        chosen = [
            ChosenStage(
                replace(stage, learning_rate=outcome.learning_rate, tests_rate=False),
                len(outcome.history),
                outcome.share or 1.0,
            )
            for stage, outcome in kept
        ]
        return refit_stages(material, chosen, head.head, best)

    def _material(
        self,
        dataset: Dataset,
        folder: Path,
        keeper: Keeper,
        reporter: Reporter,
        pooling: str,
    ) -> Material:
        from dlcli.commands.devices import start_keras

        start_keras(self.spec, self.choice)
        from dlcli.training.refine import Material

        sha256 = self._find_body(reporter).sha256
        body = self._load_body(pooling)
        return Material(body, sha256, dataset, self.spec, folder, keeper, reporter)

    def _load_body(self, pooling: str) -> Model:
        from dlcli.models.model import body_of, load_body, open_model
        from dlcli.runtime.head import load_head

        run = self.start.run
        if run is None:
            name, size = self._backbone.name, self.spec.data.image_size
            return load_body(name, size, self.start.file, pooling=pooling)
        from dlcli.artifact import HEAD

        return body_of(open_model(run, load_head(run.file(HEAD))))


def plan_stages_on(
    head: HeadPlan, choice: Choice, reporter: Reporter, *, has_gpu: bool
) -> StagedPlan:
    """The plan that goes on below the head. Keras is started here only to ask it for a GPU.

    Raises:
        ResourceError: if the backend is not installed, or has no GPU where one is asked for.
    """
    from dlcli import backend
    from dlcli.commands.devices import prepare_backend
    from dlcli.machine.device import choose_precision, cpu, doubt_precision

    spec = head.spec
    if has_gpu:
        spec = prepare_backend(spec, choice, reporter)
        device = replace(backend.device(), precision=spec.train.precision)
    else:
        backend.require(choice)
        device = cpu()
        precision = choose_precision(spec.train.precision, device)
        device = replace(device, backend=choice.backend, precision=precision)
        if (doubt := doubt_precision(precision, device)) is not None:
            reporter.report(Warned(doubt))
        train = spec.train.model_copy(update={"precision": precision})
        spec = spec.model_copy(update={"train": train})
    return StagedPlan(spec, head.stages, head.summary, head.start, choice, device)


def _can_be_better(head: TrainedModel, reporter: Reporter) -> bool:
    """Whether the head leaves something to do that val could see."""
    from dlcli.data.split import VAL

    probabilities, labels = head.answers(VAL)
    num_wrong = int((probabilities.argmax(axis=1) != labels).sum())
    if num_wrong >= FEWEST_WRONG:
        return True
    reporter.report(
        Said(
            f"{num_wrong} of {len(labels)} val pictures wrong: val could not tell whether more "
            "training is better; the head is the result"
        )
    )
    return False
