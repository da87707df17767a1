"""Features -> probabilities, and the file they come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli.errors import DataError
from dlcli.runtime.head import Head, load_head, softmax


def make_head(temperature: float = 1.0, seed: int = 0) -> Head:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(8, 4)).astype(np.float32)
    return Head(weights, rng.normal(size=4).astype(np.float32), temperature)


def make_features(rows: int = 6) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=(rows, 8)).astype(np.float32)


def test_softmax_of_hand_worked_numbers() -> None:
    logits = np.log(np.array([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]]))
    np.testing.assert_allclose(softmax(logits), [[0.125, 0.25, 0.625], [0.25, 0.25, 0.5]], 1e-6)


@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4, 1e30])
def test_softmax_is_safe_for_large_logits(shift: float) -> None:
    probabilities = softmax(np.array([[shift, shift], [shift, -1e38]], np.float32))
    np.testing.assert_array_equal(probabilities[0], [0.5, 0.5])
    assert probabilities[1, 0] == pytest.approx(1.0)
    assert np.isfinite(probabilities).all()


def test_softmax_does_not_care_for_a_constant() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(softmax(logits + 7), softmax(logits), atol=1e-6)


def test_rows_of_probabilities_sum_to_1() -> None:
    probabilities = make_head().probabilities(make_features(100))
    assert probabilities.shape == (100, 4)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    head, features = make_head(), make_features()
    alone = np.concatenate([head.probabilities(row[None]) for row in features])
    np.testing.assert_allclose(alone, head.probabilities(features), atol=1e-6)


def test_a_temperature_divides_the_logits() -> None:
    head, features = make_head(temperature=2.5), make_features()
    expected = softmax(head.logits(features) / 2.5)
    np.testing.assert_allclose(head.probabilities(features), expected, atol=1e-6)


def test_a_higher_temperature_is_less_sure_and_answers_the_same() -> None:
    cool, warm = make_head(1.0), make_head(3.0)
    features = make_features(50)
    before, after = cool.probabilities(features), warm.probabilities(features)
    assert (after.max(axis=1) < before.max(axis=1)).all()
    np.testing.assert_array_equal(after.argmax(axis=1), before.argmax(axis=1))
    np.testing.assert_allclose(warm.uncalibrated().probabilities(features), before, atol=1e-6)


def test_features_of_half_precision_are_taken() -> None:
    features = make_features().astype(np.float16)
    assert make_head().probabilities(features).dtype == np.float32


def test_size_counts_weights_and_biases() -> None:
    assert make_head().size == 8 * 4 + 4


def test_a_saved_head_is_loaded_as_it_was(tmp_path: Path) -> None:
    head = make_head(temperature=1.7)
    head.save(tmp_path / "head.npz")
    loaded = load_head(tmp_path / "head.npz")
    np.testing.assert_array_equal(loaded.weights, head.weights)
    np.testing.assert_array_equal(loaded.bias, head.bias)
    assert loaded.temperature == 1.7


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    make_head().save(tmp_path / "head.npz")
    return tmp_path / "head.npz"


@pytest.mark.parametrize("kept", [0, 1, 30, 0.5, 0.99])
def test_a_truncated_head_is_a_sentence(saved: Path, kept: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(DataError, match=r"head\.npz: this is no readable head .* Train again"):
        load_head(saved)


def test_flipped_weights_are_a_sentence(saved: Path) -> None:
    weights = make_head().weights.tobytes()
    content = saved.read_bytes()
    assert content.count(weights) == 1
    saved.write_bytes(content.replace(weights, weights[::-1]))
    with pytest.raises(DataError, match="no readable head"):
        load_head(saved)


@pytest.mark.parametrize("content", [b"hello world" * 20, b"\x80\x04N.", b"PK\x03\x04" + bytes(99)])
def test_another_file_is_a_sentence(saved: Path, content: bytes) -> None:
    saved.write_bytes(content)
    with pytest.raises(DataError, match="no readable head"):
        load_head(saved)


def test_a_single_array_is_a_sentence(saved: Path) -> None:
    with saved.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(DataError, match="no readable head"):
        load_head(saved)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.npz: this is no readable head"):
        load_head(tmp_path / "none.npz")


@pytest.mark.parametrize("missing", ["weights", "bias", "temperature"])
def test_a_missing_array_is_a_sentence(saved: Path, missing: str) -> None:
    arrays = {"weights": np.zeros((8, 4)), "bias": np.zeros(4), "temperature": np.ones(())}
    del arrays[missing]
    np.savez(saved, **arrays)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=f"no readable head .*{missing}"):
        load_head(saved)


def test_a_pickle_inside_is_refused_and_not_run(saved: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "ran",)  # type: ignore[return-value]

    weights = np.empty(1, object)
    weights[0] = Trap()
    np.savez(saved, weights=weights, bias=np.zeros(4), temperature=1.0)
    with pytest.raises(DataError, match="no readable head"):
        load_head(saved)
    assert not (tmp_path / "ran").exists()
