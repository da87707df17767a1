"""What a model answered on val."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcli.errors import DataError
from dlcli.metrics.val_answers import ValAnswers, load_val_answers, val_answers

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.5, 0.1, 0.4]], np.float32)
LABELS = np.array([0, 1, 2])


def test_by_hand() -> None:
    found = val_answers(PROBABILITIES, LABELS, np.array([0.9, 0.5, 0.0]))
    np.testing.assert_array_equal(found.probabilities, np.float32([0.7, 0.6, 0.5]))
    np.testing.assert_array_equal(found.true_probabilities, np.float32([0.7, 0.6, 0.4]))
    assert found.is_right.tolist() == [True, True, False]
    assert found.typicality.tolist() == pytest.approx([0.9, 0.5, 0])


def test_they_are_read_as_written(tmp_path: Path) -> None:
    written = val_answers(PROBABILITIES, LABELS, np.array([0.9, 0.5, 0.0]))
    written.save(tmp_path / "val.npz")
    read = load_val_answers(tmp_path / "val.npz")
    for name, value in vars(written).items():
        np.testing.assert_array_equal(getattr(read, name), value)
        assert getattr(read, name).dtype == value.dtype


def test_a_damaged_file_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "val.npz"
    with pytest.raises(DataError, match=r"val\.npz: this holds no readable answers on val"):
        load_val_answers(file)
    file.write_bytes(b"no archive")
    with pytest.raises(DataError, match="no readable answers"):
        load_val_answers(file)
    short = np.zeros(2, np.float32)
    ValAnswers(short, short, short[:1].astype(bool), short).save(file)
    with pytest.raises(DataError, match="not equally long"):
        load_val_answers(file)
