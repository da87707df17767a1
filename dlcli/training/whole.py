"""All layers of a network, trained by Keras."""

from __future__ import annotations

from pathlib import Path

from dlcli.data.dataset import Dataset
from dlcli.data.split import TRAIN, VAL
from dlcli.events import Reporter
from dlcli.models.network import BuiltNetwork
from dlcli.spec.schema import Spec
from dlcli.training.augment import augmentation_layers
from dlcli.training.batches import Batches
from dlcli.training.class_weights import class_weights_of
from dlcli.training.distribute import to_train
from dlcli.training.finish import finish_network
from dlcli.training.fit import fit_again, fit_model
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
) -> TrainedModel:
    """Trains all layers and writes body.tflite and model.keras into `folder`. Goes on where the
    keeper has saved something.

    Raises:
        SpecError: if the loss is no longer a number in the first epoch.
        ResourceError: if not even one picture fits into the memory, an op is not deterministic
            where that is asked for, or the conversion fails.
        DataError: if the converted body answers otherwise than Keras.
    """
    layers = augmentation_layers(spec.augment)
    weights = class_weights_of(
        spec.train.class_weights, dataset.class_names, dataset.labels(dataset.rows(TRAIN))
    )

    saved = keeper.load() if keeper else None

    def fit(batch_size: int) -> tuple[HistoryRow, ...]:
        if keeper:
            keeper.facts = {"batch_size": batch_size}
        is_same = saved is not None and saved.facts["batch_size"] == batch_size
        train, val = (Batches(dataset, split, batch_size) for split in (TRAIN, VAL))
        with to_train(network.model, spec.train.precision) as model:
            return fit_model(
                model,
                layers,
                train,
                val,
                spec.train,
                stage,
                reporter,
                class_weights=weights,
                keeper=keeper,
                saved=saved if is_same else None,
            )

    batch_size = saved.facts["batch_size"] if saved else stage.batch_size or 1
    history = with_batches_that_fit(fit, batch_size, network.model, reporter)
    return finish_network(network, dataset, history, folder, reporter)


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
