"""A linear head fitted on features to convergence; needs no Keras.

Multinomial logistic regression with an L2 penalty. The fit happens in the space the training
features span (a rotation, so the answer is the same): with fewer pictures than features it is
several times faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli.metrics.calibration import fit_temperature
from dlcli.runtime.head import Head, softmax
from dlcli.training.class_weights import Weights

PENALTIES = (3e-1, 1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4)
FOLD_TOLERANCE = 1e-3
_FOLDS = 3
_TOLERANCE = 1e-4
_MAX_ITERATIONS = 1000

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class LabelledFeatures:
    """Features float32 (N, F) with their labels (N,), and the group of each row: rows of one
    group (equal pictures, views of one picture) are never on both sides of a fold. `parts` are
    how many features are of one kind, where there are several: the kinds count alike."""

    features: Floats
    labels: Labels
    groups: NDArray[np.int64]
    parts: tuple[int, ...] = ()


@dataclass(frozen=True)
class FittedHead:
    """A head, the penalty chosen for it of `num_tried`, and its mean log loss on val, weighted by
    class, before the temperature."""

    head: Head
    penalty: float
    num_tried: int
    val_log_loss: float
    val_accuracy: float


@dataclass(frozen=True)
class Space:
    """Features are centred, each kind is scaled by one number, (F,), and all are rotated into the
    span of the training set; `rotation` is None where they span it all."""

    mean: Floats
    scale: Floats
    rotation: Floats | None

    def enter(self, features: Floats) -> Floats:
        """Plain features float32 (N, F) -> float32 (N, S), S no more than F."""
        centred = (features - self.mean) / self.scale
        inside = centred if self.rotation is None else centred @ self.rotation
        return np.asarray(inside, np.float32)

    def leave(self, weights: Floats, bias: Floats, temperature: float) -> Head:
        """The head on plain features that answers as `weights` and `bias` do in here."""
        turned = weights if self.rotation is None else self.rotation @ weights
        outside = turned / self.scale[:, None]
        return Head(
            np.asarray(outside, np.float32),
            np.asarray(bias - self.mean @ outside, np.float32),
            temperature,
        )


def fit_head(
    train: LabelledFeatures,
    val: LabelledFeatures,
    num_classes: int,
    seed: int = 0,
    class_weights: Weights | None = None,
) -> FittedHead:
    """Fits a head, chooses its penalty on val, and its temperature so that it flatters nobody.

    The penalty is the largest whose mean log loss on val is within one standard error of the
    best (Breiman 1984, on paired differences); smaller ones, each of which takes longer than the
    one before, are tried no further than that loss falls. The temperature (Guo 2017) is fitted on
    logits of held-out folds of train together with val's: val alone, having chosen the penalty,
    asks for too sharp an answer. Where train is too small for folds, val may only make answers
    milder. `seed` deals the folds. `class_weights` (K,) weigh the losses of the fit and those that
    choose the penalty, and not the temperature's, which changes no answer: see `class_weights_of`.
    """
    space = span(train.features, train.parts)
    inside, inside_val = space.enter(train.features), space.enter(val.features)
    shares = _shares(val.labels, class_weights)
    fits: list[tuple[Floats, Floats]] = []
    found: list[NDArray[np.floating]] = []
    model = new_solver(_TOLERANCE)
    for penalty in PENALTIES:
        fit_solver(model, inside, train.labels, penalty, class_weights)
        weights, bias = weights_of(model, num_classes)
        fits.append((weights, bias))
        found.append(log_losses(inside_val @ weights + bias, val.labels) * shares)
        if rises(np.stack(found)):
            break
    losses = np.stack(found)
    chosen = within_one_standard_error(losses)
    weights, bias = fits[chosen]
    val_logits = inside_val @ weights + bias
    refit = _Refit(PENALTIES[chosen], num_classes, class_weights)
    held_out = _held_out_logits(inside, train, refit, seed)
    if held_out is None:
        temperature = max(1.0, fit_temperature(val_logits, val.labels))
    else:
        temperature = fit_temperature(
            np.concatenate([held_out, val_logits]), np.concatenate([train.labels, val.labels])
        )
    return FittedHead(
        space.leave(weights, bias, temperature),
        PENALTIES[chosen],
        len(fits),
        float(losses[chosen].mean()),
        float((val_logits.argmax(axis=1) == val.labels).mean()),
    )


def fit_chosen(
    train: LabelledFeatures, penalty: float, num_classes: int, class_weights: Weights | None = None
) -> Head:
    """A head with a penalty that was chosen before; its temperature is 1."""
    space = span(train.features, train.parts)
    model = new_solver(_TOLERANCE)
    fit_solver(model, space.enter(train.features), train.labels, penalty, class_weights)
    return space.leave(*weights_of(model, num_classes), 1.0)


def load_solver() -> None:
    """Imports scikit-learn, which takes a second: beside a running body it takes half of that."""
    import sklearn.linear_model
    import sklearn.model_selection  # noqa: F401


def within_one_standard_error(losses: NDArray[np.floating]) -> int:
    """The first row whose mean loss is within one standard error of the best row's.

    `losses` is (candidates, pictures), the simplest candidate first.
    """
    excess = losses - losses[losses.mean(axis=1).argmin()]
    standard_error = excess.std(axis=1) / np.sqrt(losses.shape[1])
    return int(np.argmax(excess.mean(axis=1) <= standard_error))


def rises(losses: NDArray[np.floating]) -> bool:
    """Whether the last row of losses (candidates, pictures) is worse than the best by more than
    one standard error."""
    excess = losses[-1] - losses[losses.mean(axis=1).argmin()]
    return bool(excess.mean() > excess.std() / np.sqrt(len(excess)))


def span(features: Floats, parts: tuple[int, ...] = ()) -> Space:
    """The space in which a head on these training features is fitted; `parts` are the numbers of
    those of one kind."""
    mean = features.mean(axis=0)
    centred = features - mean
    scale = _scale(centred, parts or (features.shape[1],))
    centred /= scale
    few_rows = len(centred) < centred.shape[1]
    if not few_rows:
        return Space(mean, scale, None)
    squares, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
    kept = squares > max(squares[-1] * 1e-7, 1e-12)
    kept[-1] = True  # features that are all alike span nothing, and still need a head
    rotation = centred.T @ (vectors[:, kept] / np.sqrt(np.maximum(squares[kept], 1e-12))).astype(
        np.float32
    )
    return Space(mean, scale, rotation)


def _scale(centred: Floats, parts: tuple[int, ...]) -> Floats:
    """What to divide each feature by (F,), so that the kinds vary alike, and a feature by 1 on
    average."""
    num_each = sum(parts) / len(parts)
    kinds = np.split(centred, np.cumsum(parts)[:-1], axis=1)
    scales = [
        (float(kind.std()) or 1.0) * np.sqrt(kind.shape[1] / num_each).item() for kind in kinds
    ]
    return np.repeat(np.asarray(scales, np.float32), parts)


def new_solver(tolerance: float) -> Any:
    """A solver that begins each fit where the last one ended."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(warm_start=True, max_iter=_MAX_ITERATIONS, tol=tolerance)


def fit_solver(
    model: Any,
    features: Floats,
    labels: Labels,
    penalty: float,
    class_weights: Weights | None = None,
) -> None:
    """Fits a head; `penalty` weighs half the squared weights against the mean log loss, in which
    `class_weights` (K,) count."""
    if class_weights is None:
        model.set_params(C=1 / (penalty * len(labels)))
        model.fit(features, labels)
        return
    weights = class_weights[labels]
    model.set_params(C=1 / (penalty * float(weights.sum())))
    model.fit(features, labels, sample_weight=weights)


def weights_of(model: Any, num_classes: int) -> tuple[Floats, Floats]:
    """Weights (F, K) and bias (K,); scikit-learn keeps one column for two classes."""
    weights, bias = model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32)
    if num_classes == 2:
        half = np.float32(0.5)
        return np.hstack([-weights, weights]) * half, np.hstack([-bias, bias]) * half
    return weights, bias


@dataclass(frozen=True)
class _Refit:
    """How the chosen head is fitted again."""

    penalty: float
    num_classes: int
    class_weights: Weights | None


def _held_out_logits(
    features: Floats, train: LabelledFeatures, refit: _Refit, seed: int
) -> Floats | None:
    """Logits (N, K) of each training row from a fit that did not see its group; None where a
    class has too few groups to leave some out."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups_of = [
        np.unique(train.groups[train.labels == label]) for label in range(refit.num_classes)
    ]
    num_folds = min(_FOLDS, *(len(groups) for groups in groups_of))
    if num_folds < 2:
        return None
    logits = np.zeros((len(features), refit.num_classes), np.float32)
    folds = StratifiedGroupKFold(num_folds, shuffle=True, random_state=seed)
    for fitted, held_out in folds.split(features, train.labels, train.groups):
        if len(np.unique(train.labels[fitted])) < refit.num_classes:
            return None
        model = new_solver(FOLD_TOLERANCE)
        labels = train.labels[fitted]
        fit_solver(model, features[fitted], labels, refit.penalty, refit.class_weights)
        weights, bias = weights_of(model, refit.num_classes)
        logits[held_out] = features[held_out] @ weights + bias
    return logits


def _shares(labels: Labels, class_weights: Weights | None) -> Floats:
    """What each row counts in a weighted mean, (N,), 1 on average."""
    if class_weights is None:
        return np.ones(len(labels), np.float32)
    weights = class_weights[labels]
    return np.asarray(weights / weights.mean(), np.float32)


def log_losses(logits: Floats, labels: Labels) -> NDArray[np.floating]:
    """Of each row: logits (N, K) and labels (N,) -> (N,)."""
    probabilities = softmax(logits)[np.arange(len(labels)), labels]
    return -np.log(np.maximum(probabilities, 1e-12))
