"""Lower layers move less: the learning rate of each block of a trained body."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli import backend
from dlcli.events import NullReporter
from dlcli.spec import vocabulary
from dlcli.spec.loader import load_spec
from dlcli.training.keeper import Keeper
from dlcli.training.stages import Stage
from tests.training.pictures import ArrayBatches
from tests.training.test_optimizer import PLAIN, numbers, optimizer_of, weight
from tests.training.test_refine import make_body
from tests.training.test_resuming import KilledError, MortalKeeper

SHARES = (1.0, 0.5, 0.25)
SETTINGS = ("train.precision=float32", "train.label_smoothing=0", "train.schedule=constant")


@pytest.fixture(scope="module", autouse=True)
def keras() -> Any:
    backend.prepare()
    return backend.keras


def shared(*settings: str, shares: tuple[float, ...] = SHARES) -> Any:
    from dlcli.training.layer_rates import with_shares

    plain = optimizer_of(*PLAIN, *settings)
    return with_shares(type(plain), shares).from_config(plain.get_config())


def moves(
    optimizer: Any, gradient: float = 1.0, *, steps: int = 1, begin: float = 2.0
) -> NDArray[np.float32]:
    """How far each of three weights has moved, downwards."""
    weights = [weight(begin, name="kernel") for _ in SHARES]
    for _ in range(steps):
        optimizer.apply([backend.keras.ops.full((1,), gradient)] * 3, weights)
    return np.array([begin - numbers(one)[0] for one in weights])


def test_the_blocks_of_a_body_have_powers_of_the_decay() -> None:
    from dlcli.training.layer_rates import block_shares

    shares = block_shares(make_body(), 0.5)
    assert (shares["block2_conv"], shares["block1_conv"]) == (0.5, 0.25)


def test_what_is_not_named_has_the_whole_rate() -> None:
    from dlcli.training.layer_rates import variable_shares

    found = variable_shares(make_body(), {"block1_conv": 0.25})
    assert found == (0.25, 0.25, 1, 1, 1, 1, 1, 1)  # kernel and bias; then block1_norm's


def test_a_plain_step_is_as_long_as_the_share_says() -> None:
    assert (moves(shared()) == np.array(SHARES, np.float32)).all()


@pytest.mark.parametrize("name", vocabulary.optimizers())
def test_every_optimizer_moves_a_weight_by_its_share(name: str) -> None:
    """Those that divide by the size of a gradient, too."""
    first = moves(shared(f"train.optimizer={name}", "train.learning_rate=0.01"), 3.0, begin=0)
    assert first[0] > 0
    if name == "ftrl":  # its rate is not what a step is multiplied by
        assert (np.diff(first) < 0).all()
    else:
        np.testing.assert_allclose(first / first[0], SHARES, rtol=2e-3)


@pytest.mark.parametrize(
    "decay",
    [*(f"{name}: {{weight_decay: 0.1}}" for name in ("sgd", "adamw", "lion")),
     "muon: {adam_weight_decay: 0.1}"],
)  # fmt: skip
def test_weight_decay_has_its_share_too(decay: str) -> None:
    with_decay = moves(shared(f"train.optimizer={{{decay}}}"), 0.0)
    np.testing.assert_allclose(with_decay, 0.2 * np.array(SHARES), rtol=1e-5)


def test_clipping_averages_and_a_scaled_loss_go_with_it() -> None:
    clipped = shared("train.optimizer={sgd: {clipvalue: 0.5}}")
    np.testing.assert_allclose(moves(clipped, 8.0), 0.5 * np.array(SHARES), rtol=1e-6)
    scaled = backend.keras.optimizers.LossScaleOptimizer(shared())
    np.testing.assert_allclose(moves(scaled, 2.0**15), SHARES, rtol=1e-6)
    averaging = shared("train.ema=0.75")
    moves(averaging, steps=2)
    averages = [numbers(mean)[0] for mean in averaging._model_variables_moving_average]
    expected = [2 - share * (0.75 + 0.25 * 2) for share in SHARES]
    np.testing.assert_allclose(averages, expected, rtol=1e-6)


def fit(
    decay: float,
    *settings: str,
    epochs: int = 1,
    keeper: Keeper | None = None,
    batch_size: int = 24,
) -> tuple[Any, dict[str, NDArray[np.float32]]]:
    """A body below a classifier, and how far each of its kernels has moved."""
    from dlcli.models.blocks import freeze_normalization
    from dlcli.models.precision import in_precision
    from dlcli.training.fit import fit_model
    from dlcli.training.layer_rates import block_shares

    body = make_body()
    freeze_normalization(body)
    keras = backend.keras
    classifier = keras.layers.Dense(2, activation="softmax", name="probabilities")
    model = keras.Model(body.input, classifier(body.output))
    classifier.set_weights([np.linspace(-1, 1, 12).reshape(6, 2), np.zeros(2)])
    spec = load_spec(None, (*SETTINGS, *settings)).train
    before = {one.path: one.numpy() for one in model.trainable_variables}
    with in_precision(model, spec.precision) as trained:
        fit_model(
            trained,
            [],
            *(ArrayBatches.noise(24, batch_size, seed=seed, size=16) for seed in (0, 1)),
            spec,
            Stage("all layers", "all", epochs, batch_size, 0.01),
            NullReporter(),
            keeper=keeper,
            saved=keeper.load() if keeper else None,
            keeps_last=True,
            shares=block_shares(body, decay),
        )
    return model, {one.path: one.numpy() - before[one.path] for one in model.trainable_variables}


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_one_step_of_a_fit_moves_each_block_by_its_share(precision: str) -> None:
    settings = ("train.optimizer=sgd", f"train.precision={precision}")
    (_, alike), (_, lower) = fit(1.0, *settings), fit(0.5, *settings)
    shares = {"block1": 0.25, "block2": 0.5, "probabilities": 1.0}
    for name, moved in alike.items():
        share = shares[name.split("_")[0].split("/")[0]]
        assert np.abs(moved).max() > 1e-6, name
        np.testing.assert_allclose(lower[name], share * moved, rtol=1e-3, atol=3e-8, err_msg=name)


def test_a_fit_that_was_stopped_goes_on_with_the_same_rates(tmp_path: Path) -> None:
    recipe = {"epochs": 2, "batch_size": 8}
    settings = ("train.optimizer=adamw", "train.ema=0.9")
    model, _ = fit(0.5, *settings, **recipe)
    with pytest.raises(KilledError):
        fit(0.5, *settings, keeper=MortalKeeper(tmp_path, 4), **recipe)
    resumed, _ = fit(0.5, *settings, keeper=Keeper(tmp_path, lambda _: None), **recipe)
    for one, other in zip(model.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
