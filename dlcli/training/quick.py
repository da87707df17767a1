"""The quickest training: a head on the features of a frozen body, without any framework."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dlcli.artifact import AVERAGE
from dlcli.data.dataset import Dataset
from dlcli.data.split import TRAIN, VAL
from dlcli.events import HeadFitted, Reporter, StageEnded, StageStarted
from dlcli.metrics.typicality import fit_typicality
from dlcli.models.bodies import KeptBody
from dlcli.runtime.litert import LiteRtBody
from dlcli.training.class_weights import ClassWeights, Weights, class_weights_of
from dlcli.training.features import kept_features
from dlcli.training.head import (
    FittedHead,
    LabelledFeatures,
    fit_chosen,
    fit_head,
    load_solver,
)
from dlcli.training.trained import HeadChoice, HistoryRow, TrainedModel

HEAD, HEAD_ON_GRID = "head", "head on a grid"
HEADS = (HEAD, HEAD_ON_GRID)
MIRROR_BELOW = 0.9
"""Mirror images double the work: they are tried where val leaves room (where it was right on more
than 90 %, they gained nothing in 12 trials on two sets of photos; on a third up to 1 point)."""


def train_head(
    dataset: Dataset,
    kept: KeptBody,
    reporter: Reporter,
    *,
    mirror: bool = True,
    seed: int = 0,
    class_weights: ClassWeights = "none",
    pooling: str = AVERAGE,
) -> TrainedModel:
    """Runs the body over every picture once and fits a head on what comes out.

    With `mirror`, where the head is right on less than 90 % of val, the mirror images of the
    training pictures are added, and kept where they lower the log loss on val. `class_weights`
    count in all of these losses. `pooling` is what the body gives.
    """
    body = _open_body(kept, dataset)
    threading.Thread(target=load_solver, daemon=True).start()
    features = kept_features(dataset.store, body, kept.sha256, reporter)
    train, val = (_take(dataset, features, split, kept.parts) for split in (TRAIN, VAL))
    weights = class_weights_of(class_weights, dataset.class_names, train.labels)
    stage = HEAD if pooling == AVERAGE else HEAD_ON_GRID
    fitted = _fit(dataset, train, val, seed, reporter, stage, weights)
    history = [_history_row(1, stage, fitted, kept=True)]
    better = False
    if mirror and fitted.val_accuracy < MIRROR_BELOW:
        mirror_images = kept_features(dataset.store, body, kept.sha256, reporter, mirrored=True)
        both = _join(train, _take(dataset, mirror_images, TRAIN, kept.parts))
        mirrored = f"{stage}, with mirror images"
        second = _fit(dataset, both, val, seed, reporter, mirrored, weights)
        better = second.val_log_loss < fitted.val_log_loss
        history[0] = _history_row(1, stage, fitted, kept=not better)
        history.append(_history_row(2, mirrored, second, kept=better))
        fitted = second if better else fitted
    typicality = fit_typicality(train.features, val.features)
    return TrainedModel(
        dataset,
        kept.path,
        features,
        fitted.head,
        typicality,
        tuple(history),
        keras_body_path=kept.keras_path,
        pooling=pooling,
        choice=HeadChoice(fitted.penalty, better),
    )


def refit_head(
    model: TrainedModel,
    kept: KeptBody,
    reporter: Reporter,
    *,
    class_weights: ClassWeights = "none",
) -> TrainedModel:
    """A head on the same features, fitted on the pictures of train, val and test alike with what
    was chosen before. Its temperature is the one that was found on pictures not fitted on."""
    choice, whole = model.choice, model.dataset.as_one()
    if choice is None:
        raise ValueError("no head was fitted alone")
    every = _take(whole, model.features, TRAIN, kept.parts)
    weights = class_weights_of(class_weights, whole.class_names, every.labels)
    if choice.mirrored:
        body = _open_body(kept, whole)
        mirror_images = kept_features(whole.store, body, kept.sha256, reporter, mirrored=True)
        every = _join(every, _take(whole, mirror_images, TRAIN, kept.parts))
    head = fit_chosen(every, choice.penalty, len(whole.class_names), weights)
    return replace(model, head=replace(head, temperature=model.head.temperature))


def _open_body(kept: KeptBody, dataset: Dataset) -> LiteRtBody:
    _, height, width, channels = dataset.store.shape
    return LiteRtBody(kept.path, (height, width), channels)


def _take(
    dataset: Dataset, features: NDArray[np.float16], split: str, parts: tuple[int, ...]
) -> LabelledFeatures:
    rows = dataset.rows(split)
    return LabelledFeatures(
        features[rows].astype(np.float32), dataset.labels(rows), dataset.groups(rows), parts
    )


def _join(one: LabelledFeatures, other: LabelledFeatures) -> LabelledFeatures:
    return LabelledFeatures(
        np.concatenate([one.features, other.features]),
        np.concatenate([one.labels, other.labels]),
        np.concatenate([one.groups, other.groups]),
        one.parts,
    )


def _fit(  # noqa: PLR0917
    dataset: Dataset,
    train: LabelledFeatures,
    val: LabelledFeatures,
    seed: int,
    reporter: Reporter,
    stage: str,
    class_weights: Weights | None,
) -> FittedHead:
    reporter.report(StageStarted(stage))
    fitted = fit_head(train, val, len(dataset.class_names), seed, class_weights)
    reporter.report(HeadFitted(stage, fitted.val_log_loss, fitted.val_accuracy))
    detail = (
        f"val accuracy {fitted.val_accuracy:.3f}  "
        f"(penalty {fitted.penalty:g} of {fitted.num_tried} tried)"
    )
    reporter.report(StageEnded(stage, detail))
    return fitted


def _history_row(number: int, stage: str, fitted: FittedHead, *, kept: bool) -> HistoryRow:
    return HistoryRow(
        epoch=number,
        stage=stage,
        loss=None,
        accuracy=None,
        val_loss=round(fitted.val_log_loss, 6),
        val_accuracy=round(fitted.val_accuracy, 6),
        learning_rate=None,
        kept=kept,
    )
