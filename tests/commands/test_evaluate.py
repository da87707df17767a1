"""dlcli evaluate: which pictures are meant."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from dlcli.commands.evaluate import EvaluateOptions, run
from dlcli.errors import DataError, UsageError
from dlcli.events import Event, NullReporter, Said, Warned
from tests.conftest import Command


class Heard:
    """What is said and warned of."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def report(self, event: Event) -> None:
        if isinstance(event, Said | Warned):
            self.lines.append(event.text)


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


# --- manifests, and classes that are missing or foreign ---


@pytest.fixture
def manifest(animals: Path, tmp_path: Path) -> Path:
    """Two pictures of each of two of the five classes, one named in full, and one that is gone."""
    pictures = [path for name in ("lion", "cat") for path in sorted((animals / name).iterdir())[:2]]
    (tmp_path / "field").mkdir()
    rows = ["seen_by,label,path"]
    for number, path in enumerate(pictures):
        shutil.copy(path, tmp_path / "field" / f"{number}.jpg")
        named = f"../field/{number}.jpg" if number else tmp_path / "field" / "0.jpg"
        rows.append(f"me,{path.parent.name},{named}")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "field.csv").write_text("\n".join([*rows, "me,dog,gone.jpg", ""]))
    return tmp_path / "lists" / "field.csv"


def test_a_manifest_is_scored_like_a_folder_of_the_same_pictures(
    manifest: Path, trained_run: Path, tmp_path: Path
) -> None:
    for number in range(4):
        target = tmp_path / "folder" / ("lion" if number < 2 else "cat")
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / "field" / f"{number}.jpg", target)
    heard = Heard()
    options = EvaluateOptions(manifest, trained_run.parent, str(trained_run))
    by_manifest = run(options, heard)
    by_folder = run(replace(options, target=tmp_path / "folder"), NullReporter())
    assert by_manifest.source == str(manifest)
    assert (by_manifest.report.num_images, by_folder.report.num_images) == (4, 4)
    assert by_manifest.report.accuracy == by_folder.report.accuracy
    assert by_manifest.report.log_loss == pytest.approx(by_folder.report.log_loss)
    assert [(one.path, one.reason) for one in by_manifest.skipped] == [
        ("gone.jpg", "no such file (line 6 of field.csv)")
    ]
    assert "columns not used: seen_by" in heard.lines


def test_classes_without_pictures_keep_their_place(manifest: Path, trained_run: Path) -> None:
    result = run(EvaluateOptions(manifest, trained_run.parent, str(trained_run)), NullReporter())
    support = {one.name: one.support for one in result.report.classes}
    assert support == {"cat": 2, "dog": 0, "elephant": 0, "lion": 2, "tiger": 0}
    assert result.report.accuracy == 1


def test_what_is_for_training_alone_is_not_offered(
    animals: Path, trained_run: Path, tmp_path: Path
) -> None:
    rows = [f"{path},cat,train" for path in sorted((animals / "cat").iterdir())[:3]]
    (tmp_path / "parts.csv").write_text("\n".join(["path,label,split", *rows, ""]))
    with pytest.raises(UsageError, match="no val part here") as error:
        evaluate(tmp_path / "parts.csv", trained_run)
    assert error.value.fix is not None
    assert error.value.fix.startswith("All of it is for training")


def test_the_parts_of_a_manifest(animals: Path, trained_run: Path, tmp_path: Path) -> None:
    cats, lions = (sorted((animals / name).iterdir())[:3] for name in ("cat", "lion"))
    rows = [
        f"{path},{path.parent.name},{split}"
        for path, split in zip([*cats, *lions], ["train", "valid", "Testing"] * 2, strict=True)
    ]
    (tmp_path / "parts.csv").write_text("\n".join(["path,label,split", *rows, ""]))
    source = str(tmp_path / "parts.csv")
    assert evaluate(tmp_path / "parts.csv", trained_run) == (f"test of {source}", 2)
    assert evaluate(tmp_path / "parts.csv", trained_run, "val") == (f"val of {source}", 2)


@pytest.mark.parametrize("is_manifest", [False, True])
def test_a_class_that_the_run_does_not_know_is_refused_by_name(
    animals: Path, trained_run: Path, tmp_path: Path, is_manifest: bool
) -> None:
    target = shutil.copytree(animals / "tiger", tmp_path / "field" / "tigger").parent
    if is_manifest:
        rows = [f"{path},tigger" for path in sorted((target / "tigger").iterdir())]
        target = tmp_path / "field.csv"
        target.write_text("\n".join(["path,label", *rows]))
    with pytest.raises(DataError) as caught:
        evaluate(target, trained_run)
    assert str(caught.value) == (
        f"{target}: the run does not know tigger. Did you mean tiger? "
        "Its classes are cat, dog, elephant, lion, tiger."
    )


def test_a_faulty_manifest_is_refused_with_its_lines(tmp_path: Path, trained_run: Path) -> None:
    (tmp_path / "field.csv").write_text("path,label\na.jpg,\n")
    with pytest.raises(DataError, match=r"^field\.csv:2 the label is empty\n1 fault\.$"):
        evaluate(tmp_path / "field.csv", trained_run)


def test_a_run_trained_from_a_manifest_finds_its_own_pictures(
    animals: Path, tmp_path: Path, dlcli: Command
) -> None:
    paths = [path for name in ("cat", "lion") for path in sorted((animals / name).iterdir())]
    (tmp_path / "pics").mkdir()
    rows = []
    for number, path in enumerate(paths):
        shutil.copy(path, tmp_path / "pics" / f"{number}.jpg")
        rows.append(
            f"{'pics' if number % 2 else tmp_path / 'pics'}/{number}.jpg,{path.parent.name}"
        )
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *rows]))
    runs = tmp_path / "runs"
    done = dlcli("train", tmp_path / "labels.csv", "--runs-dir", runs, "--json")
    assert done.returncode == 0, done.stderr
    num_images = json.loads(done.stdout)["num_images"]["test"]
    assert num_images > 0
    assert evaluate(None, runs / "labels-1") == (f"test of {tmp_path}", num_images)
