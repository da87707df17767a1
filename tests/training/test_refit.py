"""Once more on all pictures, with what val has chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcli import backend
from dlcli.events import EpochEnded, NullReporter
from dlcli.metrics.classification import mean_log_loss
from dlcli.training.keeper import Keeper
from dlcli.training.quick import refit_head
from dlcli.training.stages import Stage, plan_stages
from dlcli.training.trained import TrainedModel
from tests.conftest import Recorder
from tests.training.small_bodies import (
    ALL,
    LAST,
    Case,
    Stops,
    assert_answers_alike,
    forget,
    make_case,
    material_of,
)
from tests.training.small_fits import small_fit, small_spec, unbalanced

SHARES = (0.2, 0.1)
TEMPERATURE = 1.1
"""Of the model that val has chosen."""


def fit_again(end: int, *settings: str) -> tuple[Any, list[EpochEnded]]:
    """The first `end` epochs of the small fit, without val."""
    backend.prepare()
    from dlcli.models.network import build_network
    from dlcli.training.fit import fit_again

    backend.keras.utils.set_random_seed(0)
    spec = small_spec(*settings)
    network = build_network(spec, 2)
    (stage,) = plan_stages(spec)
    recorder = Recorder()
    train = unbalanced(200, seed=0)
    assert fit_again(network.model, [], train, spec.train, stage, recorder, end=end)
    return network.model, [event for event in recorder.events if isinstance(event, EpochEnded)]


@pytest.mark.parametrize("more", [(), ("train.ema=0.9",)])
def test_val_has_no_part_in_it(more: tuple[str, ...]) -> None:
    settings = ("train.early_stopping=none", *more)
    fitted = small_fit(settings, unbalanced(200, seed=0), unbalanced(100, seed=1))
    assert fitted.rows[-1].kept, "the last epoch is to be the best one"
    model, epochs = fit_again(4, *settings)
    for own, other in zip(model.get_weights(), fitted.weights, strict=True):
        np.testing.assert_array_equal(own, other)
    assert [epoch.val_loss for epoch in epochs] == [None] * 4


def test_a_fit_ends_early_on_the_schedule_of_the_whole() -> None:
    _, epochs = fit_again(2)
    _, whole = fit_again(4)
    assert [epoch.learning_rate for epoch in epochs] == [one.learning_rate for one in whole[:2]]
    assert [epoch.loss for epoch in epochs] == [one.loss for one in whole[:2]]
    assert whole[3].learning_rate != whole[1].learning_rate


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make_case(tmp_path_factory.mktemp("refit"))


def test_a_head_is_fitted_on_all_pictures_with_what_was_chosen(case: Case) -> None:
    again = refit_head(case.head, case.kept, NullReporter())
    assert again.head.temperature == case.head.head.temperature
    assert again.features is case.head.features
    plain = (replace(model, head=model.head.uncalibrated()) for model in (case.head, again))
    before, after = (mean_log_loss(*model.answers("test")) for model in plain)
    assert before is not None
    assert after is not None
    assert after < before


def test_mirror_images_count_where_they_were_chosen(case: Case) -> None:
    assert case.head.choice is not None
    heads = [
        refit_head(
            replace(case.head, choice=replace(case.head.choice, mirrored=mirrored)),
            case.kept,
            NullReporter(),
        ).head
        for mirrored in (False, True)
    ]
    assert not np.array_equal(heads[0].weights, heads[1].weights)


def refit(case: Case, folder: Path, keeper: Keeper | None = None) -> tuple[TrainedModel, Any]:
    """Both stages, and the body that they leave."""
    from dlcli.training.refit import ChosenStage, refit_stages

    material = replace(material_of(case, folder, keeper), dataset=case.dataset.as_one())
    head = refit_head(case.head, case.kept, NullReporter()).head
    stages: tuple[Stage, Stage] = (LAST, ALL)
    chosen = [
        ChosenStage(stage, stage.epochs or 1, share)
        for stage, share in zip(stages, SHARES, strict=True)
    ]
    best = replace(case.head, head=replace(case.head.head, temperature=TEMPERATURE))
    model = refit_stages(material, chosen, head, best)
    assert model is not None
    return model, material.body


@pytest.fixture(scope="module")
def refitted(case: Case, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainedModel, Any]:
    return refit(case, tmp_path_factory.mktemp("whole"))


def test_stages_are_gone_through_again(case: Case, refitted: tuple[TrainedModel, Any]) -> None:
    model, _ = refitted
    assert model.head.temperature == TEMPERATURE
    assert model.history == case.head.history
    assert_answers_alike(case, model)
    before, after = (mean_log_loss(*one.answers("test")) or 0.0 for one in (case.head, model))
    assert after < before, "it has seen these pictures"


@pytest.mark.parametrize("saves", [10, 50])
def test_one_that_was_killed_ends_with_the_same_weights(
    saves: int, case: Case, refitted: tuple[TrainedModel, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    with pytest.raises(SystemExit):
        refit(case, tmp_path / "first", Stops(folder, saves))
    keeper = Keeper(folder, forget)
    saved = keeper.load()
    assert saved is not None
    assert saved.facts["number"] == (0 if saves == 10 else 1)
    _, body = refit(case, tmp_path / "second", keeper)
    for now, then in zip(body.weights, refitted[1].weights, strict=True):
        np.testing.assert_array_equal(now.numpy(), then.numpy())
