"""What a spec amounts to: which network is trained, from what, how, and on what it is based."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.errors import UsageError
from dlcli.events import ModelShown, Reporter, Said, Warned
from dlcli.processor import has_int8_products

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dlcli.artifact import Artifact, ModelFacts
    from dlcli.data.dataset import Dataset
    from dlcli.data.pixels import PixelFormat
    from dlcli.machine.device import Choice, Device
    from dlcli.models.bodies import KeptBody
    from dlcli.models.network import BuiltNetwork
    from dlcli.models.registry import Backbone
    from dlcli.spec.loader import SpecSource
    from dlcli.spec.schema import Spec
    from dlcli.training.keeper import Keeper
    from dlcli.training.stages import Stage
    from dlcli.training.trained import StageOutcome

IMAGENET, RANDOM = "imagenet", "random"


@dataclass(frozen=True)
class Start:
    """Where the weights come from: imagenet, random, a file, or an earlier run's artefact."""

    name: str
    file: Path | None = None
    run: Artifact | None = None


@dataclass(frozen=True)
class Plan(ABC):
    """A resolved spec, its stages, and the model as it is before the first step."""

    spec: Spec
    stages: tuple[Stage, ...]
    summary: ModelShown
    start: Start

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
        keeper: Keeper,  # noqa: ARG002
        reporter: Reporter,
    ) -> Iterator[StageOutcome]:
        """Runs the body once over every picture and fits the head."""
        from dlcli.training.quick import train_head
        from dlcli.training.trained import StageOutcome

        trained = train_head(
            dataset,
            self._find_body(reporter, self._calibration(dataset)),
            reporter,
            mirror=self.spec.augment == "auto",
            seed=self.spec.train.seed,
            class_weights=self.spec.train.class_weights,
        )
        yield StageOutcome(self.stages[0].name, trained, self.facts.trainable_parameters)

    def _find_body(
        self, reporter: Reporter, calibration: NDArray[np.uint8] | None = None
    ) -> KeptBody:
        from dlcli.artifact import BODY
        from dlcli.models.bodies import KeptBody, find_body

        if self.start.run is not None:
            run = self.start.run
            return KeptBody(run.file(BODY), run.sha256s[BODY], run.keras_file)
        size = self.spec.data.image_size
        return find_body(self._backbone, size, reporter, self.start.file, calibration)

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


@dataclass(frozen=True)
class NetworkPlan(Plan):
    """All layers of a network, trained by Keras."""

    network: BuiltNetwork

    @property
    def device(self) -> Device:
        """What Keras runs on."""
        from dlcli import backend

        return replace(backend.device(), precision=self.spec.train.precision)

    def prepare(self, reporter: Reporter) -> None:
        """Nothing: the network is built already."""

    def train(
        self, dataset: Dataset, folder: Path, keeper: Keeper, reporter: Reporter
    ) -> Iterator[StageOutcome]:
        """Fits, and converts what comes out."""
        from dlcli.training.trained import StageOutcome
        from dlcli.training.whole import train_network

        (stage,) = self.stages
        trained = train_network(
            self.network, dataset, self.spec, stage, folder, reporter, keeper=keeper
        )
        yield StageOutcome(stage.name, trained, self.facts.trainable_parameters)


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
    from dlcli.machine.device import Choice
    from dlcli.training.class_weights import class_weight_faults
    from dlcli.training.stages import resolve_spec

    if faults := class_weight_faults(source.spec.train.class_weights, class_names):
        raise source.error(*faults)
    choice = choice or Choice()
    start = _find_start(source, runs_folder)
    spec = resolve_spec(_fitted(source, start), num_train)
    if spec.trains_head_only:
        require_for_head(choice, reporter)
        return _plan_head(spec, start, len(class_names), num_train, reporter)
    source = replace(source, spec=prepare_backend(spec, choice, reporter))
    return _plan_network(source, start, class_names, reporter)


def pixel_format_of(spec: Spec) -> PixelFormat:
    """How the pictures of a spec are read."""
    from dlcli.data.pixels import PixelFormat

    return PixelFormat(spec.data.image_size, spec.data.resize, spec.data.color)


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
    if start.run is None or not spec.trains_head_only:
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
    if faults:
        raise source.error(*faults)
    data = spec.data.model_copy(update=taken)
    model = spec.model.model_copy(update={"backbone": backbone, "body": body})
    return spec.model_copy(update={"data": data, "model": model})


def _plan_head(
    spec: Spec, start: Start, num_classes: int, num_train: int, reporter: Reporter
) -> Plan:
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


def _plan_network(
    source: SpecSource, start: Start, class_names: tuple[str, ...], reporter: Reporter
) -> Plan:
    from dlcli.models.network import build_network
    from dlcli.spec.faults import Fault
    from dlcli.spec.walk import MisfitError
    from dlcli.training.augment import augmentation_layers
    from dlcli.training.optimizer import make_optimizer
    from dlcli.training.stages import plan_stages

    spec = source.spec
    stages = plan_stages(spec)
    try:
        network = build_network(spec, len(class_names))
        augmentation_layers(spec.augment)
        make_optimizer(spec.train, stages[0], 1)
    except MisfitError as error:
        raise source.error(Fault(error.location, error.what)) from error
    _load_start(network, start, class_names, reporter)
    if spec.model.layers is not None and not network.normalizes:
        reporter.report(
            Warned("model.layers rescales and normalizes nothing: it sees pixels of 0-255")
        )
    summary = network.summary(stages[0].batch_size or 1)
    return NetworkPlan(spec, stages, summary, start, network)


def _load_start(
    network: BuiltNetwork, start: Start, class_names: tuple[str, ...], reporter: Reporter
) -> None:
    """Copies the weights of a run or a file into the network."""
    from dlcli.models.weight_files import load_weights

    file = start.file
    if start.run is not None:
        file = start.run.keras_file
        if file is None:
            raise UsageError(
                "only a head was trained there, and the body is the backbone's own.",
                where=f"model.weights {start.name}",
                fix="Use weights: imagenet with that backbone.",
            )
    if file is None:
        return
    if start.run is not None and _holds_head(start.run, class_names):
        load_weights(network.model, file)
        reporter.report(Said(f"all layers begin with the weights of {start.name}"))
    else:
        load_weights(network.body, file)
        reporter.report(Said(f"the body begins with the weights of {start.name}; the head is new"))


def _holds_head(run: Artifact, class_names: tuple[str, ...]) -> bool:
    """Whether the network in a run ends with the head for these classes; beside a head that was
    trained alone lies the network that its body is from, with a head of its own."""
    from dlcli.artifact import NETWORK

    return NETWORK in run.sha256s and run.class_names == class_names
