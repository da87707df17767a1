"""All layers of a network, trained by Keras."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.plan import Plan, Start
from dlcli.errors import UsageError
from dlcli.events import Reporter, Said, Warned

if TYPE_CHECKING:
    from dlcli.artifact import Artifact
    from dlcli.cluster.team import Team
    from dlcli.commands.together import FollowResult
    from dlcli.data.dataset import Dataset
    from dlcli.machine.device import Device
    from dlcli.models.network import BuiltNetwork
    from dlcli.spec.loader import SpecSource
    from dlcli.training.keeper import Keeper
    from dlcli.training.trained import StageOutcome, TrainedModel


@dataclass(frozen=True)
class NetworkPlan(Plan):
    """All layers of a network, trained by Keras; the other processes of a `team` take each step,
    too."""

    network: BuiltNetwork
    team: Team | None = None

    @property
    def device(self) -> Device:
        """What Keras runs on."""
        from dlcli import backend

        return replace(backend.device(), precision=self.spec.train.precision)

    def prepare(self, reporter: Reporter) -> None:  # noqa: ARG002
        """Sees that what is to be trained can be kept.

        Raises:
            ResourceError: if LiteRT lacks an operation of a network of layers.
        """
        if self.spec.model.layers is not None:
            from dlcli.models.convert_network import require_convertible

            require_convertible(self.network.body)

    def train(
        self, dataset: Dataset, folder: Path, keeper: Keeper, reporter: Reporter
    ) -> Iterator[StageOutcome]:
        """Fits, and converts what comes out."""
        from dlcli.training.trained import StageOutcome
        from dlcli.training.whole import train_network

        (stage,) = self.stages
        trained = train_network(
            self.network,
            dataset,
            self.spec,
            stage,
            folder,
            reporter,
            keeper=keeper,
            team=self.team,
        )
        parameters, rate = self.facts.trainable_parameters, stage.learning_rate
        yield StageOutcome(stage.name, trained.history, trained, parameters, rate)

    def follow(self, dataset: Dataset, team: Team) -> FollowResult:
        """Takes each step with process 0, which does all the rest."""
        from dlcli.commands.together import FollowResult
        from dlcli.training.whole import follow_network

        (stage,) = self.stages
        follow_network(self.network, dataset, self.spec, stage, team)
        return FollowResult(team.launch.process_id, team.launch.num_processes)

    def refit(
        self,
        best: TrainedModel,
        outcomes: Sequence[StageOutcome],  # noqa: ARG002
        folder: Path,
        keeper: Keeper,
        reporter: Reporter,
    ) -> TrainedModel | None:
        """Trains a new network as long as was best."""
        from dlcli import backend
        from dlcli.models.network import build_network
        from dlcli.training.whole import train_network_again

        backend.seed(self.spec.train.seed)
        class_names = best.dataset.class_names
        network = build_network(self.spec, len(class_names))
        _load_start(network, self.start, class_names, reporter)
        (stage,) = self.stages
        return train_network_again(network, best, self.spec, stage, folder, keeper, reporter)


def plan_network(
    source: SpecSource, start: Start, class_names: tuple[str, ...], reporter: Reporter
) -> NetworkPlan:
    """The plan for a network whose layers are all trained, built with its first weights.

    Raises:
        SpecError: if a layer does not take what reaches it, or Keras refuses an argument.
        UsageError: if the run that it is to begin with has trained no layers.
        DataError: if its weight file is damaged or of another network.
    """
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
