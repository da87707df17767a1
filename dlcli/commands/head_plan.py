"""A head on the features of a body that stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.plan import Plan, Start, scale_of_spec
from dlcli.events import Reporter, Said
from dlcli.processor import has_int8_products

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dlcli.artifact import ModelFacts
    from dlcli.data.dataset import Dataset
    from dlcli.machine.device import Device
    from dlcli.models.bodies import KeptBody
    from dlcli.models.registry import Backbone
    from dlcli.spec.schema import Spec
    from dlcli.training.keeper import Keeper
    from dlcli.training.trained import StageOutcome, TrainedModel


CONVERSION_SECONDS = 15.0
"""What preparing a body takes, once on a machine."""


@dataclass(frozen=True)
class HeadPlan(Plan):
    """A head on the features of a body that stays as it is; needs no framework."""

    @property
    def device(self) -> Device:
        """The processor: a head needs nothing else."""
        from dlcli.machine.device import cpu

        return cpu()

    def prepare(self, reporter: Reporter) -> None:
        """Fetches and converts the body, where that was not done before; for an int8 one, which
        takes pictures to make, fetches the weights."""
        if not self._makes_int8:
            self._find_body(reporter)
            return
        if self.start.file is None:
            from dlcli.models.downloads import imagenet_weights

            imagenet_weights(self._backbone, reporter)
        if has_int8_products() is False:
            reporter.report(
                Said(
                    "this processor has no instruction for int8 products: an int8 body is a third "
                    "of the size here, but no faster"
                )
            )

    def train(
        self,
        dataset: Dataset,
        folder: Path,  # noqa: ARG002
        keeper: Keeper,
        reporter: Reporter,
    ) -> Iterator[StageOutcome]:
        """Runs the body once over every picture and fits the head; where that leaves room once
        more, with the features of a grid."""
        from dlcli.artifact import AVERAGE, LAYOUT
        from dlcli.training.quick import MIRROR_BELOW

        pooling = self.spec.model.pooling
        if pooling != "auto":
            yield self._head(dataset, pooling, reporter)
            return
        began = keeper.seconds_left
        first = self._head(dataset, AVERAGE, reporter)
        yield first
        again = began - keeper.seconds_left if keeper.is_limited else 0.0
        has_time = keeper.seconds_left > again + CONVERSION_SECONDS
        if self._may_have_layout and first.best.val_accuracy < MIRROR_BELOW and has_time:
            second = self._head(dataset, LAYOUT, reporter)
            is_better = second.best.val_loss < first.best.val_loss
            yield second if is_better else replace(second, model=None)

    def refit(
        self,
        best: TrainedModel,
        outcomes: Sequence[StageOutcome],  # noqa: ARG002
        folder: Path,  # noqa: ARG002
        keeper: Keeper,  # noqa: ARG002
        reporter: Reporter,
    ) -> TrainedModel | None:
        """Fits the head that was best on all pictures."""
        return self._refit_head(best, reporter)

    def _refit_head(self, head: TrainedModel, reporter: Reporter) -> TrainedModel:
        from dlcli.training.quick import refit_head

        kept = self._find_body(reporter, self._calibration(head.dataset), head.pooling)
        return refit_head(head, kept, reporter, class_weights=self.spec.train.class_weights)

    @property
    def _may_have_layout(self) -> bool:
        """An earlier run's body is taken as it is; an int8 one would be quantised once more."""
        return self.start.run is None and self.spec.model.body == "float32"

    def _head(self, dataset: Dataset, pooling: str, reporter: Reporter) -> StageOutcome:
        from dlcli.training.quick import train_head
        from dlcli.training.stages import mirrors
        from dlcli.training.trained import StageOutcome

        trained = train_head(
            dataset,
            self._find_body(reporter, self._calibration(dataset), pooling),
            reporter,
            mirror=mirrors(self.spec),
            seed=self.spec.train.seed,
            class_weights=self.spec.train.class_weights,
            pooling=pooling,
        )
        name = trained.history[0].stage
        return StageOutcome(name, trained.history, trained, trained.head.size)

    def expected_seconds(self, num_images: Mapping[str, int]) -> float | None:
        """As its stages take on a CPU."""
        from dlcli.data.split import TRAIN
        from dlcli.machine.device import CPU
        from dlcli.training.expected import Work
        from dlcli.training.stages import ALL, HEAD

        if self.device.kind != CPU or self.start.run is not None:
            return None
        work = Work(num_images[TRAIN], sum(num_images.values()), scale_of_spec(self.spec))
        seconds = 0.0
        for stage in self.stages:
            epochs = stage.epochs or 0
            if stage.trainable == HEAD:
                seconds += work.head_seconds
            elif stage.trainable == ALL:
                seconds += work.all_seconds(epochs)
            else:
                seconds += work.blocks_seconds(epochs, stage.views or 1)
        return seconds

    def facts_of(self, outcome: StageOutcome, model: TrainedModel) -> ModelFacts:
        """As they were planned, with the head that was found to be best."""
        planned = self.facts
        body = planned.parameters - planned.trainable_parameters
        facts = super().facts_of(outcome, model)
        return replace(facts, parameters=body + model.head.size)

    def _find_body(
        self,
        reporter: Reporter,
        calibration: NDArray[np.uint8] | None = None,
        pooling: str = "average",
    ) -> KeptBody:
        from dlcli.artifact import BODY
        from dlcli.models.bodies import KeptBody, find_body

        if self.start.run is not None:
            run = self.start.run
            return KeptBody(run.file(BODY), run.sha256s[BODY], run.keras_file)
        size = self.spec.data.image_size
        file = self.start.file
        return find_body(self._backbone, size, reporter, file, calibration, pooling=pooling)

    def _calibration(self, dataset: Dataset) -> NDArray[np.uint8] | None:
        from dlcli.models.bodies import num_calibrated
        from dlcli.training.calibration import calibration_pixels

        if not self._makes_int8:
            return None
        most = num_calibrated(self._backbone)
        return calibration_pixels(dataset, self.spec.train.seed, most)

    @property
    def _makes_int8(self) -> bool:
        """Whether the body is quantised for these pictures; that of a run is taken as it is."""
        return self.start.run is None and self.spec.model.body == "int8"

    @property
    def _backbone(self) -> Backbone:
        from dlcli.models.registry import BACKBONES

        return BACKBONES[self.spec.model.backbone or ""]


def plan_head(
    spec: Spec, start: Start, num_classes: int, num_train: int, reporter: Reporter
) -> HeadPlan:
    """The plan for a head on the body that the spec begins with.

    Raises:
        ResourceError: if the weights that come in a package are not installed.
    """
    from dlcli.models.summary import summarize_head
    from dlcli.training.stages import plan_stages

    if start.run is not None:
        from dlcli.artifact import HEAD
        from dlcli.runtime.head import load_head

        head = load_head(start.run.file(HEAD))
        num_features = head.weights.shape[0]
        parameters = start.run.model.parameters - (0 if head.is_identity else head.size)
        name = start.run.model.backbone or "network"
        reporter.report(Said(f"the head is new; the body is that of {start.name}"))
    else:
        from dlcli.models.registry import BACKBONES

        backbone = BACKBONES[spec.model.backbone or ""]
        if start.file is None:
            backbone.require_weights()
        num_features, parameters = backbone.num_features, backbone.parameters
        name = backbone.name
    summary = summarize_head(name, num_features, parameters, num_classes, num_train)
    return HeadPlan(spec, plan_stages(spec), summary, start)
