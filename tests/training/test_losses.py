"""The loss: cross-entropy and focal loss, both with label smoothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli import backend
from tests.training.small_fits import small_fit, small_spec, unbalanced

FOCAL_0, FOCAL_2 = "train.loss={focal: {gamma: 0}}", "train.loss={focal: {gamma: 2}}"
LABELS = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
ANSWERS = np.array([[0.8, 0.2], [0.5, 0.5]], np.float32)


@pytest.fixture(scope="module", autouse=True)
def keras() -> Any:
    backend.prepare()
    return backend.keras


def loss_of(labels: NDArray[np.float32], answers: NDArray[np.float32], *settings: str) -> float:
    from dlcli.training.losses import make_loss

    return float(make_loss(small_spec(*settings).train)(labels, answers))


def test_cross_entropy_is_the_mean_of_minus_the_logarithm() -> None:
    # -ln 0.8 = 0.223144, -ln 0.5 = 0.693147
    assert loss_of(LABELS, ANSWERS) == pytest.approx(0.458145, abs=1e-5)


def test_label_smoothing_takes_its_share_for_all_classes() -> None:
    # 0.2 smooths (1, 0) to (0.9, 0.1): 0.9 * 0.223144 + 0.1 * -ln 0.2 = 0.361773; -ln 0.5 stays
    smoothed = loss_of(LABELS, ANSWERS, "train.label_smoothing=0.2")
    assert smoothed == pytest.approx((0.361773 + 0.693147) / 2, abs=1e-5)


def test_a_focal_loss_counts_less_what_is_known_well() -> None:
    # (1 - 0.8)^2 * 0.223144 = 0.008926, (1 - 0.5)^2 * 0.693147 = 0.173287
    assert loss_of(LABELS, ANSWERS, FOCAL_2) == pytest.approx(0.091106, abs=1e-5)


def test_a_focal_loss_takes_label_smoothing() -> None:
    # 0.9 * 0.008926 + 0.1 * (1 - 0.2)^2 * 1.609438 = 0.111037; at one half each: 0.173287
    found = loss_of(LABELS, ANSWERS, FOCAL_2, "train.label_smoothing=0.2")
    assert found == pytest.approx((0.111037 + 0.173287) / 2, abs=1e-5)


@pytest.mark.parametrize("smoothing", [0, 0.1, 0.5])
def test_a_focal_loss_of_gamma_0_is_the_cross_entropy(smoothing: float) -> None:
    rng = np.random.default_rng(0)
    answers = rng.dirichlet(np.ones(5), 30).astype(np.float32)
    mixed = rng.dirichlet(np.ones(5), 30).astype(np.float32)
    setting = f"train.label_smoothing={smoothing}"
    plain = loss_of(mixed, answers, setting)
    assert plain > 1
    assert loss_of(mixed, answers, setting, FOCAL_0) == pytest.approx(plain, abs=1e-5)


def test_a_focal_loss_finds_more_of_a_rare_class() -> None:
    train, val = unbalanced(600, seed=0), unbalanced(1000, seed=10)
    plain = small_fit(["train.epochs=12"], train, val)
    focal = small_fit(["train.epochs=12", FOCAL_2], train, val)
    assert focal.recalls[1] > plain.recalls[1] + 0.05
    assert focal.recalls[0] > 0.98, "and not by calling everything rare"
