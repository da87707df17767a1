"""What a spec amounts to: heads without a framework, networks with Keras."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dlcli.artifact import ModelFacts, write_artifact
from dlcli.commands.head_plan import HeadPlan
from dlcli.commands.network_plan import NetworkPlan
from dlcli.commands.plan import Plan, make_plan
from dlcli.data.pixels import PixelFormat
from dlcli.errors import DataError, DlcliError, SpecError, UsageError
from dlcli.events import Said, Warned
from dlcli.runtime.head import Head
from dlcli.spec.loader import dump_spec, load_spec, read_spec
from tests.conftest import Recorder

CLASSES = ("cat", "dog", "fox")
LAYERS = "model.layers=[{rescaling: 0.01}, flatten, {dense: 4}]"
SMALL = "data.image_size=8"


def plan_of(
    *settings: str, runs: Path = Path("runs"), file: Path | None = None
) -> tuple[Plan, Recorder]:
    """The plan for three classes and 100 pictures to train on, and what was said."""
    recorder = Recorder()
    return make_plan(read_spec(file, settings), CLASSES, 100, runs, recorder), recorder


def texts(recorder: Recorder) -> list[str]:
    return [event.text for event in recorder.events if isinstance(event, Said | Warned)]


def write_run(
    folder: Path,
    files: tuple[str, ...] = ("body.tflite", "model.keras"),
    backbone: str | None = None,
    *,
    identity: bool = False,
    body: str = "float32",
    pooling: str = "average",
) -> Path:
    """A run that looks finished: a body of 5 features and 200 parameters, and a head."""
    model = folder / "model"
    model.mkdir(parents=True)
    for name in files:
        (model / name).write_bytes(name.encode())
    features = 3 if identity else 5
    weights = np.eye(3, dtype=np.float32) if identity else np.ones((features, 3), np.float32)
    head = Head(weights, np.zeros(3, np.float32))
    head.save(model / "head.npz")
    parameters = 200 + (0 if identity else head.size)
    facts = ModelFacts(backbone, "random", parameters, parameters, body, pooling)
    write_artifact(model, CLASSES, PixelFormat((20, 16), "pad", "grayscale"), facts, None)
    return folder


def test_a_head_on_a_backbone() -> None:
    plan, recorder = plan_of()
    assert isinstance(plan, HeadPlan)
    assert [stage.trainable for stage in plan.stages] == ["head"]
    trained = 1280 * 3 + 3
    expected = ModelFacts("efficientnet-lite0", "imagenet", 3_413_024 + trained, trained)
    assert plan.facts == expected
    assert plan.pixel_format == PixelFormat((224, 224))
    body, head = plan.summary.rows
    assert (body.name, body.output_shape, body.trainable_parameters) == (
        "efficientnet-lite0",
        (1280,),
        0,
    )
    assert (head.output_shape, head.parameters) == ((3,), trained)
    assert recorder.events == []


def test_the_memory_of_a_head_grows_with_the_pictures() -> None:
    source = read_spec(None, ())
    few, many = (
        make_plan(source, CLASSES, count, Path("runs"), Recorder()).summary for count in (10, 1010)
    )
    assert (few.batch_size, many.batch_size) == (10, 1010)
    assert many.memory_bytes - few.memory_bytes == 1000 * 1280 * 2 * 4


def test_a_backbone_whose_weights_are_far_away_is_planned_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    plan, _ = plan_of("model.backbone=vgg16")
    assert plan.facts == ModelFacts("vgg16", "imagenet", 14_714_688 + 1539, 1539)
    assert not (tmp_path / "keras").exists()


def test_weights_of_a_file_keep_their_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "w.weights.h5").touch()
    monkeypatch.chdir(tmp_path)
    plan, _ = plan_of("model.backbone=vgg16", "model.weights=w.weights.h5")
    assert plan.start.file is not None
    assert plan.start.file.samefile(tmp_path / "w.weights.h5")
    assert plan.spec.model.weights == str(tmp_path / "w.weights.h5")


@pytest.mark.parametrize("named", ["base", "path"])
def test_a_head_on_a_run_reads_pictures_as_the_run_did(named: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "base")
    given = "base" if named == "base" else str(run)
    plan, recorder = plan_of(f"model.weights={given}", runs=tmp_path)
    assert isinstance(plan, HeadPlan)
    assert plan.pixel_format == PixelFormat((20, 16), "pad", "grayscale")
    assert plan.facts == ModelFacts(None, str(run), 200 + 18, 18)
    assert [row.name for row in plan.summary.rows] == ["network", "probabilities"]
    assert texts(recorder) == [f"the head is new; the body is that of {run}"]


def test_the_features_of_a_run_are_taken_as_they_are(tmp_path: Path) -> None:
    run = write_run(tmp_path / "base", pooling="layout")
    plan, _ = plan_of(f"model.weights={run}")
    assert plan.spec.model.pooling == "layout"
    with pytest.raises(SpecError, match=r"model\.pooling must be layout, as in .*, got average"):
        plan_of(f"model.weights={run}", "model.pooling=average")


def test_a_head_on_a_run_is_written_down_without_a_backbone(tmp_path: Path) -> None:
    plan, _ = plan_of(f"model.weights={write_run(tmp_path / 'base')}")
    (tmp_path / "spec.yaml").write_text(dump_spec(plan.spec))
    assert "backbone" not in (tmp_path / "spec.yaml").read_text()


def test_a_head_on_a_run_of_a_backbone_is_of_that(tmp_path: Path) -> None:
    run = write_run(tmp_path / "base", ("body.tflite",), "vgg16")
    plan, _ = plan_of(f"model.weights={run}")
    assert plan.spec.model.backbone == plan.facts.backbone == "vgg16"


def test_an_int8_body_is_made_when_the_pictures_are_read(own_cache: Path) -> None:
    plan, recorder = plan_of("model.body=int8")
    assert isinstance(plan, HeadPlan)
    assert plan.facts.body == "int8"
    plan.prepare(recorder)
    assert not own_cache.exists()


def test_a_head_on_an_int8_run_is_of_int8_and_its_spec_may_be_read_again(tmp_path: Path) -> None:
    run = write_run(tmp_path / "base", ("body.tflite",), body="int8")
    plan, _ = plan_of(f"model.weights={run}")
    assert (plan.spec.model.body, plan.facts.body) == ("int8", "int8")
    (tmp_path / "spec.yaml").write_text(dump_spec(plan.spec))
    again, recorder = plan_of(file=tmp_path / "spec.yaml")
    assert again.spec == plan.spec
    again.prepare(recorder)
    assert texts(recorder) == [f"the head is new; the body is that of {run}"]


@pytest.mark.parametrize(("own", "given"), [("int8", "float32"), ("float32", "int8")])
def test_the_body_of_a_run_stays_what_it_is(own: str, given: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "base", ("body.tflite",), "vgg16", body=own)
    with pytest.raises(SpecError, match=f"model.body must be {own}, as in .*base, .*got {given}"):
        plan_of(f"model.weights={run}", f"model.body={given}")


def test_behind_a_classifier_of_its_own_nothing_is_cut_off(tmp_path: Path) -> None:
    run = write_run(tmp_path / "base", identity=True)
    plan, _ = plan_of(f"model.weights={run}")
    assert plan.facts == ModelFacts(None, str(run), 200 + 12, 12)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data.image_size=32", r"data.image_size must be \[20, 16\], as in .*base, .*\[32, 32\]"),
        ("data.resize=crop", "data.resize must be pad, as in .*got crop"),
        ("data.color=rgb", "data.color must be grayscale, as in .*got rgb"),
        ("model.backbone=vgg19", "model.backbone must be left out, as in .*got 'vgg19'"),
    ],
)
def test_a_spec_that_contradicts_its_run(setting: str, message: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "base")
    with pytest.raises(SpecError, match=message):
        plan_of(f"model.weights={run}", setting)


def test_a_spec_that_says_what_its_run_says(tmp_path: Path) -> None:
    same = ("data.image_size=[20, 16]", "data.resize=pad", "data.color=grayscale")
    plan, _ = plan_of(f"model.weights={write_run(tmp_path / 'base')}", *same)
    assert plan.pixel_format == PixelFormat((20, 16), "pad", "grayscale")


def test_all_contradictions_at_once_and_with_their_lines(tmp_path: Path) -> None:
    run = write_run(tmp_path / "base")
    spec = tmp_path / "spec.yaml"
    spec.write_text(f"data:\n  image_size: 32\n  resize: stretch\nmodel: {{weights: {run}}}\n")
    with pytest.raises(SpecError) as caught:
        plan_of(file=spec)
    first, second = caught.value.faults
    assert first.startswith(f"{spec}:2:3 data.image_size must be")
    assert second.startswith(f"{spec}:3:3 data.resize must be")


@pytest.mark.parametrize(
    ("named", "error", "message"),
    [
        ("no.keras", UsageError, "model.weights no.keras: there is no such weight file"),
        ("no.h5", UsageError, "there is no such weight file"),
        ("nobody", UsageError, "model.weights nobody: there is no such run"),
        ("empty", DataError, "no finished model"),
    ],
)
@pytest.mark.parametrize("setting", [SMALL, "model.backbone=vgg16"])
def test_weights_that_are_not_there(
    named: str, error: type[DlcliError], message: str, setting: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    setting = LAYERS if setting == SMALL else setting
    with pytest.raises(error, match=message):
        plan_of(setting, f"model.weights={named}", runs=tmp_path)


def test_a_damaged_run(tmp_path: Path) -> None:
    run = write_run(tmp_path / "base")
    (run / "model" / "body.tflite").write_bytes(b"other")
    with pytest.raises(DataError, match=r"body\.tflite: this file is damaged"):
        plan_of(f"model.weights={run}")


def test_a_network_of_layers() -> None:
    plan, recorder = plan_of(LAYERS, SMALL, "train.epochs=7")
    assert isinstance(plan, NetworkPlan)
    (stage,) = plan.stages
    assert (stage.trainable, stage.epochs) == ("all", 7)
    parameters = 8 * 8 * 3 * 4 + 4 + 4 * 3 + 3
    assert plan.facts == ModelFacts(None, "random", parameters, parameters)
    assert [row.name for row in plan.summary.rows] == [
        "rescaling_0",
        "flatten_1",
        "dense_2",
        "probabilities",
    ]
    assert plan.summary.batch_size == stage.batch_size
    assert texts(recorder) == []


def test_the_plan_s_spec_says_what_auto_stands_for(tmp_path: Path) -> None:
    plan, _ = plan_of(LAYERS, SMALL)
    assert "auto" not in (plan.spec.train.batch_size, plan.spec.train.learning_rate)
    assert isinstance(plan.spec.augment, list)
    (tmp_path / "spec.yaml").write_text(dump_spec(plan.spec))
    assert load_spec(tmp_path / "spec.yaml") == plan.spec
    again, _ = plan_of(file=tmp_path / "spec.yaml")
    assert again.spec == plan.spec
    assert again.summary == plan.summary


def test_layers_that_rescale_nothing_are_warned_of() -> None:
    _, recorder = plan_of("model.layers=[flatten]", SMALL)
    [event] = recorder.events
    assert isinstance(event, Warned)
    assert "rescales and normalizes nothing: it sees pixels of 0-255" in event.text


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "model.layers=[{einsum_dense: {equation: 'abcd,de->abce', output_shape: 3}}]",
            r"model.layers\[0\].einsum_dense does not take \(8, 8, 3\)",
        ),
        (
            "model.layers=[{conv2d: {filters: 4, kernel_size: 3}}]",
            r"model.layers\[0\] leaves \(6, 6, 4\), and the classifier takes \(features,\)",
        ),
        (
            "model.layers=[flatten, {dense: {units: 2, activation: softmax}}, {head: none}]",
            r"model.layers\[1\] leaves \(2,\), and the folder has 3 classes: \(3,\)",
        ),
    ],
)
def test_a_misfit_that_the_loader_leaves_to_keras(setting: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        plan_of(setting, SMALL)


def test_layers_cannot_begin_with_a_head_alone(tmp_path: Path) -> None:
    run = write_run(tmp_path / "base", ("body.tflite",), "efficientnet-lite0")
    with pytest.raises(UsageError, match="only a head was trained there"):
        plan_of(LAYERS, SMALL, f"model.weights={run}")


def start_from(tmp_path: Path, file: str, class_names: tuple[str, ...]) -> tuple[Plan, Recorder]:
    """The plan for LAYERS from a run of LAYERS whose network all holds 0.5, kept as `file`."""
    first, _ = plan_of(LAYERS, SMALL)
    assert isinstance(first, NetworkPlan)
    first.network.model.set_weights(
        [np.full_like(w, 0.5) for w in first.network.model.get_weights()]
    )
    run = write_run(tmp_path / "base")
    (run / "model" / "model.keras").unlink()
    first.network.model.save(run / "model" / "model.keras")
    (run / "model" / "model.keras").rename(run / "model" / file)
    document = json.loads((run / "model" / "model.json").read_text())
    write_artifact(
        run / "model", class_names, PixelFormat((8, 8)), ModelFacts(**document["model"]), None
    )
    return plan_of(LAYERS, SMALL, f"model.weights={run}")


@pytest.mark.parametrize(
    ("file", "class_names", "keeps_head"),
    [
        ("model.keras", CLASSES, True),
        ("model.keras", ("cat", "fox", "dog"), False),
        ("body.keras", CLASSES, False),  # its own head is of the run before, for other classes
    ],
)
def test_a_head_is_kept_for_the_very_same_classes(
    file: str, class_names: tuple[str, ...], keeps_head: bool, tmp_path: Path
) -> None:
    plan, recorder = start_from(tmp_path, file, class_names)
    assert isinstance(plan, NetworkPlan)
    dense, _, head, _ = plan.network.model.get_weights()
    assert (dense == 0.5).all()
    assert (head == 0.5).all() == keeps_head
    begin = "all layers begin" if keeps_head else "the body begins"
    new = "" if keeps_head else "; the head is new"
    assert texts(recorder) == [f"{begin} with the weights of {tmp_path / 'base'}{new}"]
