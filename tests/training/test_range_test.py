"""The learning rate that a range test speaks for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli import backend
from dlcli.events import Said
from dlcli.spec.loader import load_spec
from dlcli.training.keeper import Keeper
from dlcli.training.stages import TESTED_RATES, plan_stages, resolve_spec
from dlcli.training.trained import HistoryRow
from tests.training.pictures import ArrayBatches
from tests.training.test_resuming import SETTINGS, KilledError, MortalKeeper
from tests.training.test_whole import Recorder

VARIANTS = {
    "with dropout and normalization": (),
    "averaged and mixed": ("train.ema=0.9", "train.mix={mixup: 0.4}", "train.schedule=one_cycle"),
}


@pytest.fixture(scope="module", autouse=True)
def keras() -> Any:
    backend.prepare()
    return backend.keras


def rates() -> NDArray[np.float64]:
    return np.geomspace(1e-6, 1e-1, TESTED_RATES)


def falling_until(rate: float) -> list[float]:
    """Losses that fall up to a rate, and rise steeply from there."""
    distance = np.log10(rates() / rate)
    return [float(2 - 0.1 * (5 + d) if d < 0 else 2 + 20 * d) for d in distance]


@pytest.mark.parametrize("lowest", [3e-4, 3e-3, 3e-2])
def test_a_tenth_of_where_the_loss_is_lowest(lowest: float) -> None:
    from dlcli.training.range_test import rate_from

    assert rate_from(falling_until(lowest), lowest / 10) == pytest.approx(lowest / 10, rel=0.3)


def test_a_test_moves_the_usual_rate_by_four_times_at_most() -> None:
    from dlcli.training.range_test import rate_from

    losses = falling_until(3e-3)
    assert (rate_from(losses, 1e-5), rate_from(losses, 1e-1)) == (4e-5, 0.025)
    assert rate_from([math.nan], 1e-3) == 2.5e-4, "a loss that is lost at once"


def test_the_rate_that_is_said_is_the_one_that_is_taken() -> None:
    from dlcli.training.range_test import rate_from

    rate = rate_from(falling_until(3e-3), 5e-4)
    assert float(f"{rate:g}") == rate


def test_the_first_steps_say_nothing_whatever_their_pictures_are() -> None:
    from dlcli.training.range_test import rate_from

    losses = falling_until(3e-3)
    assert rate_from([0.0, *losses[1:]], 3e-4) == pytest.approx(3e-4, rel=0.3)


@pytest.mark.parametrize("last", [math.nan, math.inf, 1e4])
def test_a_loss_that_is_lost_ends_the_test(last: float) -> None:
    from dlcli.training.range_test import is_lost

    assert not is_lost([])
    assert not is_lost([1.0, 0.9, 1.5])
    assert is_lost([1.0, 0.9, last])


def fit(
    settings: Sequence[str],
    *,
    rate: float | None = None,
    usual: float = 0.01,
    keeper: Keeper | None = None,
) -> tuple[list[NDArray[Any]], tuple[HistoryRow, ...], list[str]]:
    """A training of its own at a rate, without one at that which a test finds: the final weights,
    the history and what is said."""
    from dlcli.models.network import build_network
    from dlcli.training.augment import augmentation_layers
    from dlcli.training.fit import fit_model

    backend.keras.utils.set_random_seed(0)
    spec = resolve_spec(load_spec(None, (*SETTINGS, *settings)), 40)
    network = build_network(spec, 2)
    (stage,) = plan_stages(spec)
    recorder = Recorder()
    rows = fit_model(
        network.model,
        augmentation_layers(spec.augment),
        ArrayBatches.noise(36, 8, seed=0),
        ArrayBatches.noise(16, 8, seed=1),
        spec.train,
        replace(stage, learning_rate=rate or usual, tests_rate=rate is None),
        recorder,
        keeper=keeper,
        saved=keeper.load() if keeper else None,
    )
    said = [event.text for event in recorder.events if isinstance(event, Said)]
    return network.model.get_weights(), rows, said


def require_same(found: list[NDArray[Any]], expected: list[NDArray[Any]]) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_follows_is_the_training_at_that_rate_given(variant: str) -> None:
    settings = VARIANTS[variant]
    weights, rows, said = fit(settings)
    (line,) = said
    assert line.startswith("all layers: learning rate ")
    assert line.endswith(" (range test)")
    rate = float(line.split()[-3])
    given, given_rows, nothing = fit(settings, rate=rate)
    assert (given_rows, nothing) == (rows, [])
    require_same(given, weights)


@pytest.mark.parametrize(("usual", "found"), [(1e-7, 4e-7), (10.0, 2.5)])
def test_a_rate_far_too_low_or_high_is_moved(usual: float, found: float) -> None:
    *_, said = fit(("train.epochs=1",), usual=usual)
    assert said == [f"all layers: learning rate {found:g} (range test)"]


def test_a_fit_that_was_stopped_goes_on_with_the_rate_it_began_with(tmp_path: Path) -> None:
    weights, rows, said = fit(())
    with pytest.raises(KilledError):
        fit((), keeper=MortalKeeper(tmp_path, 7))
    keeper = Keeper(tmp_path, lambda _: None)
    saved = keeper.load()
    assert saved is not None
    assert f"{saved.facts['learning_rate']:g}" == said[0].split()[-3]
    resumed, resumed_rows, nothing = fit((), keeper=keeper)
    assert (resumed_rows, nothing) == (rows, [])
    require_same(resumed, weights)
    assert keeper.facts["learning_rate"] == saved.facts["learning_rate"]
