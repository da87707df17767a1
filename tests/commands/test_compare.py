"""dlcli compare: the same pictures for every run, and what differs."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from dlcli.commands.compare import CompareOptions, CompareResult, flattened, run
from dlcli.errors import DataError, UsageError
from dlcli.events import NullReporter
from dlcli.metrics.paired import ClassChange
from tests.commands.test_evaluate import Heard, with_labels_swapped


def rewrite_split(trained: Path, changes: dict[int, dict[str, str]]) -> None:
    """Changes columns of some test pictures, by their number, in a copy's split.csv."""
    with open(trained / "split.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    tests = [row for row in rows if row["split"] == "test"]
    for number, change in changes.items():
        tests[number].update(change)
    with open(trained / "split.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def other(trained_run: Path, tmp_path: Path) -> Path:
    """Another run on the same split, which takes cats for lions and lions for cats."""
    copy = shutil.copytree(trained_run, tmp_path / "other")
    shutil.rmtree(copy / "model")
    with_labels_swapped(trained_run, copy / "model", "cat", "lion")
    spec = (copy / "spec.yaml").read_text()
    assert "effort: balanced" in spec
    (copy / "spec.yaml").write_text(spec.replace("effort: balanced", "effort: quick"))
    return copy


def compare(
    *runs: Path, target: Path | None = None, reporter: Heard | NullReporter | None = None
) -> CompareResult:
    options = CompareOptions(tuple(map(str, runs)), runs[0].parent, target)
    return run(options, reporter or NullReporter())


def test_runs_on_the_same_split_are_compared_on_all_of_it(trained_run: Path, other: Path) -> None:
    description = json.loads((trained_run / "run.json").read_text())
    heard = Heard()
    result = compare(trained_run, other, reporter=heard)
    assert result.num_images == description["data"]["num_images"]["test"]
    assert result.source == f"test of {description['data']['folder']}"
    assert [one.run for one in result.runs] == [str(trained_run), str(other)]
    stored = json.loads((trained_run / "metrics.json").read_text())["test"]
    assert [*map(list, result.runs[0].report.confusion_matrix)] == stored["confusion_matrix"]
    (found,) = result.comparisons
    assert (found.run, found.baseline) == (str(other), str(trained_run))
    assert found.accuracy == result.runs[1].report.accuracy
    assert found.difference == pytest.approx(found.accuracy - found.baseline_accuracy)
    assert found.only_baseline_right > 5
    assert found.p_value < 0.05
    lost = {one.name for one in found.classes if one.lost}
    assert lost == {"cat", "lion"}
    assert heard.lines == [str(trained_run), str(other)]


def test_what_their_specs_do_not_have_in_common(trained_run: Path, other: Path) -> None:
    settings = compare(trained_run, other).settings
    assert settings is not None
    assert [(one.key, one.values) for one in settings] == [("train.effort", ("balanced", "quick"))]


def test_a_key_that_one_spec_does_not_have(trained_run: Path, other: Path) -> None:
    with open(other / "spec.yaml", "a") as file:
        file.write("more:\n  key: [1, 2]\n")
    settings = compare(trained_run, other).settings
    assert settings is not None
    assert settings[-1].key == "more.key"
    assert settings[-1].values == (None, [1, 2])


def test_keys_are_dotted_and_lists_are_values() -> None:
    spec = {"data": {"size": [1, 2], "split": {"val": 0.1}}, "augment": "none", "empty": {}}
    assert flattened(spec) == {
        "data.size": [1, 2],
        "data.split.val": 0.1,
        "augment": "none",
        "empty": {},
    }


def test_each_is_compared_with_the_first_and_the_p_values_are_corrected(
    trained_run: Path, other: Path, tmp_path: Path
) -> None:
    third = shutil.copytree(trained_run, tmp_path / "third")
    result = compare(trained_run, other, third)
    assert [one.baseline for one in result.comparisons] == [str(trained_run)] * 2
    assert [one.run for one in result.comparisons] == [str(other), str(third)]
    worse, same = result.comparisons
    assert worse.p_value_adjusted == pytest.approx(2 * worse.p_value)
    assert same.p_value == same.p_value_adjusted == 1
    assert all((one.gained, one.lost) == (0, 0) for one in same.classes)
    assert result.settings is not None
    assert result.settings[0].values == ("balanced", "quick", "balanced")


def test_only_pictures_that_every_run_has_tested_count(trained_run: Path, other: Path) -> None:
    total = compare(trained_run, other).num_images
    rewrite_split(other, {0: {"split": "train"}, 1: {"sha256": "0" * 64}, 2: {"label": "tiger"}})
    heard = Heard()
    for first, second in ((trained_run, other), (other, trained_run)):
        assert compare(first, second, reporter=heard).num_images == total - 3
    assert f"pictures that have another label in {other}, and are left out: 1" in heard.lines
    assert any(f"{total - 3} of the {total} test pictures" in line for line in heard.lines)


def test_runs_that_share_no_test_picture(trained_run: Path, other: Path) -> None:
    rewrite_split(other, {number: {"split": "train"} for number in range(22)})
    rewrite_split(other, {0: {"sha256": "0" * 64}})
    with pytest.raises(UsageError, match="no test picture in common") as error:
        compare(trained_run, other)
    assert "--on" in error.value.fix
    assert f"--split-from {trained_run}" in error.value.fix


def test_other_pictures_may_be_named(
    trained_run: Path, other: Path, animals: Path, tmp_path: Path
) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "field" / name).mkdir(parents=True)
        for path in sorted((animals / name).iterdir())[:4]:
            shutil.copy(path, tmp_path / "field" / name)
    (tmp_path / "field" / "cat" / "broken.jpg").write_text("text")
    heard = Heard()
    result = compare(trained_run, other, target=tmp_path / "field", reporter=heard)
    assert (result.source, result.num_images) == (str(tmp_path / "field"), 8)
    assert [one.path for one in result.skipped] == ["cat/broken.jpg"]
    assert result.comparisons[0].classes == (
        ClassChange("cat", 4, 0, 4),
        ClassChange("dog", 4, 0, 0),
    )
    told = [line for line in heard.lines if "were trained on by" in line]
    assert [line.rpartition(" by ")[2] for line in told] == [
        f"{trained_run}: its numbers flatter",
        f"{other}: its numbers flatter",
    ]


def test_a_model_alone_needs_pictures_and_has_no_spec(
    trained_run: Path, animals: Path, tmp_path: Path
) -> None:
    alone = shutil.copytree(trained_run / "model", tmp_path / "alone")
    with pytest.raises(UsageError, match="no pictures of its own"):
        compare(trained_run, alone)
    heard = Heard()
    shutil.copytree(animals / "dog", tmp_path / "field" / "dog")
    result = compare(trained_run, alone, target=tmp_path / "field", reporter=heard)
    assert result.settings is None
    assert f"{alone} has no spec: settings are not compared" in heard.lines
    assert result.comparisons[0].difference == 0


def test_a_run_that_does_not_know_a_class_is_named(
    trained_run: Path, animals: Path, tmp_path: Path
) -> None:
    stranger = with_labels_swapped(trained_run, tmp_path / "stranger", "dog", "wolf")
    shutil.copytree(animals / "dog", tmp_path / "field" / "dog")
    with pytest.raises(DataError, match=f"{stranger} does not know dog"):
        compare(trained_run, stranger, target=tmp_path / "field")


def test_val_is_used_where_a_run_has_no_test_part(trained_run: Path, other: Path) -> None:
    rewrite_split(other, {number: {"split": "train"} for number in range(23)})
    heard = Heard()
    result = compare(trained_run, other, reporter=heard)
    assert result.source.startswith("val of ")
    assert any("not every run has a test part" in line for line in heard.lines)


def test_a_run_is_not_compared_with_itself(trained_run: Path) -> None:
    with pytest.raises(UsageError, match="named twice"):
        compare(trained_run, trained_run / ".." / trained_run.name)
    with pytest.raises(UsageError, match="one run alone"):
        compare(trained_run)
