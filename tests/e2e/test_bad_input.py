"""Bad input: a sentence, its exit code, nothing lost and nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Command, is_root, needs_shared, write_classes, write_image

NO_TRACEBACK = "Traceback"


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every path below a folder with its size and time."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def one_sentence(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """The command ended with `code`, said each of `words` on stderr, and nothing on stdout."""
    assert done.returncode == code, done.stderr
    assert NO_TRACEBACK not in done.stderr
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr


def test_an_empty_folder(tmp_path: Path, dlcli: Command) -> None:
    (tmp_path / "empty").mkdir()
    one_sentence(dlcli("train", tmp_path / "empty"), 4, "no pictures in this folder", "sub-folder")


def test_a_folder_of_loose_pictures(tmp_path: Path, dlcli: Command) -> None:
    write_image(tmp_path / "loose" / "a.png")
    one_sentence(dlcli("train", tmp_path / "loose"), 4, "no pictures in class folders")


def test_a_missing_path(tmp_path: Path, dlcli: Command) -> None:
    one_sentence(dlcli("train", tmp_path / "nowhere"), 2, "nowhere", "no such folder")


def test_a_file_where_a_folder_is_meant(tmp_path: Path, dlcli: Command) -> None:
    picture = write_image(tmp_path / "a.png")
    one_sentence(dlcli("train", picture), 2, "a file, not a folder")


def test_one_class(tmp_path: Path, dlcli: Command) -> None:
    write_classes(tmp_path / "data", {"cat": 4})
    one_sentence(dlcli("train", tmp_path / "data"), 4, "only one class here (cat)")


def test_a_class_of_one_picture(tmp_path: Path, dlcli: Command) -> None:
    write_classes(tmp_path / "data", {"cat": 4, "dog": 1})
    one_sentence(
        dlcli("train", tmp_path / "data", "--runs-dir", tmp_path / "runs"), 4, "too few", "dog"
    )
    assert not (tmp_path / "runs").exists()


def test_nothing_to_train_on_was_named(dlcli: Command, tmp_path: Path) -> None:
    one_sentence(dlcli("train", cwd=tmp_path), 2, "dlcli train FOLDER")


def test_bad_files_are_skipped_and_named_and_the_folder_is_left_alone(
    tmp_path: Path, dlcli: Command
) -> None:
    data = write_classes(tmp_path / "data", {"no": 6, "b [x] <tag> ä": 6, "c d": 6})
    good = (data / "no" / "000.png").read_bytes()
    (data / "no" / "zero.jpg").touch()
    (data / "no" / "cut.png").write_bytes(good[: len(good) // 2])
    (data / "no" / "text.jpg").write_text("hello")
    (data / "no" / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (data / "no" / "notes.txt").write_text("passed over")
    (data / "no" / "dangling.jpg").symlink_to(data / "nowhere.jpg")
    Image.new("1", (30_000, 30_000)).save(data / "no" / "bomb.png")
    write_image(data / "stray.png")
    (data / "empty").mkdir()
    (data / ".hidden").mkdir()
    before = listing(data)
    done = dlcli("train", data, "--runs-dir", tmp_path / "runs", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["classes"] == ["b [x] <tag> ä", "c d", "no"]
    reasons = {file["path"]: file["reason"] for file in document["skipped"]}
    assert set(reasons) == {
        "stray.png",
        *(f"no/{name}" for name in ("zero.jpg", "cut.png", "text.jpg", "drawing.svg")),
        *(f"no/{name}" for name in ("dangling.jpg", "bomb.png")),
    }
    assert reasons["no/bomb.png"] == "900 megapixels; the limit is 89"
    assert reasons["no/zero.jpg"] == "an empty file"
    assert "truncated" in reasons["no/cut.png"]
    assert document["num_images"]["skipped"] == 7
    assert "skipped 7" in done.stderr
    assert "no pictures in it: empty" in done.stderr
    assert "passed over: 1 files" in done.stderr
    assert listing(data) == before


def test_strict_refuses_what_would_be_skipped(tmp_path: Path, dlcli: Command) -> None:
    data = write_classes(tmp_path / "data", {"a": 4, "b": 4})
    (data / "a" / "text.jpg").write_text("hello")
    one_sentence(dlcli("train", data, "--strict"), 4, "a/text.jpg (not a picture)")
    as_spec = dlcli("train", data, "--set", "data.unreadable=error")
    one_sentence(as_spec, 4, "a/text.jpg (not a picture)")


def test_all_faults_of_a_spec_at_once(tmp_path: Path, dlcli: Command) -> None:
    spec = tmp_path / "bad.yaml"
    spec.write_text("data:\n  image_sise: 224\n  resize: corp\ntrain:\n  effort: quick\n")
    done = dlcli("train", spec)
    one_sentence(done, 3, "bad.yaml:2:3 data.image_sise is no setting. Did you mean image_size?")
    assert "bad.yaml:3:3 data.resize must be" in done.stderr
    assert "2 faults" in done.stderr


def test_no_run_yet(tmp_path: Path, dlcli: Command) -> None:
    done = dlcli("predict", "cat.jpg", "--runs-dir", tmp_path)
    one_sentence(done, 2, "no finished run", "dlcli train FOLDER", "--run imagenet")


def test_no_such_run(trained_run: Path, dlcli: Command) -> None:
    done = dlcli("predict", "cat.jpg", "--runs-dir", trained_run.parent, "--run", "animls-1")
    one_sentence(done, 2, "no such run", "animals-1")


MODEL_FILES = ("body.tflite", "head.npz", "typicality.npz", "val.npz", "model.json")


@pytest.mark.parametrize("name", MODEL_FILES)
def test_a_damaged_run(
    name: str, trained_run: Path, tmp_path: Path, dlcli: Command, animals: Path
) -> None:
    run = shutil.copytree(trained_run, tmp_path / "run")
    file = run / "model" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    one_sentence(dlcli("predict", animals / "cat", "--run", run), 4, name, "damaged")


def test_a_run_without_a_model(trained_run: Path, tmp_path: Path, dlcli: Command) -> None:
    run = shutil.copytree(trained_run, tmp_path / "run")
    shutil.rmtree(run / "model")
    one_sentence(dlcli("evaluate", "--run", run), 4, "no finished model")


def test_pictures_that_are_gone(tmp_path: Path, dlcli: Command) -> None:
    data = write_classes(tmp_path / "data", {"a": 4, "b": 4})
    assert dlcli("train", data, "--runs-dir", tmp_path / "runs").returncode == 0
    shutil.rmtree(data)
    done = dlcli("evaluate", "--runs-dir", tmp_path / "runs")
    one_sentence(done, 4, "no longer there", "dlcli evaluate FOLDER")


def test_the_smallest_folder_that_can_be_learned_from(tmp_path: Path, dlcli: Command) -> None:
    data = write_classes(tmp_path / "data", {"a": 2, "b": 2, "c": 3})
    done = dlcli("train", data, "--runs-dir", tmp_path / "runs", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["num_images"] == {"train": 3, "val": 3, "test": 1, "skipped": 0}
    assert "too few pictures to test: a, b" in done.stderr


def test_a_taken_name_is_refused(trained_run: Path, animals: Path, dlcli: Command) -> None:
    before = listing(trained_run)
    done = dlcli("train", animals, "--runs-dir", trained_run.parent, "--name", trained_run.name)
    one_sentence(done, 2, "already", "--name")
    assert listing(trained_run) == before


def test_an_output_folder_that_cannot_be_written(
    animals: Path, tmp_path: Path, dlcli: Command
) -> None:
    (tmp_path / "file").touch()
    done = dlcli("train", animals, "--runs-dir", tmp_path / "file" / "runs")
    one_sentence(done, 7, "name another place")
    if not is_root():
        (tmp_path / "closed").mkdir(mode=0o500)
        done = dlcli("train", animals, "--runs-dir", tmp_path / "closed" / "runs")
        one_sentence(done, 7, "may not write there")


def test_a_cache_folder_that_cannot_be_written(
    animals: Path, tmp_path: Path, dlcli: Command
) -> None:
    (tmp_path / "file").touch()
    environment = {**os.environ, "DLCLI_CACHE": str(tmp_path / "file" / "cache")}
    done = dlcli("train", animals, "--runs-dir", tmp_path, env=environment)
    one_sentence(done, 7, "DLCLI_CACHE")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_behind_stdout(trained_run: Path, animals: Path) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "dlcli", "predict", str(animals / "cat")]
        done = subprocess.run(
            [*command, "--run", str(trained_run)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 7
    assert "No space left" in done.stderr
    assert NO_TRACEBACK not in done.stderr


def test_a_closed_pipe_ends_quietly(trained_run: Path, animals: Path) -> None:
    script = (
        f"{sys.executable} -m dlcli predict {animals} --run {trained_run} --quiet | head -1;"
        "echo ${PIPESTATUS[0]}"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "0"
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == ""


def test_ctrl_c_while_the_body_is_prepared_leaves_nothing(animals: Path, tmp_path: Path) -> None:
    # With a cache of its own the training begins with some seconds of conversion.
    environment = {**os.environ, "DLCLI_CACHE": str(tmp_path / "cache")}
    process = subprocess.Popen(
        [sys.executable, "-m", "dlcli", "train", animals, "--runs-dir", tmp_path / "runs"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "is prepared for this machine" in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stdout == ""
    assert "interrupted" in stderr
    assert NO_TRACEBACK not in stderr
    assert not (tmp_path / "runs").exists()
    assert not list((tmp_path / "cache").rglob(".*"))


def test_predict_of_nothing(trained_run: Path, tmp_path: Path, dlcli: Command) -> None:
    (tmp_path / "empty").mkdir()
    one_sentence(
        dlcli("predict", tmp_path / "empty", "--run", trained_run), 2, "there are no pictures"
    )


def test_all_hostile_files(trained_run: Path, dlcli: Command) -> None:
    hostile = needs_shared("hostile")
    done = dlcli("predict", hostile, "--run", trained_run, "--json")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(records) > 200
    assert done.returncode == 5
    assert NO_TRACEBACK not in done.stderr
    assert all((record["label"] is None) == bool(record["error"]) for record in records)
