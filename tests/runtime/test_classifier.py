"""Pictures in, answers out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli.artifact import (
    BODY,
    HEAD,
    MODEL_JSON,
    TYPICALITY,
    VAL_ANSWERS,
    Artifact,
    ModelFacts,
    open_artifact,
    write_artifact,
)
from dlcli.data.pixels import PixelFormat, read_image
from dlcli.errors import DataError
from dlcli.events import NullReporter
from dlcli.metrics.typicality import Typicality, fit_typicality
from dlcli.metrics.val_answers import val_answers
from dlcli.models.bodies import find_body
from dlcli.models.registry import BACKBONES
from dlcli.runtime.classifier import Classifier, open_classifier
from dlcli.runtime.head import Head
from tests.conftest import write_image

NAMES = ("dark", "bright", "other")


class MeanColours:
    """A body whose features are the mean of each channel, in 0-1."""

    num_features = 3
    prefers_batches = False

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(pixels.mean(axis=(1, 2)) / 255, np.float32)


def make_classifier(typicality: Typicality | None = None, below: float | None = None) -> Classifier:
    facts = ModelFacts("means", "none", 12, 12)
    artifact = Artifact(Path(), NAMES, PixelFormat((32, 32)), facts, {}, below)
    head = Head(np.eye(3, dtype=np.float32) * 5, np.zeros(3, np.float32))
    return Classifier(artifact, MeanColours(), head, typicality)


def test_answers_keep_the_order_of_the_inputs_broken_ones_included(tmp_path: Path) -> None:
    paths = [str(write_image(tmp_path / f"{n}.png", n, tint=n)) for n in range(30)]
    (tmp_path / "broken.png").write_bytes(b"no picture")
    inputs = [*paths[:7], str(tmp_path / "broken.png"), *paths[7:], str(tmp_path / "none.png")]
    classifier = make_classifier()
    answers = list(classifier.predict_files(inputs))
    assert [answer.path for answer in answers] == inputs
    failed = {answer.path: answer.error for answer in answers if answer.error}
    assert failed == {inputs[7]: "not a picture", inputs[-1]: "no such file"}
    for answer in answers:
        if answer.error:
            assert (answer.probabilities, answer.typicality, answer.unknown) == (None, None, False)
        else:
            pixels = read_image(answer.path, classifier.artifact.pixel_format)
            expected = classifier.predict_pixels(pixels[None])[0]
            np.testing.assert_array_equal(answer.probabilities, expected)


def test_inputs_are_answered_as_they_come(tmp_path: Path) -> None:
    path = str(write_image(tmp_path / "a.png"))
    answers = make_classifier().predict_files(path for _ in iter(int, 1))
    assert [next(answers).path for _ in range(3)] == [path] * 3
    answers.close()  # type: ignore[attr-defined]


def test_no_inputs_give_no_answers() -> None:
    assert list(make_classifier().predict_files([])) == []


def test_paths_are_taken_as_paths_too(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.png")
    assert [answer.path for answer in make_classifier().predict_files([path])] == [str(path)]


def test_a_model_without_training_features_calls_nothing_unknown(tmp_path: Path) -> None:
    answer = make_classifier(None, 0.5).predict_file(str(write_image(tmp_path / "a.png")))
    assert (answer.typicality, answer.unknown, answer.error) == (None, False, None)


def test_a_foreign_picture_is_unknown_and_a_familiar_one_is_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def reds(count: int) -> NDArray[np.float32]:
        spread = rng.normal(0, 0.02, (count, 3))
        return np.asarray(np.array([0.8, 0.2, 0.2]) + spread, np.float32)

    classifier = make_classifier(fit_typicality(reds(60), reds(20)), 0.05)
    pictures = {"red": (204, 51, 51), "blue": (20, 20, 220)}
    answers = {}
    for name, colour in pictures.items():
        path = tmp_path / f"{name}.png"
        from PIL import Image

        Image.new("RGB", (40, 40), colour).save(path)
        answers[name] = classifier.predict_file(str(path))
    assert answers["red"].unknown is False
    assert (answers["red"].typicality or 0) > 0.3
    assert answers["blue"].unknown is True
    assert answers["blue"].typicality == 0
    assert answers["blue"].probabilities is not None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An artefact with the real body and a head of random weights."""
    import shutil

    folder = tmp_path / "model"
    folder.mkdir()
    body = find_body(BACKBONES["efficientnet-lite0"], (224, 224), NullReporter())
    shutil.copyfile(body.path, folder / BODY)
    rng = np.random.default_rng(0)
    write_head(folder, rng.normal(size=(1280, 3)), rng.normal(size=3))
    features = rng.normal(size=(20, 1280)).astype(np.float32)
    fit_typicality(features, features[:5]).save(folder / TYPICALITY)
    write(folder)
    return folder


def write_head(folder: Path, weights: NDArray[np.floating], bias: NDArray[np.floating]) -> None:
    Head(weights.astype(np.float32), bias.astype(np.float32)).save(folder / HEAD)


def write(folder: Path, names: tuple[str, ...] = NAMES) -> None:
    write_artifact(folder, names, PixelFormat(), ModelFacts("x", "imagenet", 1, 1), 0.05)


def test_an_opened_artefact_answers(folder: Path, tmp_path: Path) -> None:
    classifier = open_classifier(open_artifact(folder))
    answer = classifier.predict_file(str(write_image(tmp_path / "a.png")))
    assert answer.probabilities is not None
    assert answer.probabilities.shape == (3,)
    assert answer.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert answer.typicality is not None


def test_an_artefact_without_a_threshold_opens_no_training_features(folder: Path) -> None:
    artifact = replace(open_artifact(folder), unknown_below=None)
    assert open_classifier(artifact).typicality is None


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c", "d")])
def test_a_head_for_other_classes_is_refused(folder: Path, names: tuple[str, ...]) -> None:
    write(folder, names)
    message = rf"head\.npz: this head has the shapes \(1280, 3\) .* not \(1280, {len(names)}\)"
    with pytest.raises(DataError, match=message):
        open_classifier(open_artifact(folder))


def test_a_head_for_another_body_is_refused(folder: Path) -> None:
    write_head(folder, np.zeros((640, 3)), np.zeros(3))
    write(folder)
    with pytest.raises(DataError, match=r"shapes \(640, 3\) and \(3,\), not \(1280, 3\)"):
        open_classifier(open_artifact(folder))


@pytest.mark.parametrize("bias", [1, 4])
def test_a_bias_for_other_classes_is_refused(folder: Path, bias: int) -> None:
    write_head(folder, np.zeros((1280, 3)), np.zeros(bias))
    write(folder)
    with pytest.raises(DataError, match=r"head\.npz"):
        open_classifier(open_artifact(folder))


@pytest.mark.parametrize("name", [BODY, HEAD])
def test_an_artefact_that_lists_no_body_or_head_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    document = json.loads((folder / MODEL_JSON).read_text())
    del document["files"][name]
    (folder / MODEL_JSON).write_text(json.dumps(document))
    with pytest.raises(DataError, match=name):
        open_classifier(open_artifact(folder))


def test_damaged_training_features_are_a_sentence(folder: Path) -> None:
    (folder / TYPICALITY).write_bytes((folder / TYPICALITY).read_bytes()[:-200])
    write(folder)
    with pytest.raises(DataError, match=r"typicality\.npz: this holds no readable training"):
        open_classifier(open_artifact(folder))


class CountedMeans(MeanColours):
    """As a framework's body would be: at its best with several pictures at once."""

    prefers_batches = True

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.sizes.append(len(pixels))
        return super().features(pixels)


def mixed_inputs(folder: Path, count: int) -> list[str]:
    """Pictures, and between them files that are none."""
    inputs = [str(write_image(folder / f"{number}.png", number)) for number in range(count)]
    inputs.insert(count // 2, str(folder / "gone.png"))
    return inputs


@pytest.mark.parametrize(
    "body", [MeanColours(), CountedMeans()], ids=lambda one: type(one).__name__
)
def test_a_picture_is_answered_alike_whatever_is_asked_beside_it(
    body: MeanColours, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    typicality = fit_typicality(
        rng.uniform(size=(900, 3)).astype(np.float32), rng.uniform(size=(99, 3)).astype(np.float32)
    )
    classifier = replace(make_classifier(typicality, 0.05), body=body)
    inputs = mixed_inputs(tmp_path, 40)
    alone = [classifier.predict_file(path) for path in inputs]
    for batch_size in (1, 7, 64):
        together = list(classifier.predict_files(inputs, batch_size))
        assert [one.path for one in together] == inputs
        for one, other in zip(alone, together, strict=True):
            assert (one.error, one.typicality) == (other.error, other.typicality)
            if one.error is None:
                np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_a_body_that_prefers_batches_gets_them(tmp_path: Path) -> None:
    body = CountedMeans()
    classifier = replace(make_classifier(), body=body)
    answers = classifier.predict_files(mixed_inputs(tmp_path, 40), 8)
    next(answers)
    import time

    deadline = time.monotonic() + 60
    while len(body.sizes) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)  # more pictures are read while the first answer is looked at
        next(answers)
    assert sum(1 for _ in answers) + len(body.sizes) > 1
    assert 1 < max(body.sizes) <= 8


def test_answers_on_val_are_those_that_were_written(folder: Path) -> None:
    assert open_classifier(open_artifact(folder)).val_answers() is None
    kept = val_answers(
        np.full((4, 3), 1 / 3, np.float32), np.array([0, 1, 2, 0]), np.linspace(0, 1, 4)
    )
    kept.save(folder / VAL_ANSWERS)
    write(folder)
    found = open_classifier(open_artifact(folder)).val_answers()
    assert found is not None
    np.testing.assert_array_equal(found.is_right, kept.is_right)
