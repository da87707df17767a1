"""The built-in classifier of 1000 classes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from dlcli.artifact import open_artifact
from dlcli.events import Event, NullReporter
from dlcli.models.imagenet import find_imagenet
from dlcli.runtime.classifier import Classifier, open_classifier
from tests.conftest import ROOT, needs_shared


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return open_classifier(open_artifact(find_imagenet(NullReporter())))


def test_it_is_put_together_once() -> None:
    class Recorder:
        def report(self, event: Event) -> None:
            events.append(event)

    events: list[Event] = []
    folder = find_imagenet(NullReporter())
    assert find_imagenet(Recorder()) == folder
    assert events == []


def test_its_1000_classes_have_names_of_their_own(classifier: Classifier) -> None:
    names = classifier.artifact.class_names
    assert len(names) == len(set(names)) == 1000
    assert all(name == name.strip() and name for name in names)
    assert (names[0], names[281], names[999]) == ("tench", "tabby", "toilet tissue")


def test_two_kinds_of_crane_and_of_maillot_are_told_apart(classifier: Classifier) -> None:
    names = classifier.artifact.class_names
    for first, second in ((134, 517), (638, 639)):
        assert names[first] != names[second]


def test_names_are_in_the_order_of_the_weights(classifier: Classifier) -> None:
    listing = needs_shared("data", "imagenet_classes.csv")
    with listing.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["class_index"]) for row in rows] == list(range(1000))
    differing = [
        (name, row["name"])
        for name, row in zip(classifier.artifact.class_names, rows, strict=True)
        if name.split(" (")[0] != row["name"].replace("_", " ").split(" (")[0]
    ]
    assert differing == []


def test_it_says_what_it_is_made_of(classifier: Classifier) -> None:
    model = classifier.artifact.model
    assert (model.backbone, model.weights) == ("efficientnet-lite0", "imagenet")
    assert model.parameters == 3_413_024 + 1_281_000
    assert model.trainable_parameters == 0
    assert classifier.typicality is None


def test_the_cat_is_a_cat(classifier: Classifier) -> None:
    answer = classifier.predict_file(str(ROOT / "sample_data" / "cat.jpg"))
    assert answer.probabilities is not None
    label = classifier.artifact.class_names[int(answer.probabilities.argmax())]
    assert label in ("Egyptian cat", "tabby", "tiger cat")
    assert answer.unknown is False


def test_it_is_right_on_most_of_100_pictures(classifier: Classifier) -> None:
    folder = needs_shared("data", "imagenet_100")
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    paths = [folder / row["file"] for row in rows]
    assert len(rows) >= 100
    assert all(Path(path).is_file() for path in paths)
    found = np.stack(
        [
            answer.probabilities
            for answer in classifier.predict_files(paths)
            if answer.probabilities is not None
        ]
    )
    labels = np.array([int(row["class_index"]) for row in rows])
    top_5 = np.argsort(-found, axis=1)[:, :5]
    assert (top_5[:, 0] == labels).mean() >= 0.85
    assert (top_5 == labels[:, None]).any(axis=1).mean() >= 0.95
