"""dlcli evaluate: which pictures are meant."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dlcli.commands.evaluate import EvaluateOptions, run
from dlcli.errors import DataError, UsageError
from dlcli.events import NullReporter


def evaluate(target: Path | None, trained: Path, split: str | None = None) -> tuple[str, int]:
    """The source of the report and the number of pictures."""
    options = EvaluateOptions(target, trained.parent, str(trained), split)
    result = run(options, NullReporter())
    return result.source, result.report.num_images


@pytest.fixture
def split_folder(animals: Path, tmp_path: Path) -> Path:
    """A folder with train/ and test/ of two classes."""
    for split, numbers in (("train", slice(0, 4)), ("test", slice(4, 7))):
        for name in ("cat", "lion"):
            target = tmp_path / "field" / split / name
            target.mkdir(parents=True)
            for path in sorted((animals / name).iterdir())[numbers]:
                shutil.copy(path, target)
    return tmp_path / "field"


def test_the_run_s_own_test_pictures(trained_run: Path) -> None:
    description = json.loads((trained_run / "run.json").read_text())
    source, num_images = evaluate(None, trained_run)
    assert source == f"test of {description['data']['folder']}"
    assert num_images == description["data"]["num_images"]["test"]


def test_the_run_s_val_pictures(trained_run: Path) -> None:
    assert evaluate(None, trained_run, "val")[0].startswith("val of ")


def test_the_test_part_of_a_split_folder(split_folder: Path, trained_run: Path) -> None:
    assert evaluate(split_folder, trained_run) == (f"test of {split_folder}", 6)


def test_a_part_that_is_not_there(split_folder: Path, trained_run: Path) -> None:
    with pytest.raises(UsageError, match="no val part"):
        evaluate(split_folder, trained_run, "val")


def test_a_split_of_a_folder_without_any(animals: Path, trained_run: Path) -> None:
    with pytest.raises(UsageError, match="not split"):
        evaluate(animals, trained_run, "test")


def test_an_artefact_has_no_pictures_of_its_own(trained_run: Path, tmp_path: Path) -> None:
    alone = shutil.copytree(trained_run / "model", tmp_path / "alone")
    with pytest.raises(UsageError, match="dlcli evaluate FOLDER"):
        evaluate(None, alone)


def test_only_unreadable_pictures(tmp_path: Path, trained_run: Path) -> None:
    (tmp_path / "field" / "cat").mkdir(parents=True)
    (tmp_path / "field" / "cat" / "a.jpg").write_text("text")
    with pytest.raises(DataError, match="none of the pictures can be used"):
        evaluate(tmp_path / "field", trained_run)
