"""Stages below a head once more, on the pictures of train, val and test alike, as val has chosen
them before."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dlcli.data.split import TRAIN
from dlcli.models.blocks import freeze_normalization
from dlcli.models.network import BuiltNetwork
from dlcli.runtime.head import Head
from dlcli.training.augment import augmentation_layers
from dlcli.training.checkpoint import Checkpoint, grouped
from dlcli.training.class_weights import class_weights_of
from dlcli.training.distribute import to_train
from dlcli.training.finish import finish_network
from dlcli.training.fit import fit_again
from dlcli.training.layer_rates import block_shares
from dlcli.training.memory import with_batches_that_fit
from dlcli.training.refine import START, Material, between, part_of, source_of, with_head
from dlcli.training.stages import Stage
from dlcli.training.trained import TrainedModel


@dataclass(frozen=True)
class ChosenStage:
    """A stage that was kept, with the learning rate that was found for it: how many epochs it had,
    and how far on the way from the weights before it to those after it val was most content."""

    stage: Stage
    epochs: int
    share: float


def refit_stages(
    material: Material, chosen: Sequence[ChosenStage], head: Head, before: TrainedModel
) -> TrainedModel | None:
    """Takes `material`, whose body is as it was in the beginning and all of whose pictures are
    training pictures, below a `head` that was fitted on them, through the stages that led to
    `before`, whose temperature it takes over. Goes on where the keeper has saved something. None
    if the loss is lost.

    Raises:
        as `refine.refine`.
    """
    freeze_normalization(material.body)
    network = with_head(material, head)
    saved = material.keeper.load()
    reached = saved.facts["number"] if saved else 0
    for number, one in enumerate(chosen):
        if number < reached:
            continue
        own = saved if number == reached else None
        if own is not None:
            network.model.set_weights(own.group(START))
        if not _through(material, network, one, number, own):
            return None
    folder = Path(tempfile.mkdtemp(prefix="refit-", dir=material.folder))
    temperature = before.head.temperature
    found = finish_network(
        network,
        before.dataset,
        before.history,
        folder,
        material.reporter,
        temperature=temperature,
    )
    return replace(found, pooling=before.pooling)


def _through(
    material: Material,
    network: BuiltNetwork,
    chosen: ChosenStage,
    number: int,
    saved: Checkpoint | None,
) -> bool:
    """One stage; whether the loss stayed a number."""
    dataset, spec, keeper = material.dataset, material.spec, material.keeper
    stage = chosen.stage
    part = part_of(material.body, network, stage)
    weights = class_weights_of(
        spec.train.class_weights, dataset.class_names, dataset.labels(dataset.rows(TRAIN))
    )
    layers = [] if part.below else augmentation_layers(spec.augment)
    before = network.model.get_weights()
    keeper.arrays = grouped(START, before)

    def fit(batch_size: int) -> bool:
        keeper.facts = {"number": number, "batch_size": batch_size}
        is_same = saved is not None and saved.facts["batch_size"] == batch_size
        train = source_of(material, part, stage, batch_size, TRAIN)
        with to_train(part.trained, spec.train.precision) as model:
            return fit_again(
                model,
                layers,
                train,
                spec.train,
                stage,
                material.reporter,
                end=chosen.epochs,
                class_weights=weights,
                shares=block_shares(material.body, stage.layer_decay),
                keeper=keeper,
                saved=saved if is_same else None,
            )

    batch_size = saved.facts["batch_size"] if saved else stage.batch_size or 1
    if not with_batches_that_fit(fit, batch_size, part.trained, material.reporter):
        return False
    after = network.model.get_weights()
    network.model.set_weights(between(before, after, chosen.share))
    return True
