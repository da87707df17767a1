"""A fit that is stopped after any step and gone on with ends as one that was never stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli import backend
from dlcli.errors import DataError
from dlcli.events import NullReporter
from dlcli.spec.loader import load_spec
from dlcli.training.checkpoint import STATE
from dlcli.training.keeper import Keeper
from dlcli.training.stages import plan_stages, resolve_spec
from dlcli.training.trained import HistoryRow
from tests.training.pictures import ArrayBatches

SETTINGS = (
    "model.layers=[rescaling: {scale: 0.01}, conv2d: {filters: 4, kernel_size: 3},"
    " batch_normalization: {}, relu: {}, spatial_dropout2d: 0.2, global_average_pooling2d: {}]",
    "augment=[{random_flip: horizontal}]",
    "data.image_size=8",
    "train.epochs=3",
    "train.batch_size=8",
    "train.learning_rate=0.01",
    "train.precision=float32",
)
VARIANTS = {
    "plain": (),
    "averaged and mixed": (
        "train.ema=0.9",
        "train.mix={mixup: 0.4}",
        "augment=[{random_rotation: 0.1}, {rand_augment: {}}]",
    ),
    "stopped early": (
        "train.early_stopping={monitor: val_accuracy, patience: 1}",
        "train.learning_rate=0.000001",
        "train.schedule=constant",
    ),
}
STEPS = 5


class KilledError(Exception):
    """The process is gone."""


class MortalKeeper(Keeper):
    """Saves after every step, and dies with the save of number `life`."""

    def __init__(self, folder: Path, life: int) -> None:
        self.seen: list[tuple[HistoryRow, ...]] = []
        super().__init__(folder, lambda rows: self.seen.append(tuple(rows)))
        self._life = life

    def is_due(self, *, within_epoch: bool) -> bool:  # noqa: ARG002
        return True

    def save(
        self, facts: dict[str, Any], arrays: dict[str, Any], rows: Sequence[HistoryRow]
    ) -> None:
        super().save(facts, arrays, rows)
        self._life -= 1
        if self._life == 0:
            raise KilledError


def fit(
    settings: Sequence[str], keeper: Keeper | None = None
) -> tuple[list[NDArray[Any]], tuple[HistoryRow, ...]]:
    """The final weights and the history of a training of its own."""
    backend.prepare()
    from dlcli.models.network import build_network
    from dlcli.training.augment import augmentation_layers
    from dlcli.training.fit import fit_model

    backend.keras.utils.set_random_seed(0)
    spec = resolve_spec(load_spec(None, (*SETTINGS, *settings)), 40)
    network = build_network(spec, 2)
    (stage,) = plan_stages(spec)
    rows = fit_model(
        network.model,
        augmentation_layers(spec.augment),
        ArrayBatches.noise(36, 8, seed=0),
        ArrayBatches.noise(16, 8, seed=1),
        spec.train,
        stage,
        NullReporter(),
        keeper=keeper,
        saved=keeper.load() if keeper else None,
    )
    return network.model.get_weights(), rows


@pytest.mark.parametrize("variant", VARIANTS)
def test_after_every_step_the_rest_is_as_it_would_have_been(variant: str, tmp_path: Path) -> None:
    settings = VARIANTS[variant]
    weights, rows = fit(settings)
    assert len(rows) == (2 if variant == "stopped early" else 3)
    for life in (*range(1, STEPS + 2), len(rows) * STEPS):
        folder = tmp_path / str(life)
        with pytest.raises(KilledError):
            fit(settings, MortalKeeper(folder, life))
        keeper = MortalKeeper(folder, 0)
        resumed_weights, resumed_rows = fit(settings, keeper)
        assert resumed_rows == rows, life
        for one, other in zip(resumed_weights, weights, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=str(life))
        for seen in keeper.seen:
            assert [row.epoch for row in seen] == list(range(1, len(seen) + 1))


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        fit((), MortalKeeper(tmp_path, 1))
    other = "model.layers=[flatten: {}, dense: 3]"
    with pytest.raises(DataError, match="of another network: its variables are of other shapes"):
        fit((other,), Keeper(tmp_path, lambda _: None))


def test_a_damaged_checkpoint_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        fit((), MortalKeeper(tmp_path, 1))
    content = (tmp_path / STATE).read_bytes()
    for damaged in (content[:1000], b"", content[:2000] + b"x" * 9 + content[2009:]):
        (tmp_path / STATE).write_bytes(damaged)
        with pytest.raises(DataError, match="this checkpoint is damaged"):
            Keeper(tmp_path, lambda _: None).load()


def test_a_checkpoint_of_another_format_is_refused(tmp_path: Path) -> None:
    facts = np.frombuffer(json.dumps({"format": 0}).encode(), np.uint8)
    np.savez(tmp_path / STATE, facts=facts)
    with pytest.raises(DataError, match="of another version of dlcli"):
        Keeper(tmp_path, lambda _: None).load()


def test_saving_takes_a_small_share_of_the_time(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, lambda _: None)
    assert keeper.is_due(within_epoch=False)
    assert not keeper.is_due(within_epoch=True)
    keeper.save({}, {"weights": np.zeros(2_000_000)}, ())
    assert not keeper.is_due(within_epoch=False), "the last one took a while, and was just now"
