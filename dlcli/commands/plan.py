"""What a spec amounts to: which network is trained, from what, how, and on what it is based."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.errors import UsageError
from dlcli.events import ModelShown, Reporter, Warned

if TYPE_CHECKING:
    from dlcli.artifact import Artifact, ModelFacts
    from dlcli.data.dataset import Dataset
    from dlcli.data.pixels import PixelFormat
    from dlcli.machine.device import Choice, Device
    from dlcli.spec.loader import SpecSource
    from dlcli.spec.schema import Spec
    from dlcli.training.keeper import Keeper
    from dlcli.training.stages import Stage
    from dlcli.training.trained import StageOutcome, TrainedModel

IMAGENET, RANDOM = "imagenet", "random"


@dataclass(frozen=True)
class Start:
    """Where the weights come from: imagenet, random, a file, or an earlier run's artefact."""

    name: str
    file: Path | None = None
    run: Artifact | None = None


@dataclass(frozen=True)
class Plan(ABC):
    """A resolved spec, its stages, and the model as it is before the first step; `reason` says why
    `auto` has become these stages."""

    spec: Spec
    stages: tuple[Stage, ...]
    summary: ModelShown
    start: Start
    reason: str = field(default="", kw_only=True)

    def describe(self, num_images: Mapping[str, int]) -> str:
        """What is trained, how long that may take, and why."""
        from dlcli.training.expected import in_words
        from dlcli.training.stages import describe_plan

        said = "; then ".join(describe_plan(self.spec, self.stages))
        if (seconds := self.expected_seconds(num_images)) is not None:
            said += f"; {in_words(seconds)}"
        return f"{said} ({self.reason})" if self.reason else said

    def expected_seconds(self, num_images: Mapping[str, int]) -> float | None:  # noqa: ARG002
        """How long it may take, from the pictures of each part; None where that is not known."""
        return None

    @property
    def pixel_format(self) -> PixelFormat:
        """How pictures are read."""
        return pixel_format_of(self.spec)

    @property
    def facts(self) -> ModelFacts:
        """What the finished model will be made of."""
        from dlcli.artifact import ModelFacts

        summary = self.summary
        return ModelFacts(
            self.spec.model.backbone,
            self.start.name,
            summary.parameters,
            summary.trainable_parameters,
            self.spec.model.body,
        )

    def facts_of(self, outcome: StageOutcome, model: TrainedModel) -> ModelFacts:
        """What `model`, which a stage came to, is made of."""
        trained = outcome.trainable_parameters
        return replace(self.facts, trainable_parameters=trained, pooling=model.pooling)

    @property
    @abstractmethod
    def device(self) -> Device:
        """What it is trained on."""

    @abstractmethod
    def prepare(self, reporter: Reporter) -> None:
        """Gets what must be there before a picture is read.

        Raises:
            ResourceError: if it cannot be had.
        """

    @abstractmethod
    def train(
        self, dataset: Dataset, folder: Path, keeper: Keeper, reporter: Reporter
    ) -> Iterator[StageOutcome]:
        """Trains, stage by stage, with `folder` for what is made on the way; goes on where the
        keeper has saved something."""

    @abstractmethod
    def refit(
        self,
        best: TrainedModel,
        outcomes: Sequence[StageOutcome],
        folder: Path,
        keeper: Keeper,
        reporter: Reporter,
    ) -> TrainedModel | None:
        """Trains once more, on the pictures of train, val and test alike, what the stages have come
        to; None if the loss is lost."""


def make_plan(
    source: SpecSource,
    class_names: tuple[str, ...],
    num_train: int,
    runs_folder: Path,
    reporter: Reporter,
    *,
    choice: Choice | None = None,
) -> Plan:
    """The plan for a folder with these classes, of whose pictures `num_train` will be trained on.
    `choice` is the device and the backend that were asked for.

    Raises:
        SpecError: if a layer does not take what reaches it, the spec does not fit the run or the
            file that it starts from, or weighs a class that is not there.
        UsageError: if that run or file is not there.
        ResourceError: if weights are missing, or the device or the backend that is asked for.
    """
    from dlcli.commands.devices import prepare_backend, require_for_head
    from dlcli.commands.head_plan import plan_head
    from dlcli.commands.network_plan import plan_network
    from dlcli.commands.staged_plan import plan_stages_on
    from dlcli.machine.device import CPU, Choice
    from dlcli.machine.driver import find_driver
    from dlcli.training.class_weights import class_weight_faults
    from dlcli.training.stages import reason_of, resolve_spec

    if faults := class_weight_faults(source.spec.train.class_weights, class_names):
        raise source.error(*faults)
    choice = choice or Choice()
    start = _find_start(source, runs_folder)
    has_gpu = choice.device != CPU and bool(find_driver().gpus)
    fitted = _fitted(source, start)
    spec = resolve_spec(fitted, num_train, has_gpu=has_gpu, scale=scale_of_spec(fitted))
    reason = reason_of(fitted, spec, num_train)
    if spec.trains_head_only and not source.spec.trains_head_only:
        spec = _without_idle(spec, num_train, reporter)
    if spec.trains_head_only:
        require_for_head(choice, reporter)
        head = plan_head(spec, start, len(class_names), num_train, reporter)
        return replace(head, reason=reason)
    if spec.begins_trained:
        head = plan_head(spec, start, len(class_names), num_train, reporter)
        staged = plan_stages_on(head, choice, reporter, has_gpu=has_gpu)
        return replace(staged, reason=reason)
    source = replace(source, spec=prepare_backend(spec, choice, reporter))
    return plan_network(source, start, class_names, reporter)


def scale_of_spec(spec: Spec) -> float:
    """How many times the arithmetic of EfficientNet-Lite0 a picture takes; 1 where that is not
    known before the network is built."""
    from dlcli.models.registry import BACKBONES
    from dlcli.training.expected import scale_of

    backbone = BACKBONES.get(spec.model.backbone or "")
    if backbone is None:
        return 1.0
    return scale_of(backbone.multiply_adds, backbone.image_size, spec.data.image_size)


def pixel_format_of(spec: Spec) -> PixelFormat:
    """How the pictures of a spec are read."""
    from dlcli.data.pixels import PixelFormat

    return PixelFormat(spec.data.image_size, spec.data.resize, spec.data.color)


def _without_idle(spec: Spec, num_train: int, reporter: Reporter) -> Spec:
    """The spec without the settings that do nothing now that `auto` has chosen a head alone."""
    from dlcli.spec.rules import idle_beside_a_head

    defaults = type(spec)()
    for fault in idle_beside_a_head(spec):
        section, *key = fault.location
        reporter.report(
            Warned(
                f"{'.'.join(map(str, fault.location))} changes nothing: with {num_train} training "
                "pictures stages: auto trains a head alone; list train.stages to train layers"
            )
        )
        default = getattr(defaults, str(section))
        if key:
            (name,) = map(str, key)
            own = getattr(spec, str(section))
            default = own.model_copy(update={name: getattr(default, name)})
        spec = spec.model_copy(update={str(section): default})
    return spec


def _find_start(source: SpecSource, runs_folder: Path) -> Start:
    from dlcli.artifact import open_artifact
    from dlcli.runs.run import find_run, model_folder

    named = source.spec.model.weights
    if named in (IMAGENET, RANDOM):
        return Start(named)
    path = Path(named).expanduser()
    if not source.spec.model.begins_with_run:
        if not path.is_file():
            raise UsageError(
                "there is no such weight file.",
                where=f"model.weights {named}",
                fix="Name a .keras or .weights.h5 file, a run, imagenet or random.",
            )
        return Start(str(path.resolve()), file=path)
    try:
        folder = find_run(str(path), runs_folder)
    except UsageError as error:
        near = difflib.get_close_matches(named, (IMAGENET, RANDOM), 1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise UsageError(
            "there is no such run.",
            where=f"model.weights {named}",
            fix=f"{hint}Name a run, a .keras or .weights.h5 file, imagenet or random.",
        ) from error
    return Start(str(folder.resolve()), run=open_artifact(model_folder(folder)))


def _fitted(source: SpecSource, start: Start) -> Spec:
    """The spec as the run it starts from wants pictures read, where it does not say itself.

    Raises:
        SpecError: if it says otherwise.
    """
    from dlcli.spec.faults import Fault

    spec = source.spec
    model = spec.model.model_copy(update={"weights": start.name})
    spec = spec.model_copy(update={"model": model})
    if start.run is None or not spec.begins_trained:
        return spec
    run = start.run
    faults, taken = [], {}
    for key in ("image_size", "resize", "color"):
        wanted, own = getattr(run.pixel_format, key), getattr(spec.data, key)
        if ("data", key) in source.given and own != wanted:
            wants, has = (list(one) if isinstance(one, tuple) else one for one in (wanted, own))
            what = f"must be {wants}, as in {start.name}, whose body is used, got {has}"
            faults.append(Fault(("data", key), what))
        taken[key] = wanted
    backbone = run.model.backbone
    if ("model", "backbone") in source.given and backbone != spec.model.backbone:
        what = f"must be {backbone or 'left out'}, as in {start.name}, got {spec.model.backbone!r}"
        faults.append(Fault(("model", "backbone"), what))
    body = run.model.body
    if ("model", "body") in source.given and body != spec.model.body:
        what = f"must be {body}, as in {start.name}, whose body is used, got {spec.model.body}"
        faults.append(Fault(("model", "body"), what))
    pooling = run.model.pooling
    if spec.model.pooling not in ("auto", pooling):
        what = f"must be {pooling}, as in {start.name}, whose body is used"
        faults.append(Fault(("model", "pooling"), f"{what}, got {spec.model.pooling}"))
    if body == "int8" and not isinstance(spec.train.stages, str) and not spec.trains_head_only:
        what = f"must be auto: the body of {start.name} is int8, which stays as it is below a head"
        faults.append(Fault(("train", "stages"), what))
    if faults:
        raise source.error(*faults)
    data = spec.data.model_copy(update=taken)
    own = {"backbone": backbone, "body": body, "pooling": pooling}
    model = spec.model.model_copy(update=own)
    return spec.model_copy(update={"data": data, "model": model})
