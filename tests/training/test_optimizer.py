"""The optimizer: what its steps do to weights, and how long they are over a training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli import backend
from dlcli.spec import vocabulary
from dlcli.training.keeper import Keeper
from dlcli.training.stages import plan_stages
from tests.training.pictures import ArrayBatches
from tests.training.small_fits import small_fit, small_spec
from tests.training.test_resuming import KilledError, MortalKeeper

PLAIN = ("train.optimizer=sgd", "train.learning_rate=1", "train.schedule=constant")


@pytest.fixture(scope="module", autouse=True)
def keras() -> Any:
    backend.prepare()
    return backend.keras


def optimizer_of(*settings: str, num_steps: int = 40) -> Any:
    from dlcli.training.optimizer import make_optimizer

    spec = small_spec(*settings)
    (stage,) = plan_stages(spec)
    return make_optimizer(spec.train, stage, num_steps)


def weight(*values: float, name: str = "kernel") -> Any:
    return backend.keras.Variable(np.array(values, np.float32), name=name)


def numbers(variable: Any) -> NDArray[np.float32]:
    found: NDArray[np.float32] = variable.numpy()
    return found


def steps(optimizer: Any, gradients: list[list[float]]) -> NDArray[np.float32]:
    """How far each step moves a weight, and in which direction."""
    moved = weight(*[0.0] * len(gradients[0]))
    places = [numbers(moved)]
    for gradient in gradients:
        optimizer.apply([backend.keras.ops.convert_to_tensor(gradient)], [moved])
        places.append(numbers(moved))
    return -np.diff(places, axis=0)


COSINE = {0: 0.01, 1: 0.505, 2: 1, 21: 0.5, 39: (1 + math.cos(math.pi * 37 / 38)) / 2}
"""2 of 40 steps rise from a hundredth, the other 38 fall to 0."""
ONE_CYCLE = {0: 0.04, 6: 0.52, 12: 1, 26: 0.50005, 39: 0.0001 + 0.9999 * 0.0031429}
"""12 of 40 steps rise from a 25th; in the middle of the others (1 + 0.0001) / 2; 27 of 28 on, the
cosine's half is (1 + cos(27/28 pi)) / 2 = 0.0031429."""
EXPONENTIAL = {0: 1, 5: 0.9**0.5, 10: 0.9, 20: 0.81, 30: 0.729}
"""4 epochs of 10 steps."""


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", {0: 1, 20: 1, 39: 1}),
        ("cosine", COSINE),
        ("one_cycle", ONE_CYCLE),
        ("{exponential: {decay_rate: 0.9}}", EXPONENTIAL),
    ],
)
def test_each_step_is_as_long_as_the_schedule_says(
    schedule: str, expected: dict[int, float]
) -> None:
    settings = (*PLAIN, f"train.schedule={schedule}")
    moved = steps(optimizer_of(*settings), [[1.0]] * 40)[:, 0]
    for number, length in expected.items():
        assert moved[number] == pytest.approx(length, abs=2e-6), number
    assert moved.max() == pytest.approx(1, abs=1e-5), "and no step is longer than learning_rate"


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_after_the_last_step_the_rate_is_all_but_nothing(schedule: str) -> None:
    moved = steps(optimizer_of(*PLAIN, f"train.schedule={schedule}"), [[1.0]] * 42)[:, 0]
    np.testing.assert_allclose(moved[40:], 0 if schedule == "cosine" else 1e-4, atol=5e-6)


@pytest.mark.parametrize("num_steps", [1, 2, 3])
@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_a_training_of_few_steps_learns_too(schedule: str, num_steps: int) -> None:
    optimizer = optimizer_of(*PLAIN, f"train.schedule={schedule}", num_steps=num_steps)
    moved = steps(optimizer, [[1.0]] * num_steps)[:, 0]
    assert moved[0] == pytest.approx(1), "too few steps to rise over"
    assert (moved > 0).all()


@pytest.mark.parametrize("schedule", ["one_cycle", "{exponential: {decay_rate: 0.5}}"])
def test_a_fit_that_goes_on_has_the_rates_it_would_have_had(schedule: str, tmp_path: Path) -> None:
    train, val = ArrayBatches.noise(40, 8, seed=0), ArrayBatches.noise(16, 8, seed=1)
    settings = [f"train.schedule={schedule}", "train.epochs=2", "train.early_stopping=none"]
    whole = small_fit(settings, train, val)
    with pytest.raises(KilledError):
        small_fit(settings, train, val, keeper=MortalKeeper(tmp_path, 7))
    resumed = small_fit(settings, train, val, keeper=Keeper(tmp_path, lambda _: None))
    assert [row.learning_rate for row in resumed.rows] == [row.learning_rate for row in whole.rows]
    for found, expected in zip(resumed.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", vocabulary.optimizers())
def test_every_optimizer_comes_nearer_to_the_lowest_place(name: str) -> None:
    rate = "100" if name == "adadelta" else "0.05"
    optimizer = optimizer_of(
        f"train.optimizer={name}", f"train.learning_rate={rate}", "train.schedule=constant"
    )
    assert type(optimizer).__name__.lower() == name
    begun = np.array([[1.0, -2.0, 3.0], [0.5, 1.5, -1.0]], np.float32)
    place = backend.keras.Variable(begun, name="kernel")
    for _ in range(5):
        optimizer.apply([backend.keras.ops.convert_to_tensor(place)], [place])
    assert np.abs(numbers(place)).sum() < np.abs(begun).sum() - 0.05


@pytest.mark.parametrize(
    ("arguments", "lengths"),
    [
        ("sgd", [1, 1, 1]),
        # What is left of earlier steps: 1, 1 + 0.5, 1 + 0.5 + 0.25
        ("{sgd: {momentum: 0.5}}", [1, 1.5, 1.75]),
        # Nesterov looks one step ahead: 1 + 0.5 * each of these
        ("{sgd: {momentum: 0.5, nesterov: true}}", [1.5, 1.75, 1.875]),
        ("{rmsprop: {rho: 0.75, epsilon: 0}}", [2, 1 / math.sqrt(0.4375), 1 / math.sqrt(0.578125)]),
        ("{adam: {epsilon: 0}}", [1, 1, 1]),
        ("{adagrad: {initial_accumulator_value: 0, epsilon: 0}}", [1, 0.5**0.5, (1 / 3) ** 0.5]),
        ("{lion: {beta_1: 0.5}}", [1, 1, 1]),
    ],
)
def test_arguments_are_at_work_in_every_step(arguments: str, lengths: list[float]) -> None:
    optimizer = optimizer_of(*PLAIN, f"train.optimizer={arguments}")
    np.testing.assert_allclose(steps(optimizer, [[1.0]] * 3)[:, 0], lengths, rtol=1e-4)


@pytest.mark.parametrize(
    ("clipping", "step"),
    [
        ("clipvalue: 1", [1, -1, 0.5]),
        ("clipnorm: 1", [0.6, -0.8, 0.1]),  # of a vector of length 5
        ("clipnorm: 100", [3, -4, 0.5]),
    ],
)
def test_clipping_bounds_a_step(clipping: str, step: list[float]) -> None:
    optimizer = optimizer_of(*PLAIN, f"train.optimizer={{sgd: {{{clipping}}}}}")
    gradient = [3.0, -4.0] if "norm" in clipping else [3.0, -4.0, 0.5]
    (moved,) = steps(optimizer, [gradient])
    np.testing.assert_allclose(moved, step[: len(gradient)], rtol=1e-5)


def test_clipping_by_all_weights_together_keeps_the_direction() -> None:
    optimizer = optimizer_of(*PLAIN, "train.optimizer={sgd: {global_clipnorm: 1.3}}")
    one, other = weight(0.0, 0.0), weight(0.0)
    tensor = backend.keras.ops.convert_to_tensor
    optimizer.apply([tensor([3.0, -4.0]), tensor([12.0])], [one, other])  # of length 13
    np.testing.assert_allclose(numbers(one), [-0.3, 0.4], rtol=1e-5)
    np.testing.assert_allclose(numbers(other), [-1.2], rtol=1e-5)


@pytest.mark.parametrize("name", ["adamw", "sgd", "lion"])
def test_weight_decay_spares_biases_and_normalization(name: str) -> None:
    optimizer = optimizer_of(*PLAIN, f"train.optimizer={{{name}: {{weight_decay: 0.1}}}}")
    names = ("kernel", "bias", "gamma", "beta")
    weights = [weight(2.0, name=name) for name in names]
    optimizer.apply([backend.keras.ops.zeros(1)] * 4, weights)
    left = {name: numbers(weight)[0] for name, weight in zip(names, weights, strict=True)}
    assert left == {"kernel": pytest.approx(1.8), "bias": 2, "gamma": 2, "beta": 2}


def first_weights() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Those that a small fit begins with: (3, 2) and (2,)."""
    from dlcli.models.network import build_network

    backend.keras.utils.set_random_seed(0)
    kernel, bias = build_network(small_spec(), 2).model.get_weights()
    return kernel.astype(np.float64), bias.astype(np.float64)


def gradients(
    kernel: NDArray[np.float64], bias: NDArray[np.float64], batches: ArrayBatches
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Those of the cross-entropy of a small network, worked out by hand."""
    features = (batches.pixels * 0.02 - 2.5).mean(axis=(1, 2))
    scores = np.exp(features @ kernel + bias)
    errors = scores / scores.sum(axis=1, keepdims=True) - batches.labels
    return features.T @ errors / len(errors), errors.mean(axis=0)


def test_a_training_ends_with_the_average_of_its_weights() -> None:
    """One step an epoch; the average begins with the first step's weights."""
    train, val = ArrayBatches.noise(40, 40, seed=0), ArrayBatches.noise(40, 40, seed=1)
    kernel, bias = first_weights()
    averages: list[NDArray[np.float64]] = []
    for number in range(4):
        moves = gradients(kernel, bias, train)
        kernel, bias = kernel - 0.5 * moves[0], bias - 0.5 * moves[1]
        share = 0.75 if number else 0.0
        averages = [
            share * mean + (1 - share) * own
            for mean, own in zip(averages or (kernel, bias), (kernel, bias), strict=True)
        ]
    settings = [*PLAIN, "train.learning_rate=0.5", "train.epochs=4", "train.batch_size=40"]
    averaged = small_fit([*settings, "train.ema=0.75"], train, val)
    assert averaged.rows[-1].kept
    for found, expected, last in zip(averaged.weights, averages, (kernel, bias), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert np.abs(expected - last).max() > 1e-3, "or else the test could not fail"
    loss = -np.log((averaged.model.predict_on_batch(val.pixels) * val.labels).sum(axis=1)).mean()
    assert averaged.rows[-1].val_loss == pytest.approx(loss, rel=1e-4), "val is measured with it"


def test_clipping_bounds_the_steps_of_a_training() -> None:
    train, val = ArrayBatches.noise(40, 40, seed=0), ArrayBatches.noise(40, 40, seed=1)
    settings = [*PLAIN, "train.epochs=1", "train.batch_size=40"]
    clipped = small_fit([*settings, "train.optimizer={sgd: {global_clipnorm: 0.01}}"], train, val)
    kernel, bias = first_weights()
    moves = gradients(kernel, bias, train)
    length = math.sqrt(sum((move**2).sum() for move in moves))
    assert length > 0.1
    for found, begun, move in zip(clipped.weights, (kernel, bias), moves, strict=True):
        np.testing.assert_allclose(found, begun - 0.01 * move / length, atol=1e-6)
