"""Facts of a report, made by hand and in any number."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dlcli.artifact import ModelFacts
from dlcli.commands.page_facts import (
    Census,
    ClassCounts,
    Epoch,
    PageFacts,
    PairExamples,
    WrongAnswer,
)
from dlcli.commands.report_page import Answers, MadeOf
from dlcli.data.index import SkippedFile
from dlcli.data.pixels import PixelFormat
from dlcli.metrics.reliability import reliability_bins
from dlcli.metrics.report import make_report

NAMES = ("cat", "dog", "lion")
LABELS = np.array([0] * 40 + [1] * 40 + [2] * 20)


def answers_of(labels: NDArray[np.int64], num_classes: int, seed: int = 0) -> NDArray[np.float32]:
    """Probabilities (N, K) that are right on most of `labels`, and differ from row to row."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(labels), num_classes))
    logits[np.arange(len(labels)), labels] += 3
    shares = np.exp(logits)
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


def jpeg(seed: int = 0) -> bytes:
    """A picture of noise: the largest that a thumbnail can be."""
    noise = np.random.default_rng(seed).integers(0, 256, (160, 160, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(noise).save(content, "JPEG", quality=70)
    return content.getvalue()


EPOCHS = (
    Epoch("head", None, None, 0.5, 0.8, kept=False),
    Epoch("last 2 blocks", 0.9, 0.7, 0.45, 0.85, kept=False),
    Epoch("last 2 blocks", 0.6, 0.9, 0.3, 0.93, kept=True),
    Epoch("last 2 blocks", 0.4, 0.95, 0.35, 0.92, kept=False),
)
_PROBABILITIES = answers_of(LABELS, 3)
_REPORT = make_report(_PROBABILITIES, LABELS, NAMES, 2.0)
_WRONG = WrongAnswer("cat/a.jpg", "cat", "dog", 0.97, 0.02, jpeg())
FACTS = PageFacts(
    run="animals-1",
    source="test of animals",
    part="test",
    report=_REPORT,
    bins=reliability_bins(_PROBABILITIES, LABELS),
    mistakes=(_WRONG, WrongAnswer("lion/b.jpg", "lion", "dog", 0.9, 0.1, None)),
    confused=(PairExamples(_REPORT.most_confused[0], (_WRONG,)),),
    seen_as="Pictures are shown as the model sees them.",
    skipped=(SkippedFile("cat/broken.jpg", "truncated after 4,000 bytes"),),
    census=Census(
        ("train", "val", "test"),
        (
            ClassCounts("cat", (180, 40, 40)),
            ClassCounts("dog", (181, 40, 40)),
            ClassCounts("lion", (90, 20, 20)),
        ),
        num_copies=3,
        num_related=8,
        num_groups=3,
    ),
    epochs=EPOCHS,
    spec="data:\n  folder: animals\n",
    environment={"device": "CPU, 2 threads", "seed": "0"},
)


def huge(num_classes: int = 1000, num_mistakes: int = 5000) -> tuple[Answers, MadeOf]:
    """Answers of which that many are wrong, spread over the classes, with long names, and what they
    were made of: 10 pictures a class."""
    names = tuple(f"{number:04} {'a very long name ' * 14}" for number in range(num_classes))
    labels = np.arange(2 * num_mistakes) % num_classes
    predicted = labels.copy()
    by = 1 + 2 * np.arange(num_mistakes) // num_mistakes
    predicted[::2] = (labels[::2] + by) % num_classes
    probabilities = np.full((len(labels), num_classes), 0.1 / num_classes, np.float32)
    confidence = np.random.default_rng(0).uniform(0.5, 0.9, len(labels))
    probabilities[np.arange(len(labels)), predicted] = confidence
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    answers = Answers(
        "test of " + "x" * 5000,
        "test",
        [f"{'deep/' * 100}{number}.jpg" for number in range(len(labels))],
        probabilities,
        labels,
        make_report(probabilities, labels, names),
        lambda number: np.roll(noise, number, axis=0),
        tuple(SkippedFile("long/" * 800 + str(n), "because " * 100) for n in range(20_000)),
    )
    rows = ((str(n), names[n % num_classes], "train", str(n // 2), str(n)) for n in range(10_000))
    facts = ModelFacts("efficientnet-lite0", "imagenet", 1, 1)
    return answers, MadeOf(facts, PixelFormat(), rows)
