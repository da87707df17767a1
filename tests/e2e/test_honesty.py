"""What must not pass in silence: changed pictures, flattery, half-split folders, leaks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Command, write_classes, write_image


@pytest.fixture
def own_run(tmp_path: Path, dlcli: Command) -> Path:
    """A run on generated pictures that a test may change."""
    data = write_classes(tmp_path / "data", {"a": 14, "b": 14})
    done = dlcli("train", data, "--runs-dir", tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    return tmp_path / "runs" / "data-1"


def test_a_picture_replaced_since_the_training_is_named(own_run: Path, dlcli: Command) -> None:
    data = own_run.parent.parent / "data"
    rows = (own_run / "split.csv").read_text().splitlines()
    tested = [row.split(",")[0] for row in rows if ",test," in row]
    assert len(tested) >= 2
    write_image(data / tested[0], seed=999)
    done = dlcli("evaluate", "--run", own_run, "--json")
    document = json.loads(done.stdout)
    assert document["skipped"] == [{"path": tested[0], "reason": "changed since the training"}]
    assert document["report"]["num_images"] == len(tested) - 1
    assert "skipped 1" in done.stderr


def test_a_picture_replaced_under_its_old_time_is_read_again(own_run: Path, dlcli: Command) -> None:
    data, runs = own_run.parent.parent / "data", own_run.parent
    picture = data / "a" / "000.png"
    status = picture.stat()
    content = bytearray(picture.read_bytes())
    content[len(content) // 2] ^= 0xFF
    picture.write_bytes(content)
    os.utime(picture, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert picture.stat().st_size == status.st_size
    done = dlcli("train", data, "--runs-dir", runs, "--json")
    assert [file["path"] for file in json.loads(done.stdout)["skipped"]] == ["a/000.png"]


def test_evaluating_on_training_pictures_is_said(own_run: Path, dlcli: Command) -> None:
    done = dlcli("evaluate", own_run.parent.parent / "data", "--run", own_run, "--quiet")
    assert "of these 28 pictures were trained on: the numbers flatter" in done.stderr


def test_an_unlabelled_test_folder_is_no_class(tmp_path: Path, dlcli: Command) -> None:
    data = tmp_path / "data"
    write_classes(data / "train", {"cat": 6, "dog": 6})
    write_image(data / "test" / "1.png", seed=99)
    (data / "annotations").mkdir()
    done = dlcli("train", data, "--runs-dir", tmp_path / "runs", "--json")
    document = json.loads(done.stdout)
    assert document["classes"] == ["cat", "dog"]
    assert {file["path"] for file in document["skipped"]} == {"annotations/", "test/1.png"}


def test_a_class_of_trains_may_be_called_train(tmp_path: Path, dlcli: Command) -> None:
    data = write_classes(tmp_path / "data", {"car": 4, "train": 4})
    shutil.move(data / "train", data / "old")
    shutil.move(data / "old", data / "train" / "steam")
    done = dlcli("train", data, "--runs-dir", tmp_path / "runs", "--json")
    assert json.loads(done.stdout)["classes"] == ["car", "train"]


def test_a_class_without_a_readable_training_picture(tmp_path: Path, dlcli: Command) -> None:
    data = tmp_path / "data"
    write_classes(data / "train", {"a": 4, "b": 4})
    write_classes(data / "val", {"a": 2, "b": 2}, suffix=".bmp")
    for path in (data / "train" / "b").iterdir():
        path.write_text("text")
    done = dlcli("train", data, "--runs-dir", tmp_path / "runs")
    assert done.returncode == 4
    assert "no training pictures are left of: b" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_splits_that_leave_little_keep_a_picture_to_train_on(
    tmp_path: Path, dlcli: Command
) -> None:
    data = write_classes(tmp_path / "data", {"a": 4, "b": 4})
    shares = ("--set", "data.split.val=0.45", "--set", "data.split.test=0.45")
    done = dlcli("train", data, "--runs-dir", tmp_path / "runs", "--json", *shares)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["num_images"]["train"] >= 2


def test_runs_among_the_pictures_are_refused(tmp_path: Path, dlcli: Command) -> None:
    data = write_classes(tmp_path / "data", {"a": 4, "b": 4})
    done = dlcli("train", ".", cwd=data)
    assert done.returncode == 2
    assert "--runs-dir" in done.stderr
    assert not (data / "runs").exists()


def test_a_small_cache_does_not_lose_what_the_training_needs(
    tmp_path: Path, dlcli: Command
) -> None:
    data = write_classes(tmp_path / "data", {"a": 8, "b": 8})
    environment = {**os.environ, "DLCLI_CACHE_SIZE": "1MB"}
    done = dlcli("train", data, "--runs-dir", tmp_path / "runs", env=environment)
    assert done.returncode == 0, done.stderr


def test_a_damaged_cache_heals(own_run: Path, dlcli: Command, cache: Path) -> None:
    data, runs = own_run.parent.parent / "data", own_run.parent
    newest = max((cache / "pixels").iterdir(), key=lambda path: path.stat().st_mtime)
    (newest / "records.json").write_text("")
    for features in (cache / "features").glob("*/features.npy"):
        features.write_bytes(b"")
    done = dlcli("train", data, "--runs-dir", runs)
    assert done.returncode == 0, done.stderr


def test_a_listener_that_leaves_stderr_does_not_end_the_training(
    tmp_path: Path, dlcli: Command
) -> None:
    data = write_classes(tmp_path / "data", {"a": 6, "b": 6})
    train = f"{sys.executable} -m dlcli train {data} --runs-dir {tmp_path / 'runs'}"
    script = f"{train} 2> >(head -1 > {os.devnull})"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "95 % interval" in done.stdout
    assert dlcli("predict", data / "a", "--runs-dir", tmp_path / "runs").returncode == 0


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_stream_closed_before_the_start(closed: str, trained_run: Path, animals: Path) -> None:
    picture = next((animals / "cat").iterdir())
    script = (
        f"{sys.executable} -m dlcli predict {picture} --run {trained_run} --format tsv {closed}"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert ("\tcat\t" in done.stdout) == (closed != ">&-")


@pytest.mark.parametrize(
    ("name", "content"),
    [("run.json", "{}"), ("split.csv", ""), ("split.csv", "a,b\n1,2\n")],
)
def test_a_damaged_list_of_pictures(name: str, content: str, own_run: Path, dlcli: Command) -> None:
    (own_run / name).write_text(content)
    done = dlcli("evaluate", "--run", own_run)
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert "damaged" in done.stderr


def test_links_in_circles_end(tmp_path: Path, dlcli: Command) -> None:
    data = write_classes(tmp_path / "data", {"a": 5, "b": 5})
    (data / "a" / "self").symlink_to("self")
    (data / "a" / "up").symlink_to("..")
    done = dlcli("train", data, "--runs-dir", tmp_path / "runs", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [file["path"] for file in document["skipped"]] == ["a/self"]
    assert sum(document["num_images"].values()) == 11


def test_a_module_of_the_current_folder_is_not_run(tmp_path: Path, dlcli: Command) -> None:
    """The body is converted in a child process: a random.py beside the pictures is none of its."""
    data = write_classes(tmp_path / "data", {"a": 4, "b": 4})
    (tmp_path / "random.py").write_text("raise SystemExit('shadowed')")
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "DLCLI_CACHE": str(tmp_path / "cache")}
    done = dlcli("train", data, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr


def test_a_name_with_a_line_break_keeps_labels_in_line(tmp_path: Path, dlcli: Command) -> None:
    data = write_classes(tmp_path / "data", {"a\nb": 5, "\x1b[31mc": 5})
    runs = tmp_path / "runs"
    done = dlcli("train", data, "--runs-dir", runs)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stderr + done.stdout
    assert (
        dlcli("export", "--runs-dir", runs, "--format", "litert", "-o", tmp_path / "e").returncode
        == 0
    )
    assert (tmp_path / "e" / "labels.txt").read_text().splitlines() == ["\x1b[31mc", "a\\nb"]
