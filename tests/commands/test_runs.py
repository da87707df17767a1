"""What `dlcli runs` lists and deletes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlcli.commands.runs import DAMAGED, KILLED, RunFacts, find_deletable, run
from dlcli.errors import UsageError
from dlcli.runs.run import Run, create_run
from tests.conftest import Command


def make_run(runs_folder: Path, name: str, **facts: object) -> Path:
    return create_run(runs_folder, name, name, {"status": "completed", **facts}).folder


def listed(runs_folder: Path) -> dict[str, RunFacts]:
    return {one.name: one for one in run(runs_folder).runs}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """A run that this process is at work on."""
    made = create_run(tmp_path, "busy", "busy", {})
    with made.at_work():
        yield made.folder


def test_no_folder_holds_no_runs(tmp_path: Path) -> None:
    assert run(tmp_path / "none").runs == ()


def test_the_numbers_of_a_finished_run(trained_run: Path) -> None:
    facts = listed(trained_run.parent)[trained_run.name]
    report = json.loads((trained_run / "metrics.json").read_text())["test"]
    assert (facts.status, facts.backbone, facts.has_model) == (
        "completed",
        "efficientnet-lite0",
        True,
    )
    assert facts.num_classes == 5
    counted = json.loads((trained_run / "run.json").read_text())["data"]["num_images"]
    assert facts.num_images == sum(counted[split] for split in ("train", "val", "test"))
    assert facts.test_accuracy == report["accuracy"]
    assert list(facts.test_accuracy_interval or ()) == report["accuracy_interval"]
    assert facts.val_accuracy is not None
    assert facts.seconds is not None
    assert facts.seconds > 0
    assert facts.size_bytes > 10_000_000


def test_the_latest_comes_first(tmp_path: Path) -> None:
    for name, started in (("a", "2026-01-02"), ("b", "2026-01-03"), ("c", "2026-01-01")):
        make_run(tmp_path, name, started=started)
    assert [one.name for one in run(tmp_path).runs] == ["b", "a", "c"]


def test_every_state_is_listed(tmp_path: Path, running: Path) -> None:
    make_run(tmp_path, "stopped", status="interrupted")
    make_run(tmp_path, "broken", status="failed")
    create_run(tmp_path, "dead", "dead", {})
    (make_run(tmp_path, "torn") / "run.json").write_text("{")
    for number, text in enumerate(('{"data": 3, "seconds": []}', "[]", '{"data": {"classes": 7}}')):
        (make_run(tmp_path, f"odd{number}") / "run.json").write_text(text)
        (tmp_path / f"odd{number}" / "metrics.json").write_text('{"val": 1, "test": null}')
    (tmp_path / "photos").mkdir()
    states = {name: facts.status for name, facts in listed(tmp_path).items()}
    assert states.pop("odd0") == states.pop("odd2") == DAMAGED
    assert states == {
        running.name: "running",
        "stopped": "interrupted",
        "broken": "failed",
        "dead": KILLED,
        "torn": DAMAGED,
        "odd1": DAMAGED,
    }


def test_a_run_that_is_done_is_no_longer_at_work(tmp_path: Path) -> None:
    made = create_run(tmp_path, "a", "a", {})
    with made.at_work():
        assert Run(made.folder).is_at_work()
    assert not Run(made.folder).is_at_work()
    assert {path.name for path in made.folder.iterdir()} == {"run.json"}


def test_a_run_that_failed_is_no_longer_at_work(tmp_path: Path) -> None:
    made = create_run(tmp_path, "a", "a", {})
    with pytest.raises(KeyboardInterrupt), made.at_work():
        raise KeyboardInterrupt
    assert not made.is_at_work()
    assert {path.name for path in made.folder.iterdir()} == {"run.json"}


def test_what_is_named_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        make_run(tmp_path, name)
    doomed = find_deletable(tmp_path, ("a", str(tmp_path / "c"), "a"))
    assert doomed == (tmp_path / "a", tmp_path / "c")
    result = run(tmp_path, doomed)
    assert result.deleted == ("a", "c")
    assert [one.name for one in result.runs] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize("name", ["photos", "nothing", "", ".", ".."])
def test_what_is_no_run_is_refused(tmp_path: Path, name: str) -> None:
    runs_folder = tmp_path / "runs"
    make_run(runs_folder, "a")
    (runs_folder / "photos").mkdir()
    with pytest.raises(UsageError, match="this is no run"):
        find_deletable(runs_folder, ("a", name))


def test_a_link_to_a_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(make_run(tmp_path, "a"), target_is_directory=True)
    with pytest.raises(UsageError, match="this is no run"):
        find_deletable(tmp_path, ("link",))


def test_a_run_at_work_is_not_deleted(tmp_path: Path, running: Path) -> None:
    with pytest.raises(UsageError, match="being trained at this moment"):
        find_deletable(tmp_path, (running.name,))


def test_a_run_with_the_users_own_files_is_not_deleted(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "a")
    (folder / ".run.json-x1").write_text("half written")
    (folder / ".model-x1").mkdir()
    (folder / "tensorboard").mkdir()
    assert find_deletable(tmp_path, ("a",)) == (folder,)
    (folder / "notes.txt").write_text("the best so far")
    with pytest.raises(UsageError, match=r"dlcli did not put there: notes\.txt"):
        find_deletable(tmp_path, ("a",))


def test_a_finished_run_is_deleted(tmp_path: Path, trained_run: Path) -> None:
    shutil.copytree(trained_run, tmp_path / "copy")
    assert run(tmp_path, find_deletable(tmp_path, ("copy",))).deleted == ("copy",)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_runs_is_a_table(trained_run: Path, dlcli: Command) -> None:
    done = dlcli("runs", "--runs-dir", trained_run.parent)
    assert (done.returncode, done.stderr) == (0, "")
    heading, *rows = done.stdout.splitlines()
    assert heading.split()[:4] == ["run", "status", "started", "network"]
    (row,) = [row for row in rows if row.split()[0] == trained_run.name]
    assert "efficientnet-lite0" in row


def test_the_document_of_runs(tmp_path: Path, dlcli: Command) -> None:
    make_run(tmp_path, "a")
    make_run(tmp_path, "b")
    named = ("--delete", "b", "--yes", "--json")
    document = json.loads(dlcli("runs", "--runs-dir", tmp_path, *named).stdout)
    assert document["schema"] == 1
    assert (document["command"], document["deleted"]) == ("runs", ["b"])
    (one,) = document["runs"]
    assert set(one) == {
        "name",
        "folder",
        "status",
        "started",
        "backbone",
        "num_classes",
        "num_images",
        "val_accuracy",
        "test_accuracy",
        "test_accuracy_interval",
        "seconds",
        "size_bytes",
        "has_model",
    }


def test_without_a_terminal_nothing_is_deleted_unasked(tmp_path: Path, dlcli: Command) -> None:
    folder = make_run(tmp_path, "a")
    done = dlcli("runs", "--runs-dir", tmp_path, "--delete", "a")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--yes" in done.stderr
    assert folder.is_dir()
