"""The stage plan: what `auto` stands for, and what a spec amounts to."""

from __future__ import annotations

import pytest

from dlcli.spec.loader import load_spec
from dlcli.spec.rules import check_rules
from dlcli.spec.schema import Spec
from dlcli.training.stages import (
    FEWEST_FOR_ALL,
    FEWEST_FOR_BLOCKS,
    Stage,
    describe_plan,
    mirrors,
    plan_stages,
    reason_of,
    resolve_spec,
)

_HEAD = Stage("head", "head")
FROM_NOTHING = ("model.weights=random",)


def resolved(*settings: str, num_train: int = 10_000) -> Spec:
    return resolve_spec(load_spec(None, (*FROM_NOTHING, *settings)), num_train)


def resolved_below_a_head(*settings: str) -> Spec:
    return resolve_spec(load_spec(None, settings), 2_000)


@pytest.mark.parametrize(
    ("settings", "num_train"),
    [
        (("train.effort=quick",), 10_000),
        (("model.body=int8",), 10_000),
        (("train.stages=[{trainable: head}]",), 10_000),
        ((), FEWEST_FOR_BLOCKS - 1),
        (("train.effort=best",), FEWEST_FOR_ALL - 1),
        ((), 50_000),  # it would take an hour
    ],
)
def test_a_trained_backbone_gets_a_head_alone(settings: tuple[str, ...], num_train: int) -> None:
    spec = resolve_spec(load_spec(None, settings), num_train)
    assert plan_stages(spec) == (Stage("head", "head"),)
    assert resolve_spec(spec, 10_000) == spec  # what is written repeats the run
    assert not list(check_rules(spec, {("train", "effort"), ("train", "stages")}))


@pytest.mark.parametrize(
    ("settings", "has_gpu", "names"),
    [
        ((), False, ["head", "last 3 blocks"]),
        ((), True, ["head", "all layers"]),
        (("train.effort=best",), False, ["head", "last 3 blocks", "all layers"]),
        (("train.stages=[{trainable: {last: 1}}]",), False, ["head", "last block"]),
        (("train.stages=[{trainable: all}]",), True, ["head", "all layers"]),
    ],
)
def test_layers_below_a_trained_head(
    settings: tuple[str, ...], has_gpu: bool, names: list[str]
) -> None:
    spec = resolve_spec(load_spec(None, settings), FEWEST_FOR_BLOCKS, has_gpu=has_gpu)
    stages = plan_stages(spec)
    assert [stage.name for stage in stages] == names
    assert all(stage.epochs and stage.learning_rate and stage.batch_size for stage in stages[1:])
    assert plan_stages(resolve_spec(spec, 10**6, has_gpu=not has_gpu)) == stages
    assert not list(check_rules(spec, {("train", "effort"), ("train", "stages")}))


def test_a_balanced_effort_is_the_less_for_each_picture_the_more_there_are() -> None:
    spent = [plan_stages(resolve_spec(Spec(), num_train))[1] for num_train in (1_000, 3_000, 4_000)]
    assert [(stage.epochs, stage.views) for stage in spent] == [(12, 4), (8, 2), (4, 2)]
    slower = plan_stages(resolve_spec(Spec(), 1_000, scale=10))
    assert [stage.name for stage in slower] == ["head"]


LAST = "train.stages=[{trainable: {last: 1}, epochs: 12}]"


@pytest.mark.parametrize(
    ("settings", "num_train", "rate", "tests"),
    [
        ((LAST,), 1_024, 5e-4, True),  # 48 steps of the test are an eighth of 32 * 12
        ((LAST,), 992, 5e-4, False),
        ((LAST, "train.batch_size=16"), 512, 5e-4, True),
        ((LAST, "train.max_time=1h"), 1_024, 5e-4, False),
        ((LAST, "train.learning_rate=0.01"), 1_024, 0.01, False),
        (("train.stages=[{trainable: all, epochs: 12}]",), 1_024, 1e-4, True),
        (("train.stages=[{trainable: all, epochs: 12, learning_rate: 2}]",), 1_024, 2, False),
        ((*FROM_NOTHING, "train.stages=[{trainable: all, epochs: 12}]"), 1_024, 1e-3, False),
    ],
)
def test_a_rate_is_tested_where_the_stage_is_long_and_nobody_gave_it(
    settings: tuple[str, ...], num_train: int, rate: float, tests: bool
) -> None:
    spec = resolve_spec(load_spec(None, settings), num_train)
    stage = plan_stages(spec)[-1]
    assert (stage.learning_rate, stage.tests_rate) == (rate, tests)
    (written,) = [one for one in spec.train.stages if not isinstance(one, str)]
    assert (written.learning_rate == "auto") is tests, "it is found again where the spec is"
    *_, said = describe_plan(spec, plan_stages(spec))
    assert ("learning rate by a range test around" in said) is tests
    assert resolve_spec(spec, num_train) == spec


def test_a_layer_decay_that_is_given_is_planned_and_said() -> None:
    decay = "train.stages=[{trainable: {last: 2}, layer_decay: 0.8}, {trainable: all}]"
    spec = resolved_below_a_head(decay)
    _, last, whole = plan_stages(spec)
    assert (last.layer_decay, whole.layer_decay) == (0.8, 1)
    _, said, unsaid = describe_plan(spec, (_HEAD, last, whole))
    assert "0.8 times that with each block further down" in said
    assert "further down" not in unsaid
    assert not list(check_rules(spec, {("train", "stages")}))


@pytest.mark.parametrize(
    ("settings", "num_train", "reason"),
    [
        (("train.effort=quick",), 5_000, "as effort quick or an int8 body asks"),
        ((), 999, "999 training pictures are too few for the layers below, from 1000 on"),
        ((), 2_000, "as effort balanced allows"),
        ((), 50_000, "effort best trains them"),
        (("train.effort=best",), 50_000, "as effort best allows"),
        (("train.stages=[{trainable: head}]",), 2_000, ""),
        (FROM_NOTHING, 2_000, ""),
    ],
)
def test_why_is_said(settings: tuple[str, ...], num_train: int, reason: str) -> None:
    asked = load_spec(None, settings)
    said = reason_of(asked, resolve_spec(asked, num_train), num_train)
    assert said.endswith(reason)
    assert bool(said) == bool(reason)


@pytest.mark.parametrize(
    ("augment", "mirrored"),
    [
        ("auto", True),
        ("none", False),
        ("[random_flip]", True),
        ("[{random_flip: vertical}]", False),
        ("[{random_flip: {mode: horizontal}}]", True),
        ("[{RandomFlip: horizontal_and_vertical}]", True),
        ("[{random_rotation: 0.1}]", False),
    ],
)
def test_a_mirror_image_counts_where_the_spec_flips(augment: str, mirrored: bool) -> None:
    assert mirrors(load_spec(None, (f"augment={augment}",))) is mirrored


def test_more_is_spent_the_more_effort_is_asked_for() -> None:
    balanced, best = (
        plan_stages(resolved_below_a_head(f"train.effort={effort}"))[1]
        for effort in ("balanced", "best")
    )
    assert (balanced.views or 0) < (best.views or 0)


def test_the_epochs_and_the_rate_that_are_given_are_those_of_every_stage() -> None:
    spec = resolved_below_a_head("train.epochs=3", "train.learning_rate=0.002", "train.effort=best")
    assert [(stage.epochs, stage.learning_rate) for stage in plan_stages(spec)[1:]] == 2 * [
        (3, 0.002)
    ]


@pytest.mark.parametrize("effort", ["quick", "balanced", "best"])
def test_from_nothing_all_layers_are_trained_whatever_the_effort(effort: str) -> None:
    (stage,) = plan_stages(resolved(f"train.effort={effort}", "train.epochs=7"))
    assert (stage.trainable, stage.epochs) == ("all", 7)


@pytest.mark.parametrize(
    ("size", "num_train", "batch_size"),
    [(28, 50_000, 64), (64, 1_280, 64), (28, 1_000, 32), (28, 100, 8), (224, 50_000, 32),
     (224, 200, 8), (28, 3, 8)],
)  # fmt: skip
def test_the_batch_size_follows_the_size_of_the_set_and_of_the_pictures(
    size: int, num_train: int, batch_size: int
) -> None:
    layers = "model.layers=[{rescaling: 0.1}, flatten]"
    spec = resolve_spec(load_spec(None, (layers, f"data.image_size={size}")), num_train)
    assert spec.train.batch_size == batch_size


def test_what_is_given_stays() -> None:
    given = ("train.batch_size=3", "train.learning_rate=0.5", "augment=none")
    spec = resolved(*given)
    assert (spec.train.batch_size, spec.train.learning_rate, spec.augment) == (3, 0.5, "none")


@pytest.mark.parametrize("size", [28, 224])
def test_what_auto_becomes_is_a_valid_spec(size: int) -> None:
    layers = "model.layers=[{rescaling: 0.1}, flatten]"
    spec = resolve_spec(load_spec(None, (layers, f"data.image_size={size}")), 1000)
    assert isinstance(spec.augment, list)
    assert not list(check_rules(spec, set()))


def test_the_plan_is_said() -> None:
    spec = resolved("train.epochs=7", "augment=[{random_flip: horizontal}]")
    (said,) = describe_plan(spec, plan_stages(spec))
    assert "up to 7 epochs" in said
    assert "random_flip" in said


def test_a_spec_that_is_not_resolved_is_no_plan() -> None:
    with pytest.raises(ValueError, match="not resolved"):
        plan_stages(load_spec(None, FROM_NOTHING))
