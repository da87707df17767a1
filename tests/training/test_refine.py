"""Layers of a trained body, trained further below the head that stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcli.metrics.classification import mean_log_loss
from dlcli.training.keeper import Keeper
from dlcli.training.stages import Stage
from dlcli.training.trained import StageOutcome, TrainedModel
from tests.training.small_bodies import (
    ALL,
    LAST,
    Case,
    Stops,
    assert_answers_alike,
    forget,
    make_body,
    make_case,
    material_of,
)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make_case(tmp_path_factory.mktemp("refine"))


def run(material: Any, stages: Sequence[Stage], best: TrainedModel) -> list[StageOutcome]:
    from dlcli.training.refine import refine

    outcomes = []
    for stage in stages:
        outcomes.append(refine(material, stage, best))
        best = outcomes[-1].model or best
        material = material.after(outcomes[-1])
    return outcomes


def val_loss(model: TrainedModel) -> float:
    return mean_log_loss(*model.answers("val")) or 0.0


@pytest.fixture(scope="module")
def refined(case: Case, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[StageOutcome]]:
    material = material_of(case, tmp_path_factory.mktemp("whole"))
    return material, run(material, (LAST, ALL), case.head)


def test_each_stage_that_is_kept_is_better_on_val_than_what_stood(
    case: Case, refined: tuple[Any, list[StageOutcome]]
) -> None:
    models = [outcome.model for outcome in refined[1]]
    losses = [val_loss(model) for model in (case.head, *models) if model is not None]
    assert len(losses) > 1, "nothing was learned"
    assert losses == sorted(losses, reverse=True)
    assert [len(outcome.history) for outcome in refined[1]] == [3, 2]
    assert [row.kept for row in refined[1][0].history] == [False, False, True]


def test_what_lies_below_the_trained_blocks_and_the_statistics_stay(
    case: Case, tmp_path: Path
) -> None:
    material = material_of(case, tmp_path)
    (outcome,) = run(material, (LAST,), case.head)
    assert outcome.model is not None
    began, ended = make_body(), material.body
    moved = {
        f"{layer.name}/{variable.name}"
        for layer, other in zip(began.layers, ended.layers, strict=True)
        for variable, now in zip(layer.weights, other.weights, strict=True)
        if not np.array_equal(variable.numpy(), now.numpy())
    }
    assert moved == {"block2_conv/kernel", "block2_conv/bias"}
    size = 3 * 3 * 6 * 6 + 6 + 6 * 3 + 3
    assert outcome.trainable_parameters == size


def test_lower_blocks_move_less_where_a_stage_has_a_layer_decay(case: Case, tmp_path: Path) -> None:
    began, moved = make_body(), {}
    for decay in (1.0, 1e-3):
        material = material_of(case, tmp_path / str(decay))
        (outcome,) = run(material, (replace(LAST, layer_decay=decay),), case.head)
        assert outcome.model is not None, "or else nothing has moved"
        ended = material.body.get_layer("block2_conv").get_weights()[0]
        moved[decay] = np.abs(ended - began.get_layer("block2_conv").get_weights()[0]).max()
    assert 0 < moved[1e-3] < 0.05 * moved[1.0]


def test_a_rate_that_was_found_stands_with_what_the_stage_came_to(
    case: Case, tmp_path: Path
) -> None:
    from dlcli.training.refine import reached

    tested = replace(LAST, learning_rate=5e-4, tests_rate=True)
    keeper = Keeper(tmp_path / "checkpoint", forget)
    first, second = run(material_of(case, tmp_path / "run", keeper), (tested, ALL), case.head)
    assert first.learning_rate not in (None, 5e-4)
    assert 1.25e-4 <= (first.learning_rate or 0) <= 2e-3
    assert second.learning_rate == ALL.learning_rate
    saved = keeper.load()
    assert saved is not None
    (again,) = reached(material_of(case, tmp_path / "again", keeper), case.head, saved)
    assert again.learning_rate == first.learning_rate


def test_body_and_head_and_network_answer_alike(
    case: Case, refined: tuple[Any, list[StageOutcome]]
) -> None:
    model = next(outcome.model for outcome in reversed(refined[1]) if outcome.model)
    assert_answers_alike(case, model)


def test_what_val_calls_worse_is_not_kept_and_undone(case: Case, tmp_path: Path) -> None:
    material = material_of(case, tmp_path)
    labels = case.dataset.labels(case.dataset.rows("val"))

    class Right(TrainedModel):
        """A model that val could not call wrong."""

        def answers(self, split: str) -> Any:  # noqa: ARG002
            return np.eye(3, dtype=np.float32)[labels], labels

    facts = {name: getattr(case.head, name) for name in TrainedModel.__dataclass_fields__}
    (outcome,) = run(material, (LAST,), Right(**facts))
    assert outcome.model is None
    for began, ended in zip(make_body().weights, material.body.weights, strict=True):
        np.testing.assert_array_equal(began.numpy(), ended.numpy())


@pytest.mark.parametrize("saves", [20, 35])
def test_a_training_that_was_killed_ends_with_the_same_weights(
    saves: int, case: Case, refined: tuple[Any, list[StageOutcome]], tmp_path: Path
) -> None:
    from dlcli.training.refine import reached

    stopping = Stops(tmp_path / "checkpoint", saves)
    with pytest.raises(SystemExit):
        run(material_of(case, tmp_path / "first", stopping), (LAST, ALL), case.head)
    keeper = Keeper(tmp_path / "checkpoint", forget)
    saved = keeper.load()
    assert saved is not None
    material, best = material_of(case, tmp_path / "second", keeper), case.head
    earlier = list(reached(material, case.head, saved))
    for outcome in earlier:
        best = outcome.model or best
        material = material.after(outcome)
    assert len(earlier) == (1 if saves == 35 else 0)
    outcomes = [*earlier, *run(material, (LAST, ALL)[len(earlier) :], best)]
    assert [one.history for one in outcomes] == [one.history for one in refined[1]]
    for now, then in zip(material.body.weights, refined[0].body.weights, strict=True):
        np.testing.assert_array_equal(now.numpy(), then.numpy())
