"""The quickest training: a head on the features of a frozen body, without any framework."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcli.data.dataset import Dataset
from dlcli.data.split import TRAIN, VAL
from dlcli.events import Reporter, StageEnded, StageStarted
from dlcli.metrics.calibration import expected_calibration_error
from dlcli.metrics.typicality import Typicality, fit_typicality
from dlcli.models.bodies import KeptBody
from dlcli.runtime.litert import LiteRtBody
from dlcli.training.features import kept_features
from dlcli.training.head import PENALTIES, FittedHead, LabelledFeatures, fit_head, load_solver

MIRROR_BELOW = 0.9
"""Mirror images double the work: they are tried where val leaves room (where it was right on more
than 90 %, they gained nothing in 12 trials on two sets of photos; on a third up to 1 point)."""

HistoryRow = tuple[int, str, float, float, bool]


@dataclass(frozen=True)
class TrainedHead:
    """A head, the features it was fitted on, and what each fit gave."""

    dataset: Dataset
    body_path: Path
    features: NDArray[np.float16]
    fitted: FittedHead
    typicality: Typicality
    history: tuple[HistoryRow, ...]

    def answers(self, split: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Probabilities (N, K) and labels (N,) of a split."""
        rows = self.dataset.rows(split)
        features = self.features[rows].astype(np.float32)
        return self.fitted.head.probabilities(features), self.dataset.labels(rows)

    @property
    def best_epoch(self) -> int:
        """The number of the fit that was kept, from 1."""
        return next(epoch for epoch, *_, kept in self.history if kept)

    def calibration_error_before(self, split: str) -> float | None:
        """The expected calibration error on a split without the temperature."""
        plain = replace(self, fitted=replace(self.fitted, head=self.fitted.head.uncalibrated()))
        return expected_calibration_error(*plain.answers(split))


def train_head(
    dataset: Dataset, kept: KeptBody, image_size: tuple[int, int], reporter: Reporter
) -> TrainedHead:
    """Runs the body over every picture once and fits a head on what comes out.

    Where the head is right on less than 90 % of val, the mirror images of the training pictures
    are added, and kept where they lower the log loss on val.
    """
    body = LiteRtBody(kept.path, image_size)
    threading.Thread(target=load_solver, daemon=True).start()
    features = kept_features(dataset.store, body, kept.sha256, reporter)
    train, val = _take(dataset, features, TRAIN), _take(dataset, features, VAL)
    fitted = _fit(train, val, dataset, reporter, "head")
    history = [_history_row(1, "head", fitted, kept=True)]
    if fitted.val_accuracy < MIRROR_BELOW:
        mirror_images = kept_features(dataset.store, body, kept.sha256, reporter, mirrored=True)
        both = _join(train, _take(dataset, mirror_images, TRAIN))
        second = _fit(both, val, dataset, reporter, "head, with mirror images")
        better = second.val_log_loss < fitted.val_log_loss
        history[0] = _history_row(1, "head", fitted, kept=not better)
        history.append(_history_row(2, "head, with mirror images", second, kept=better))
        fitted = second if better else fitted
    typicality = fit_typicality(train.features, val.features)
    return TrainedHead(dataset, kept.path, features, fitted, typicality, tuple(history))


def _take(dataset: Dataset, features: NDArray[np.float16], split: str) -> LabelledFeatures:
    rows = dataset.rows(split)
    return LabelledFeatures(
        features[rows].astype(np.float32), dataset.labels(rows), dataset.groups(rows)
    )


def _join(one: LabelledFeatures, other: LabelledFeatures) -> LabelledFeatures:
    return LabelledFeatures(
        np.concatenate([one.features, other.features]),
        np.concatenate([one.labels, other.labels]),
        np.concatenate([one.groups, other.groups]),
    )


def _fit(
    train: LabelledFeatures,
    val: LabelledFeatures,
    dataset: Dataset,
    reporter: Reporter,
    stage: str,
) -> FittedHead:
    reporter.report(StageStarted(stage))
    fitted = fit_head(train, val, len(dataset.class_names))
    detail = (
        f"val accuracy {fitted.val_accuracy:.3f}  "
        f"(penalty {fitted.penalty:g} of {len(PENALTIES)} tried)"
    )
    reporter.report(StageEnded(stage, detail))
    return fitted


def _history_row(epoch: int, stage: str, fitted: FittedHead, *, kept: bool) -> HistoryRow:
    return epoch, stage, round(fitted.val_log_loss, 6), round(fitted.val_accuracy, 6), kept
