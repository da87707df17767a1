"""Run folders: made, named and found."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from dlcli.errors import DataError, UsageError
from dlcli.runs.run import (
    RUNNING,
    Run,
    create_run,
    default_runs_folder,
    find_run,
    latest_run,
    model_folder,
)


@pytest.fixture(autouse=True)
def no_named_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DLCLI_RUN", raising=False)
    monkeypatch.delenv("DLCLI_RUNS", raising=False)
    monkeypatch.chdir(tmp_path)


def finish(run: Run, **facts: object) -> Path:
    """A model in the run, as far as finding runs is concerned."""
    run.model_folder.mkdir()
    (run.model_folder / "model.json").write_text("{}")
    run.update(**{"status": "completed", **facts})
    return run.folder


def test_the_first_run_is_number_1_and_says_that_it_runs(tmp_path: Path) -> None:
    run = create_run(tmp_path / "new" / "runs", "animals", None, {"seed": 3})
    assert run.folder == tmp_path / "new" / "runs" / "animals-1"
    facts = json.loads((run.folder / "run.json").read_text())
    assert (facts["status"], facts["seed"]) == (RUNNING, 3)
    assert datetime.fromisoformat(facts["started"]).tzinfo is not None


def test_runs_of_a_folder_are_numbered_past_the_highest(tmp_path: Path) -> None:
    for name in ("animals-2", "animals-9", "animals-10", "animals-x", "birds-70", "animals"):
        (tmp_path / name).mkdir()
    assert create_run(tmp_path, "animals", None, {}).folder.name == "animals-11"
    assert create_run(tmp_path, "fish", None, {}).folder.name == "fish-1"


def test_a_stem_is_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "axb-5").mkdir()
    assert create_run(tmp_path, "a.b", None, {}).folder.name == "a.b-1"


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("日本", "日本-1"),
        ("my photos", "my photos-1"),
        ("", "run-1"),
        ("..", "run-1"),
        (".hidden", "hidden-1"),
        ("a/b", "a_b-1"),
        ("a\nb", "a_b-1"),
        ("animals-3", "animals-3-1"),
    ],
)
def test_any_folder_name_gives_a_run(tmp_path: Path, stem: str, name: str) -> None:
    assert create_run(tmp_path, stem, None, {}).folder == tmp_path / name


def test_a_folder_name_of_the_greatest_length_gives_a_run(tmp_path: Path) -> None:
    assert create_run(tmp_path, "x" * 255, None, {}).folder.is_dir()


def test_a_named_run_has_its_name(tmp_path: Path) -> None:
    assert create_run(tmp_path, "animals", "first try", {}).folder == tmp_path / "first try"


def test_a_name_that_is_taken_is_refused_and_the_run_left_alone(tmp_path: Path) -> None:
    create_run(tmp_path, "animals", "best", {"seed": 1})
    with pytest.raises(UsageError, match=r"best: there is a run of that name already\. Choose"):
        create_run(tmp_path, "animals", "best", {"seed": 2})
    assert Run(tmp_path / "best").describe()["seed"] == 1


@pytest.mark.parametrize("name", [".", "..", ".hidden", "a/b", "/abs", "a\\b", "a\nb", "a\x00b"])
def test_a_name_that_is_no_folder_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"--name: .* cannot be a run's name"):
        create_run(tmp_path / "runs", "animals", name, {})
    assert os.listdir(tmp_path / "runs") == []


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--name"):
        create_run(tmp_path, "animals", "x" * 300, {})


def test_the_name_of_the_built_in_classifier_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="imagenet"):
        create_run(tmp_path, "animals", "imagenet", {})


def test_runs_made_at_the_same_time_get_folders_of_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda n: create_run(tmp_path, "a", None, {"n": n}), range(40)))
    assert {run.folder.name for run in runs} == {f"a-{number}" for number in range(1, 41)}
    assert [run.describe()["n"] for run in runs] == list(range(40))


def test_update_changes_facts_and_keeps_the_others(tmp_path: Path) -> None:
    run = create_run(tmp_path, "a", None, {"seed": 1})
    run.update(status="failed", extra=[1])
    facts = run.describe()
    assert (facts["status"], facts["seed"], facts["extra"]) == ("failed", 1, [1])


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"5", b"\xff\xfe", b'{"a": 1'])
def test_a_damaged_description_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(DataError, match=r"run\.json: this run's description is missing or damaged"):
        Run(tmp_path).describe()


def test_a_missing_description_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing or damaged.* train again"):
        Run(tmp_path).describe()


def test_a_model_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    run = create_run(tmp_path, "a", None, {})
    with run.new_model() as building:
        (building / "model.json").write_text("{}")
        assert not run.model_folder.exists()
    assert os.listdir(run.model_folder) == ["model.json"]
    assert sorted(os.listdir(run.folder)) == ["model", "run.json"]


def test_a_model_that_fails_leaves_nothing(tmp_path: Path) -> None:
    run = create_run(tmp_path, "a", None, {})

    def fail() -> None:
        with run.new_model() as building:
            (building / "body").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert os.listdir(run.folder) == ["run.json"]


def test_runs_lie_in_the_working_folder_or_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert default_runs_folder() == Path("runs")
    monkeypatch.setenv("DLCLI_RUNS", "/data/runs")
    assert default_runs_folder() == Path("/data/runs")
    monkeypatch.setenv("DLCLI_RUNS", "")
    assert default_runs_folder() == Path("runs")


def test_a_run_is_found_by_its_path_and_by_its_name(tmp_path: Path) -> None:
    folder = finish(create_run(tmp_path / "runs", "a", None, {}))
    assert find_run(str(folder), tmp_path / "elsewhere") == folder
    assert find_run("runs/a-1", tmp_path / "elsewhere") == Path("runs/a-1")
    assert find_run("a-1", tmp_path / "runs") == folder


def test_an_artefact_folder_is_found_by_its_path(tmp_path: Path) -> None:
    folder = finish(create_run(tmp_path / "runs", "a", None, {}))
    copied = (folder / "model").rename(tmp_path / "copied")
    assert find_run(str(copied), tmp_path / "runs") == copied
    assert model_folder(copied) == copied


def test_a_run_is_found_by_its_name_beside_another_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "animals" / "cat").mkdir(parents=True)
    folder = finish(create_run(tmp_path / "runs", "x", "animals", {}))
    assert find_run("animals", tmp_path / "runs") == folder


def test_the_environment_names_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = tmp_path / "runs"
    first = finish(create_run(runs, "a", None, {}))
    second = finish(create_run(runs, "a", None, {}))
    monkeypatch.setenv("DLCLI_RUN", "a-1")
    assert find_run(None, runs) == first
    assert find_run("a-2", runs) == second
    monkeypatch.setenv("DLCLI_RUN", "")
    assert find_run(None, runs) == second


def test_the_latest_finished_run_is_the_one_started_last(tmp_path: Path) -> None:
    started = {"b": "2026-03-01T10:00:00", "c": "2026-03-02T10:00:00", "a": "2026-02-28T23:00:00"}
    for name, moment in started.items():
        finish(create_run(tmp_path, "x", name, {}), started=moment)
    create_run(tmp_path, "x", "unfinished", {"started": "2027-01-01T00:00:00"})
    assert latest_run(tmp_path).folder.name == "c"
    assert find_run(None, tmp_path) == tmp_path / "c"


def test_a_damaged_run_is_not_the_latest(tmp_path: Path) -> None:
    finish(create_run(tmp_path, "x", "good", {}))
    bad = finish(create_run(tmp_path, "x", "bad", {}))
    (bad / "run.json").write_text("{")
    assert latest_run(tmp_path).folder.name == "good"


@pytest.mark.parametrize("runs", ["none", "empty", "unfinished"])
def test_without_a_run_the_sentence_says_how_to_get_one(tmp_path: Path, runs: str) -> None:
    if runs != "none":
        (tmp_path / runs).mkdir()
    if runs == "unfinished":
        create_run(tmp_path / runs, "a", None, {})
    with pytest.raises(UsageError, match="no finished run") as caught:
        find_run(None, tmp_path / runs)
    assert "`dlcli train FOLDER`" in str(caught.value)
    assert "`--run imagenet`" in str(caught.value)


def test_an_unknown_run_is_answered_with_those_there_are(tmp_path: Path) -> None:
    for number in range(7):
        finish(create_run(tmp_path, "x", f"r{number}", {}))
    with pytest.raises(UsageError, match=r"^nope: there is no such run\.") as caught:
        find_run("nope", tmp_path)
    assert "there are: r0, r1, r2, r3, r4, ..." in str(caught.value)
    assert "`--run imagenet`" in str(caught.value)


def test_an_unfinished_run_that_is_named_is_a_data_error(tmp_path: Path) -> None:
    folder = create_run(tmp_path, "a", None, {}).folder
    with pytest.raises(DataError, match="a-1: there is no finished model in this folder"):
        find_run("a-1", tmp_path)
    with pytest.raises(DataError, match="no finished model"):
        find_run(str(folder), tmp_path)
