"""What a spec amounts to: which network is trained, from what, how, and on what it is based."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.errors import UsageError
from dlcli.events import ModelShown, Reporter, Said, Warned

if TYPE_CHECKING:
    from dlcli.artifact import Artifact, ModelFacts
    from dlcli.data.dataset import Dataset
    from dlcli.data.pixels import PixelFormat
    from dlcli.models.bodies import KeptBody
    from dlcli.models.network import BuiltNetwork
    from dlcli.spec.loader import SpecSource
    from dlcli.spec.schema import Spec
    from dlcli.training.stages import Stage
    from dlcli.training.trained import TrainedModel

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
        )

    @abstractmethod
    def prepare(self, reporter: Reporter) -> None:
        """Gets what must be there before a picture is read.

        Raises:
            ResourceError: if it cannot be had.
        """

    @abstractmethod
    def train(self, dataset: Dataset, folder: Path, reporter: Reporter) -> TrainedModel:
        """Trains, with `folder` for what is made on the way."""


@dataclass(frozen=True)
class HeadPlan(Plan):
    """A head on the features of a body that stays as it is; needs no framework."""

    def prepare(self, reporter: Reporter) -> None:
        """Fetches and converts the body, where that was not done before."""
        self._find_body(reporter)

    def train(self, dataset: Dataset, folder: Path, reporter: Reporter) -> TrainedModel:  # noqa: ARG002
        """Runs the body once over every picture and fits the head."""
        from dlcli.training.quick import train_head

        return train_head(
            dataset,
            self._find_body(reporter),
            reporter,
            mirror=self.spec.augment == "auto",
            seed=self.spec.train.seed,
            class_weights=self.spec.train.class_weights,
        )

    def _find_body(self, reporter: Reporter) -> KeptBody:
        from dlcli.artifact import BODY
        from dlcli.models.bodies import KeptBody, find_body
        from dlcli.models.registry import BACKBONES

        if self.start.run is not None:
            run = self.start.run
            return KeptBody(run.file(BODY), run.sha256s[BODY], run.keras_file)
        backbone = BACKBONES[self.spec.model.backbone or ""]
        return find_body(backbone, self.spec.data.image_size, reporter, self.start.file)


@dataclass(frozen=True)
class NetworkPlan(Plan):
    """All layers of a network, trained by Keras."""

    network: BuiltNetwork

    def prepare(self, reporter: Reporter) -> None:
        """Nothing: the network is built already."""

    def train(self, dataset: Dataset, folder: Path, reporter: Reporter) -> TrainedModel:
        """Fits, and converts what comes out."""
        from dlcli.training.whole import train_network

        (stage,) = self.stages
        return train_network(self.network, dataset, self.spec, stage, folder, reporter)


def make_plan(
    source: SpecSource,
    class_names: tuple[str, ...],
    num_train: int,
    runs_folder: Path,
    reporter: Reporter,
) -> Plan:
    """The plan for a folder with these classes, of whose pictures `num_train` will be trained on.

    Raises:
        SpecError: if a layer does not take what reaches it, the spec does not fit the run or the
            file that it starts from, or weighs a class that is not there.
        UsageError: if that run or file is not there.
        ResourceError: if weights are missing.
    """
    from dlcli.training.class_weights import class_weight_faults
    from dlcli.training.stages import resolve_spec

    if faults := class_weight_faults(source.spec.train.class_weights, class_names):
        raise source.error(*faults)
    start = _find_start(source, runs_folder)
    spec = resolve_spec(_fitted(source, start), num_train)
    if spec.trains_head_only:
        return _plan_head(spec, start, len(class_names), num_train, reporter)
    return _plan_network(replace(source, spec=spec), start, class_names, reporter)


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
    if faults:
        raise source.error(*faults)
    data = spec.data.model_copy(update=taken)
    model = spec.model.model_copy(update={"backbone": backbone})
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
    from dlcli import backend

    spec = source.spec
    backend.prepare(seed=spec.train.seed)
    from dlcli.models.network import build_network
    from dlcli.spec.faults import Fault
    from dlcli.spec.walk import MisfitError
    from dlcli.training.augment import augmentation_layers
    from dlcli.training.optimizer import make_optimizer
    from dlcli.training.stages import plan_stages

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
