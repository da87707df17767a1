"""Layers of a body that comes trained, trained further below the head that was fitted on it.

What a stage gives is sought on the way from the weights before it to those after it: between the
two lies a network that is right more often than both (WiSE-FT, Wortsman 2022), and val says where.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli.backend import Model, keras
from dlcli.data.dataset import Dataset
from dlcli.data.split import TRAIN, VAL
from dlcli.events import Reporter, Said
from dlcli.metrics.calibration import fit_temperature
from dlcli.metrics.classification import mean_log_loss
from dlcli.models.blocks import entry_of_last, freeze_normalization
from dlcli.models.network import BuiltNetwork
from dlcli.runtime.head import Head, softmax
from dlcli.spec.schema import Spec
from dlcli.spec.shapes import PROBABILITIES
from dlcli.training.activations import KeptBatches, Views, kept_activations
from dlcli.training.augment import augmentation_layers
from dlcli.training.batches import Batches, BatchSource
from dlcli.training.checkpoint import Checkpoint, grouped
from dlcli.training.class_weights import class_weights_of
from dlcli.training.distribute import to_train
from dlcli.training.finish import finish_network
from dlcli.training.fit import fit_model
from dlcli.training.keeper import Keeper
from dlcli.training.layer_rates import block_shares
from dlcli.training.limits import stage_within_time
from dlcli.training.memory import with_batches_that_fit
from dlcli.training.stages import ALL, Stage
from dlcli.training.trained import HistoryRow, StageOutcome, TrainedModel

SHARES = tuple(step / 10 for step in range(1, 11))
"""How far on the way from the weights before a stage to those after it is looked."""

START = "start"


@dataclass(frozen=True)
class Material:
    """What all stages share: `body` is a keras.Model with trained weights, `body_sha256` says
    which; `folder` takes what is made on the way; `earlier` is what the stages before came to."""

    body: Model
    body_sha256: str
    dataset: Dataset
    spec: Spec
    folder: Path
    keeper: Keeper
    reporter: Reporter
    earlier: tuple[StageOutcome, ...] = ()

    @property
    def number(self) -> int:
        """Of the stage that is next, counted from 0."""
        return len(self.earlier)

    def after(self, outcome: StageOutcome) -> Material:
        """When one more stage is over."""
        return replace(self, earlier=(*self.earlier, outcome))


def refine(material: Material, stage: Stage, best: TrainedModel) -> StageOutcome | None:
    """Trains the layers of a stage, beginning with what stands; goes on where the keeper has saved
    something of this stage. None where there is no time left to begin with it.

    Raises:
        SpecError: if the loss is no longer a number in the first epoch.
        ResourceError: if not even one picture fits into the memory, or the conversion fails.
        DataError: if the converted body answers otherwise than Keras.
        KeyboardInterrupt: after the step in which Ctrl-C was pressed, once all is saved.
    """
    freeze_normalization(material.body)
    network = with_head(material, best.head)
    part = part_of(material.body, network, stage)
    saved = _saved(material)
    if saved is not None:
        network.model.set_weights(saved.group(START))
        stage = replace(stage, views=saved.facts["views"])
    elif material.keeper.is_limited:
        within = stage_within_time(
            material.dataset, part.below or material.body, stage, material.keeper
        )
        if within is None:
            material.reporter.report(Said(f"{stage.name}: no time is left for it"))
            return None
        stage = within
    before = network.model.get_weights()
    history = _fit(material, part, stage, saved, before)
    after = network.model.get_weights()
    val = source_of(material, part, stage, stage.batch_size or 1, VAL)
    labels = material.dataset.labels(material.dataset.rows(VAL))
    share, loss = _best_share(network, part.trained, val, labels, before, after)
    was = mean_log_loss(*best.answers(VAL)) or 0.0
    is_better = loss < was
    what = f"val log loss {loss:.3f} at {share:g} of the way, {was:.3f} before"
    verdict = "kept" if is_better else "not kept"
    material.reporter.report(Said(f"{stage.name}: {what}: {verdict}"))
    rate = material.keeper.facts.get("learning_rate", stage.learning_rate)
    parameters = sum(int(np.prod(weight.shape)) for weight in part.trained.trainable_weights)
    if not is_better:
        network.model.set_weights(before)
        return StageOutcome(stage.name, history, None, parameters, rate)
    network.model.set_weights(between(before, after, share))
    model = _finished(material, network, history, best)
    return StageOutcome(stage.name, history, model, parameters, rate, share)


def reached(material: Material, head: TrainedModel, saved: Checkpoint) -> Iterator[StageOutcome]:
    """What the stages below the `head`, up to the one that was stopped, had come to. Of those that
    were kept only the last has its model, which is made again from the weights that were saved."""
    stages = [_stage_of(facts) for facts in saved.facts["earlier"]]
    kept = [
        number for number, facts in enumerate(saved.facts["earlier"]) if facts["share"] is not None
    ]
    for number, outcome in enumerate(stages):
        if number not in kept[-1:]:
            yield outcome
            continue
        freeze_normalization(material.body)
        network = with_head(material, head.head)
        network.model.set_weights(saved.group(START))
        yield replace(outcome, model=_finished(material, network, outcome.history, head))


def _facts_of(outcome: StageOutcome) -> dict[str, Any]:
    return {
        "name": outcome.name,
        "history": [asdict(row) for row in outcome.history],
        "trainable_parameters": outcome.trainable_parameters,
        "learning_rate": outcome.learning_rate,
        "share": outcome.share,
    }


def _stage_of(facts: dict[str, Any]) -> StageOutcome:
    """A stage without its model."""
    history = tuple(HistoryRow(**row) for row in facts["history"])
    about = {key: facts[key] for key in ("trainable_parameters", "learning_rate", "share")}
    return StageOutcome(facts["name"], history, None, **about)


def _finished(
    material: Material,
    network: BuiltNetwork,
    history: tuple[HistoryRow, ...],
    before: TrainedModel,
) -> TrainedModel:
    folder = Path(tempfile.mkdtemp(prefix="stage-", dir=material.folder))
    model = finish_network(network, material.dataset, history, folder, material.reporter)
    return replace(model, pooling=before.pooling)


def with_head(material: Material, head: Head) -> BuiltNetwork:
    """The body below a classifier that begins as the head that stands."""
    features = material.body.output
    if material.spec.model.dropout:
        features = keras.layers.Dropout(material.spec.model.dropout)(features)
    classifier = keras.layers.Dense(head.weights.shape[1], activation="softmax", name=PROBABILITIES)
    model = keras.Model(material.body.input, classifier(features), name=material.body.name)
    classifier.set_weights([head.weights / head.temperature, head.bias / head.temperature])
    return BuiltNetwork(model, material.body, classifier, ())


@dataclass(frozen=True)
class Part:
    """The layers of a stage: `trained` takes what `below` gives, which stays as it is; without it
    pixels."""

    trained: Model
    below: Model | None


def part_of(body: Model, network: BuiltNetwork, stage: Stage) -> Part:
    """What a stage trains of a network, and what lies below."""
    entry = body.input if stage.trainable == ALL else entry_of_last(body, int(stage.trainable))
    if entry is body.input:
        return Part(network.model, None)
    return Part(keras.Model(entry, network.model.output), keras.Model(body.input, entry))


def _saved(material: Material) -> Checkpoint | None:
    """What was saved of the stage that is next."""
    saved = material.keeper.load()
    is_same = saved is not None and len(saved.facts["earlier"]) == material.number
    return saved if is_same else None


def _fit(
    material: Material,
    part: Part,
    stage: Stage,
    saved: Checkpoint | None,
    before: list[NDArray[Any]],
) -> tuple[HistoryRow, ...]:
    dataset, train_spec, keeper = material.dataset, material.spec.train, material.keeper
    weights = class_weights_of(
        train_spec.class_weights, dataset.class_names, dataset.labels(dataset.rows(TRAIN))
    )
    layers = [] if part.below else augmentation_layers(material.spec.augment)
    keeper.arrays = grouped(START, before)
    earlier = [_facts_of(outcome) for outcome in material.earlier]

    def fit(batch_size: int) -> tuple[HistoryRow, ...]:
        keeper.facts = {"earlier": earlier, "batch_size": batch_size, "views": stage.views}
        is_same = saved is not None and saved.facts["batch_size"] == batch_size
        train, val = (source_of(material, part, stage, batch_size, split) for split in (TRAIN, VAL))
        with to_train(part.trained, train_spec.precision) as model:
            return fit_model(
                model,
                layers,
                train,
                val,
                train_spec,
                stage,
                material.reporter,
                class_weights=weights,
                keeper=keeper,
                saved=saved if is_same else None,
                keeps_last=True,
                shares=block_shares(material.body, stage.layer_decay),
            )

    batch_size = saved.facts["batch_size"] if saved else stage.batch_size or 1
    return with_batches_that_fit(fit, batch_size, part.trained, material.reporter)


def source_of(
    material: Material, part: Part, stage: Stage, batch_size: int, split: str
) -> BatchSource:
    """A split as the trained layers see it: pixels, or activations that are kept."""
    dataset, below, spec = material.dataset, part.below, material.spec
    if below is None:
        return Batches(dataset, split, batch_size)
    views = Views()
    if split == TRAIN:
        augment = tuple(spec.augment) if isinstance(spec.augment, list) else ()
        views = Views(stage.views or 1, augment, spec.train.seed)
        views = views.limited(dataset.num_images()[TRAIN], below.output_shape[1:])
    activations = kept_activations(
        dataset, split, below, material.body_sha256, views, material.reporter
    )
    one_hot = np.eye(len(dataset.class_names), dtype=np.float32)
    return KeptBatches(activations, one_hot[dataset.labels(dataset.rows(split))], batch_size)


def _best_share(
    network: BuiltNetwork,
    trained: Model,
    val: BatchSource,
    labels: NDArray[np.int64],
    before: list[NDArray[Any]],
    after: list[NDArray[Any]],
) -> tuple[float, float]:
    """The share of the way with the lowest calibrated log loss on val, and that loss."""
    losses = []
    for share in SHARES:
        network.model.set_weights(between(before, after, share))
        losses.append(_log_loss(trained.predict_on_batch, val, labels))
    best = int(np.argmin(losses))
    return SHARES[best], losses[best]


def between(
    before: list[NDArray[Any]], after: list[NDArray[Any]], share: float
) -> list[NDArray[Any]]:
    """The weights at a `share` of the way."""
    if share == 1:
        return after
    # In this form a weight that was not trained stays what it is, to the last bit.
    return [one + share * (other - one) for one, other in zip(before, after, strict=True)]


def _log_loss(predict: Callable[[Any], Any], val: BatchSource, labels: NDArray[np.int64]) -> float:
    probabilities = np.concatenate(
        [
            np.asarray(predict(val.in_turn(number)[0].astype(np.float32)))
            for number in range(val.num_batches)
        ]
    )
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    calibrated = softmax(logits / fit_temperature(logits, labels))
    return mean_log_loss(calibrated, labels) or 0.0
