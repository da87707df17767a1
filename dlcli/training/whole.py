"""All layers of a network, trained by Keras."""

from __future__ import annotations

from pathlib import Path

from dlcli import backend
from dlcli.cluster.team import Team
from dlcli.data.dataset import Dataset
from dlcli.data.split import TRAIN, VAL
from dlcli.errors import ResourceError
from dlcli.events import NullReporter, Reporter
from dlcli.models.network import BuiltNetwork
from dlcli.spec.schema import Spec
from dlcli.training.augment import augmentation_layers
from dlcli.training.batches import Batches, Share
from dlcli.training.checkpoint import Checkpoint
from dlcli.training.class_weights import class_weights_of
from dlcli.training.distribute import own_share, to_train
from dlcli.training.finish import finish_network
from dlcli.training.fit import fit_again, fit_model
from dlcli.training.follow import Follower, lead, next_fit
from dlcli.training.keeper import Keeper
from dlcli.training.memory import with_batches_that_fit
from dlcli.training.stages import Stage
from dlcli.training.trained import HistoryRow, TrainedModel


def train_network(
    network: BuiltNetwork,
    dataset: Dataset,
    spec: Spec,
    stage: Stage,
    folder: Path,
    reporter: Reporter,
    *,
    keeper: Keeper | None = None,
    team: Team | None = None,
) -> TrainedModel:
    """Trains all layers and writes body.tflite and model.keras into `folder`. Goes on where the
    keeper has saved something. The other processes of a `team` take each step, too.

    Raises:
        SpecError: if the loss is no longer a number in the first epoch.
        ResourceError: if not even one picture fits into the memory, an op is not deterministic
            where that is asked for, or the conversion fails.
        DataError: if the converted body answers otherwise than Keras.
    """
    saved = keeper.load() if keeper else None
    fitting = _Fitting(network, dataset, spec, stage, reporter)

    def fit(batch_size: int) -> tuple[HistoryRow, ...]:
        if team is None:
            return fitting.fit(batch_size, keeper, saved)
        lead(team, network.model, batch_size, saved)
        with team.in_step():
            return fitting.fit(batch_size, keeper, saved)

    batch_size = saved.facts["batch_size"] if saved else stage.batch_size or 1
    if team is not None:
        history = fit(batch_size)
    else:
        history = with_batches_that_fit(fit, batch_size, network.model, reporter)
    return finish_network(network, dataset, history, folder, reporter)


def follow_network(
    network: BuiltNetwork, dataset: Dataset, spec: Spec, stage: Stage, team: Team
) -> None:
    """Takes each step with process 0, which does all the rest, until there are no more.

    Raises:
        SpecError: if the loss is no longer a number in the first epoch.
    """
    fitting = _Fitting(network, dataset, spec, stage, NullReporter())
    while (order := next_fit(team, network.model)) is not None:
        batch_size, saved = order
        with team.in_step():
            fitting.fit(batch_size, Follower(saved), saved)


class _Fitting:
    """The fit of a network, of which its batch size alone is open."""

    def __init__(
        self, network: BuiltNetwork, dataset: Dataset, spec: Spec, stage: Stage, reporter: Reporter
    ) -> None:
        self._network, self._dataset = network, dataset
        self._spec, self._stage, self._reporter = spec, stage, reporter
        self._layers = augmentation_layers(spec.augment)
        self._weights = class_weights_of(
            spec.train.class_weights, dataset.class_names, dataset.labels(dataset.rows(TRAIN))
        )

    def fit(
        self, batch_size: int, keeper: Keeper | None, saved: Checkpoint | None
    ) -> tuple[HistoryRow, ...]:
        """Fits, and leaves the network with its best weights."""
        if keeper:
            keeper.facts = {"batch_size": batch_size}
        is_same = saved is not None and saved.facts["batch_size"] == batch_size
        train, val = (
            Batches(self._dataset, split, batch_size, self._share(split)) for split in (TRAIN, VAL)
        )
        try:
            return self._fit(train, val, keeper, saved if is_same else None)
        except Exception as error:
            if backend.cluster() is None or not backend.is_out_of_memory(error):
                raise
            raise ResourceError(
                f"{batch_size} pictures a step do not fit into the memory.",
                fix="Lower train.batch_size, or train with more processes.",
            ) from error

    def _fit(
        self, train: Batches, val: Batches, keeper: Keeper | None, saved: Checkpoint | None
    ) -> tuple[HistoryRow, ...]:
        with to_train(self._network.model, self._spec.train.precision) as model:
            return fit_model(
                model,
                self._layers,
                train,
                val,
                self._spec.train,
                self._stage,
                self._reporter,
                class_weights=self._weights,
                keeper=keeper,
                saved=saved,
            )

    def _share(self, split: str) -> Share | None:
        """Of many processes each reads its part alone; pictures are mixed with any of their
        batch."""
        if backend.cluster() is None or (split == TRAIN and self._spec.train.mix != "none"):
            return None
        return own_share()


def train_network_again(  # noqa: PLR0917
    network: BuiltNetwork,
    before: TrainedModel,
    spec: Spec,
    stage: Stage,
    folder: Path,
    keeper: Keeper,
    reporter: Reporter,
) -> TrainedModel | None:
    """Trains a network with its first weights on the pictures of train, val and test alike, for as
    many epochs as were best `before`, whose temperature it takes over. None if the loss is lost.

    Raises:
        as `train_network`.
    """
    dataset = before.dataset.as_one()
    layers = augmentation_layers(spec.augment)
    weights = class_weights_of(
        spec.train.class_weights, dataset.class_names, dataset.labels(dataset.rows(TRAIN))
    )
    saved = keeper.load()

    def fit(batch_size: int) -> bool:
        keeper.facts = {"batch_size": batch_size}
        is_same = saved is not None and saved.facts["batch_size"] == batch_size
        with to_train(network.model, spec.train.precision) as model:
            return fit_again(
                model,
                layers,
                Batches(dataset, TRAIN, batch_size),
                spec.train,
                stage,
                reporter,
                end=before.best.epoch,
                class_weights=weights,
                keeper=keeper,
                saved=saved if is_same else None,
            )

    batch_size = saved.facts["batch_size"] if saved else stage.batch_size or 1
    if not with_batches_that_fit(fit, batch_size, network.model, reporter):
        return None
    return finish_network(
        network,
        before.dataset,
        before.history,
        folder,
        reporter,
        temperature=before.head.temperature,
    )
