"""Folders as users have them: manifests, splits that go on, pictures left out, busy folders."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlcli.cache import BODIES, FEATURES, PIXELS, cache_folder
from tests.conftest import Command

pytestmark = pytest.mark.slow

Train = Callable[..., dict[str, Any]]


@pytest.fixture
def pictures(tmp_path: Path, animals: Path) -> Path:
    """Eight drawings of each of two animals."""
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for file in sorted((animals / name).iterdir())[:8]:
            shutil.copy(file, tmp_path / "pictures" / name)
    return tmp_path / "pictures"


@pytest.fixture
def train(tmp_path: Path, dlcli: Command) -> Train:
    """Trains in tmp_path and gives what `--json` says, with the lines of stderr."""

    def run(*args: object) -> dict[str, Any]:
        done = dlcli("train", *args, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return {**json.loads(done.stdout), "stderr": done.stderr}

    return run


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained_run: Path) -> Path:
    """A cache of its own without pixels or features; bodies take long to make and are there."""
    assert trained_run.is_dir()
    folder = tmp_path / "fresh-cache"
    folder.mkdir()
    (folder / BODIES).symlink_to(cache_folder() / BODIES)
    monkeypatch.setenv("DLCLI_CACHE", str(folder))
    return folder


def split_of(tmp_path: Path, run: str) -> dict[str, str]:
    with open(tmp_path / run / "split.csv", newline="") as file:
        return {row["path"]: row["split"] for row in csv.DictReader(file)}


def write_manifest(file: Path, rows: list[dict[str, str]]) -> Path:
    with open(file, "w", newline="", encoding="utf-8-sig") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return file


def test_a_manifest_trains_evaluates_and_is_repeated(
    tmp_path: Path, pictures: Path, train: Train, dlcli: Command
) -> None:
    files = sorted(pictures.rglob("*.jpg"))
    rows = [
        {
            "label": file.parent.name,
            "path": file.relative_to(tmp_path).as_posix(),
            "group": f"{file.parent.name} {number // 2}",
        }
        for number, file in enumerate(files)
    ]
    rows.append({"label": "cat", "path": "pictures/gone.jpg", "group": ""})
    manifest = write_manifest(tmp_path / "mine.csv", rows)
    result = train(manifest)
    assert result["run"] == "runs/mine-1"
    assert result["classes"] == ["cat", "dog"]
    assert sum(result["num_images"].values()) == 17
    (skipped,) = result["skipped"]
    assert skipped["path"] == "pictures/gone.jpg"
    assert "18" in skipped["reason"]
    splits = split_of(tmp_path, result["run"])
    for row in rows[:-1]:
        partners = {splits[one["path"]] for one in rows[:-1] if one["group"] == row["group"]}
        assert len(partners) == 1
    evaluated = dlcli("evaluate", "--json", "--quiet", cwd=tmp_path)
    report = json.loads(evaluated.stdout)["report"]
    assert report["confusion_matrix"] == result["test"]["confusion_matrix"]
    assert dlcli("evaluate", manifest, "--json", cwd=tmp_path).returncode == 0
    repeated = train(tmp_path / result["run"] / "spec.yaml")
    assert split_of(tmp_path, repeated["run"]) == splits


def test_a_manifest_to_evaluate_may_lack_a_class_and_not_have_another(
    tmp_path: Path, trained_run: Path, animals: Path, dlcli: Command
) -> None:
    files = [*sorted((animals / "cat").iterdir())[:3], *sorted((animals / "dog").iterdir())[:3]]
    rows = [{"path": str(file), "label": file.parent.name} for file in files]
    known = write_manifest(tmp_path / "known.csv", rows)
    done = dlcli("evaluate", known, "--run", trained_run, "--json", "--quiet")
    report = json.loads(done.stdout)["report"]
    assert report["num_images"] == 6
    assert {one["name"]: one["support"] for one in report["classes"]} == {
        "cat": 3,
        "dog": 3,
        "elephant": 0,
        "lion": 0,
        "tiger": 0,
    }
    rows[0]["label"] = "cta"
    foreign = write_manifest(tmp_path / "foreign.csv", rows)
    done = dlcli("evaluate", foreign, "--run", trained_run)
    assert done.returncode == 4
    assert "the run does not know cta. Did you mean cat?" in done.stderr


def test_a_split_goes_on_when_pictures_are_added(
    tmp_path: Path, pictures: Path, animals: Path, train: Train, dlcli: Command
) -> None:
    before = split_of(tmp_path, train(pictures)["run"])
    for name in ("cat", "dog"):
        for file in sorted((animals / name).iterdir())[8:12]:
            shutil.copy(file, pictures / name)
    result = train(pictures, "--split-from", "pictures-1")
    after = split_of(tmp_path, result["run"])
    assert {path: after[path] for path in before} == before
    assert {after[path] for path in after.keys() - before.keys()} == {"train"}
    assert "(as in runs/pictures-1; 8 added pictures)" in result["stderr"]
    repeated = train(tmp_path / result["run"] / "spec.yaml")
    assert split_of(tmp_path, repeated["run"]) == after
    unknown = dlcli("train", pictures, "--split-from", "nothing", cwd=tmp_path)
    assert unknown.returncode == 2
    assert "nothing: there is no such run." in unknown.stderr


def test_what_a_list_or_a_check_names_is_left_out(
    tmp_path: Path, pictures: Path, train: Train, dlcli: Command
) -> None:
    (pictures / "cat" / "broken.jpg").write_bytes(b"words")
    copied = sorted(pictures.rglob("*.jpg"))[0]
    shutil.copy(copied, pictures / "dog" / "copy.jpg")
    checked = dlcli("check", pictures, "--json", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    (tmp_path / "findings.json").write_text(checked.stdout)
    result = train(pictures, "--set", "data.exclude=findings.json")
    left_out = {entry["path"]: entry["reason"] for entry in result["skipped"]}
    assert left_out == dict.fromkeys(
        ("cat/broken.jpg", "dog/copy.jpg", f"cat/{copied.name}"), "excluded by findings.json"
    )
    (tmp_path / "list.txt").write_text("# blurred\ncat/broken.jpg\ndog/copy.jpg\nno/such.jpg\n")
    result = train(pictures, "--set", "data.exclude=list.txt")
    assert {entry["path"] for entry in result["skipped"]} == {"cat/broken.jpg", "dog/copy.jpg"}
    assert "no/such.jpg" in result["stderr"]
    assert not split_of(tmp_path, result["run"]).keys() & {"cat/broken.jpg", "dog/copy.jpg"}


def test_the_second_run_on_an_unchanged_folder_reads_no_picture(
    tmp_path: Path, pictures: Path, train: Train, fresh_cache: Path
) -> None:
    first = train(pictures)
    opened = fresh_cache / "opened"
    script = (
        "import sys, runpy\n"
        "def hook(event, args):\n"
        "    if event == 'open' and isinstance(args[0], str) and args[0].endswith('.jpg'):\n"
        f"        open({str(opened)!r}, 'a').write(args[0])\n"
        "sys.addaudithook(hook)\n"
        "runpy.run_module('dlcli', run_name='__main__')\n"
    )
    command = [sys.executable, "-c", script, "train", str(pictures), "--json"]
    second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    assert not opened.exists()
    assert json.loads(second.stdout)["test"] == first["test"]


def test_without_room_for_pixels_the_numbers_are_the_same(
    pictures: Path, train: Train, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = train(pictures)
    for kind in (PIXELS, FEATURES):
        shutil.rmtree(fresh_cache / kind)
    monkeypatch.setenv("DLCLI_CACHE_SIZE", "100kB")
    unkept = train(pictures)
    assert "Pictures are read from their files each time they are needed" in unkept["stderr"]
    assert (unkept["val"], unkept["test"]) == (kept["val"], kept["test"])
    sizes = [file.stat().st_size for file in fresh_cache.rglob("*.u8")]
    assert sizes == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_killed_training_goes_on_and_two_at_once_agree(
    tmp_path: Path, pictures: Path, train: Train, fresh_cache: Path
) -> None:
    command = [sys.executable, "-m", "dlcli", "train", str(pictures), "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as killed:
        deadline = time.monotonic() + 60
        while not list((fresh_cache / "pixels").glob(".*/records.bin")):
            assert killed.poll() is None
            assert time.monotonic() < deadline
        os.kill(killed.pid, signal.SIGKILL)
    both = [
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    answers = []
    for process in both:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        answers.append(json.loads(out))
    assert answers[0]["run"] != answers[1]["run"]
    assert answers[0]["test"] == answers[1]["test"] == train(pictures)["test"]
