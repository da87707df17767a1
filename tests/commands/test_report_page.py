"""What is gathered for the page of a report, and where it goes."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlcli.artifact import ModelFacts
from dlcli.commands.page_facts import MOST_EXAMPLES
from dlcli.commands.report_page import (
    Answers,
    MadeOf,
    gather_facts,
    place_of,
    see_again,
    write_page,
)
from dlcli.data.pixels import PixelFormat
from dlcli.errors import DataError
from dlcli.metrics.report import make_report
from tests.conftest import is_root, write_image
from tests.ui.reports import FACTS

NAMES = ("cat", "dog", "lion")
MADE_OF = MadeOf(ModelFacts("efficientnet-lite0", "imagenet", 30, 5), PixelFormat((64, 32), "pad"))
HISTORY = """\
epoch,stage,loss,accuracy,val_loss,val_accuracy,learning_rate,kept
1,head,,,0.5,0.8,,False
1,all layers,0.9,0.7,0.4,0.9,0.001,True
"""


def answers(part: str | None = "test") -> Answers:
    """Two cats and a lion taken for dogs, one of them more surely than the other, and a dog."""
    labels = np.array([0, 0, 1, 2, 0])
    wrong = [[0.3, 0.6, 0.1], [0.1, 0.9, 0.0], [0.0, 1.0, 0.0], [0.1, 0.7, 0.2], [0.8, 0.1, 0.1]]
    probabilities = np.array(wrong, np.float32)
    pixels = np.zeros((8, 8, 3), np.uint8)
    return Answers(
        "test of animals",
        part,
        [f"{row}.jpg" for row in range(5)],
        probabilities,
        labels,
        make_report(probabilities, labels, NAMES),
        lambda row: None if row == 3 else pixels,
    )


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    about = {
        "status": "completed",
        "command": ["dlcli", "train", "my animals"],
        "versions": {"dlcli": "0.1.0", "numpy": "2.0"},
        "device": {"kind": "gpu", "threads": 4, "name": "NVIDIA L4", "capability": "8.9"},
        "seed": 3,
        "data": {"folder": "/x/my animals", "fingerprint": "abc", "num_images": {"test": 5}},
        "seconds": {"total": 12.34},
    }
    folder = tmp_path / "animals-1"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(about))
    (folder / "history.csv").write_text(HISTORY)
    (folder / "spec.yaml").write_text("data: {}\n")
    return folder


def test_mistakes_the_surest_first(tmp_path: Path) -> None:
    facts = gather_facts("x", tmp_path, answers(), MADE_OF)
    assert [(one.path, one.true, one.predicted) for one in facts.mistakes] == [
        ("1.jpg", "cat", "dog"),
        ("3.jpg", "lion", "dog"),
        ("0.jpg", "cat", "dog"),
    ]
    first, second, _ = facts.mistakes
    assert (first.probability, first.true_probability) == pytest.approx((0.9, 0.1))
    assert (first.thumbnail or b"").startswith(b"\xff\xd8")
    assert second.thumbnail is None


def test_pairs_with_their_own_pictures(tmp_path: Path) -> None:
    facts = gather_facts("x", tmp_path, answers(), MADE_OF)
    assert [
        (one.pair.true, one.pair.count, [own.path for own in one.pictures])
        for one in facts.confused
    ] == [("cat", 2, ["1.jpg", "0.jpg"]), ("lion", 1, ["3.jpg"])]
    assert MOST_EXAMPLES >= 2


def test_all_that_a_run_tells(run_folder: Path) -> None:
    facts = gather_facts("animals-1", run_folder, answers(), MADE_OF)
    assert [(row.stage, row.loss, row.val_accuracy, row.kept) for row in facts.epochs] == [
        ("head", None, 0.8, False),
        ("all layers", 0.9, 0.9, True),
    ]
    assert facts.spec == "data: {}\n"
    assert facts.environment == {
        "model": "efficientnet-lite0, from imagenet; 30 parameters, 5 of them trained last",
        "body": "float32, features: average",
        "pictures": "32 × 64 pixels, pad, rgb",
        "command": "dlcli train 'my animals'",
        "folder": "/x/my animals",
        "fingerprint": "abc",
        "seed": "3",
        "time": "12.3 s",
        "device": "GPU, NVIDIA L4",
        "versions": "dlcli 0.1.0, numpy 2.0",
    }
    assert "whole picture on grey, in 32 × 64 pixels" in facts.seen_as


def test_an_artefact_that_stands_alone_tells_less(tmp_path: Path) -> None:
    facts = gather_facts("x", tmp_path, answers(), MADE_OF)
    assert (facts.census, facts.epochs, facts.spec) == (None, (), None)
    assert list(facts.environment) == ["model", "body", "pictures"]


def test_a_run_without_a_history(run_folder: Path) -> None:
    (run_folder / "history.csv").unlink()
    (run_folder / "spec.yaml").unlink()
    facts = gather_facts("animals-1", run_folder, answers(), MADE_OF)
    assert (facts.epochs, facts.spec) == ((), None)


@pytest.mark.parametrize("text", ["epoch,stage\n1,head\n", HISTORY.replace("0.4", "much")])
def test_a_damaged_history_is_named(text: str, run_folder: Path) -> None:
    (run_folder / "history.csv").write_text(text)
    with pytest.raises(DataError, match=r"history\.csv: this run's history is damaged"):
        gather_facts("animals-1", run_folder, answers(), MADE_OF)


# --- pixels, and where the page goes ---


def test_a_picture_is_read_again_as_the_model_sees_it(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", size=(48, 40))
    (tmp_path / "b.png").write_text("no picture")
    see = see_again(tmp_path, ["a.png", "b.png", "c.png"], PixelFormat((16, 24)))
    pixels = see(0)
    assert pixels is not None
    assert pixels.shape == (16, 24, 3)
    assert see(1) is None
    assert see(2) is None


def test_the_page_lies_in_the_run_where_no_place_is_named(run_folder: Path, tmp_path: Path) -> None:
    assert place_of(tmp_path / "r.html", run_folder) == tmp_path / "r.html"
    assert place_of(None, run_folder) == run_folder / "evaluation.html"


def test_or_among_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    place = place_of(None, tmp_path)
    assert place.parent.parent == tmp_path / "tmp"
    assert place.parent.is_dir()


@pytest.mark.skipif(os.name == "nt" or is_root(), reason="permissions mean nothing here")
def test_a_run_that_may_not_be_written(run_folder: Path) -> None:
    run_folder.chmod(0o555)
    try:
        assert place_of(None, run_folder).parent != run_folder
    finally:
        run_folder.chmod(0o755)


def test_a_page_is_written_whole(tmp_path: Path, own_cache: Path) -> None:
    write_page(replace(FACTS, run="grüße"), tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<h1>grüße</h1>" in text
    assert text.endswith("</html>")
    assert [path.name for path in tmp_path.iterdir() if path != own_cache] == ["r.html"]
