"""Probabilities against what happened."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli.metrics.calibration import (
    expected_calibration_error,
    fit_temperature,
    without_temperature,
)


def calibrated_case(
    seed: int, count: int = 40_000
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits (N, 4) and labels drawn from the very probabilities they mean."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, 4)) * 1.5
    gumbel = rng.gumbel(size=logits.shape)
    return logits, (logits + gumbel).argmax(axis=1)


def probabilities_of(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    exponents = np.exp(logits)
    return exponents / exponents.sum(axis=1, keepdims=True)


def log_loss(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    own = probabilities_of(logits)[np.arange(len(labels)), labels]
    return float(-np.log(own).mean())


def test_calibration_error_by_hand() -> None:
    # In the bin of 0.9: three of four right, a gap of 0.15. In that of 0.6: none right, 0.6.
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.6])
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    labels = np.array([0, 0, 0, 1, 1])
    expected = 4 / 5 * 0.15 + 1 / 5 * 0.6
    assert expected_calibration_error(probabilities, labels) == pytest.approx(expected)


def test_gaps_of_one_bin_cancel_out_and_those_of_two_do_not() -> None:
    one_bin = np.array([[0.75, 0.25], [0.75, 0.25], [0.75, 0.25], [0.75, 0.25]])
    labels = np.array([0, 0, 0, 1])
    assert expected_calibration_error(one_bin, labels) == pytest.approx(0)
    two_bins = np.array([[0.55, 0.45], [0.95, 0.05]])
    found = expected_calibration_error(two_bins, np.array([0, 1]))
    assert found == pytest.approx((0.45 + 0.95) / 2)


@pytest.mark.parametrize(("label", "error"), [(0, 0.0), (1, 1.0)])
def test_full_confidence_is_right_or_wrong(label: int, error: float) -> None:
    probabilities = np.array([[1.0, 0.0]] * 5, np.float32)
    found = expected_calibration_error(probabilities, np.full(5, label))
    assert found == pytest.approx(error)


def test_nothing_has_no_calibration_error() -> None:
    assert expected_calibration_error(np.zeros((0, 3)), np.zeros(0, np.int64)) is None


def test_the_order_of_pictures_does_not_matter() -> None:
    logits, labels = calibrated_case(0, 500)
    probabilities = probabilities_of(2 * logits)
    order = np.random.default_rng(1).permutation(500)
    assert expected_calibration_error(probabilities[order], labels[order]) == pytest.approx(
        expected_calibration_error(probabilities, labels)
    )


def test_a_calibrated_model_has_next_to_no_error_and_a_sharpened_one_has() -> None:
    logits, labels = calibrated_case(0)
    calibrated = expected_calibration_error(probabilities_of(logits), labels)
    sharpened = expected_calibration_error(probabilities_of(3 * logits), labels)
    assert calibrated is not None
    assert calibrated < 0.015
    assert sharpened is not None
    assert sharpened > 0.1


@pytest.mark.parametrize("sharpening", [0.2, 0.5, 1.0, 2.0, 5.0, 12.0])
def test_the_temperature_undoes_a_sharpening(sharpening: float) -> None:
    logits, labels = calibrated_case(0)
    assert fit_temperature(logits * sharpening, labels) == pytest.approx(sharpening, rel=0.02)


def test_the_temperature_has_the_least_log_loss() -> None:
    logits, labels = calibrated_case(1, 300)
    temperature = fit_temperature(logits * 2, labels)
    least = log_loss(logits * 2 / temperature, labels)
    for other in (0.5, 0.9, 0.99, 1.01, 1.1, 2):
        assert least <= log_loss(logits * 2 / (temperature * other), labels) + 1e-9


def test_the_temperature_stays_in_its_bounds() -> None:
    logits = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert fit_temperature(logits, np.array([0, 1])) == pytest.approx(0.05, rel=0.01)
    assert fit_temperature(logits, np.array([1, 0])) == pytest.approx(20, rel=0.01)


def test_huge_logits_do_not_overflow() -> None:
    logits, labels = calibrated_case(2, 2000)
    found = fit_temperature((logits * 10 + 50_000).astype(np.float32), labels)
    assert found == pytest.approx(fit_temperature(logits * 10, labels), rel=0.01)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_probabilities_without_their_temperature_are_those_before(temperature: float) -> None:
    logits, _ = calibrated_case(3, 500)
    divided = probabilities_of(logits / temperature)
    np.testing.assert_allclose(
        without_temperature(divided, temperature), probabilities_of(logits), atol=1e-12
    )


def test_without_the_temperature_by_hand() -> None:
    # Odds of 2:1 are 8:1 before a temperature of 3; a 0 stays a 0.
    found = without_temperature(np.array([[2 / 3, 1 / 3, 0.0]], np.float32), 3)
    np.testing.assert_allclose(found, [[8 / 9, 1 / 9, 0]], rtol=1e-6)


def test_a_sharpened_model_is_brought_back_and_a_calibrated_one_stays() -> None:
    logits, labels = calibrated_case(4)
    before = expected_calibration_error(probabilities_of(3 * logits), labels)
    temperature = fit_temperature(3 * logits, labels)
    after = expected_calibration_error(probabilities_of(3 * logits / temperature), labels)
    assert before is not None
    assert after is not None
    assert before > 0.1
    assert after < 0.015
    assert fit_temperature(logits, labels) == pytest.approx(1, rel=0.02)
