"""`dlcli train --resume`: a training that was stopped at any instant ends as one that was not."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.e2e.test_bad_input import one_sentence
from tests.e2e.test_from_nothing import write_colours

NUM_KILLS = 20
SPEC = """\
data: {folder: ./colours, image_size: 16}
model:
  layers:
    - rescaling: {scale: 0.0078, offset: -1}
    - conv2d: {filters: 8, kernel_size: 3, strides: 2}
    - batch_normalization
    - relu
    - dropout: 0.2
    - global_average_pooling2d
augment: [random_flip: horizontal]
train: {epochs: 400, learning_rate: 0.002, early_stopping: none, ema: 0.9}
"""
SAME = ("history.csv", "split.csv", "spec.yaml", "model/body.tflite", "model/head.npz")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, dlcli: Command) -> Path:
    """A folder with pictures, a spec and `runs/whole`, which was never stopped."""
    folder = tmp_path_factory.mktemp("resume")
    write_colours(folder / "colours")
    (folder / "spec.yaml").write_text(SPEC)
    done = dlcli("train", "spec.yaml", "--name", "whole", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def start(work: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dlcli", "train", *arguments],
        cwd=work,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_checkpoint(process: subprocess.Popen[str], run: Path) -> None:
    while not (run / "checkpoint" / "state.npz").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def require_same(run: Path, whole: Path) -> None:
    for name in SAME:
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    assert not (run / "checkpoint").exists()


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_weights(work: Path) -> None:
    moments = random.Random(0)  # noqa: S311 - instants are no secret
    run = work / "runs" / "killed"
    arguments: tuple[str, ...] = ("spec.yaml", "--name", "killed")
    kills = 0
    while kills < NUM_KILLS:
        process = start(work, *arguments)
        if not run.exists():
            wait_for_checkpoint(process, run)
        try:
            process.wait(moments.uniform(0.0, 9.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
        else:  # it came to its end: another one
            assert process.returncode == 0, process.communicate()
            require_same(run, work / "runs" / "whole")
            shutil.rmtree(run)
        arguments = ("--resume", "killed") if run.exists() else ("spec.yaml", "--name", "killed")
    if run.exists():
        process = start(work, "--resume", "killed")
        _, said = process.communicate()
        assert process.returncode == 0, said
        require_same(run, work / "runs" / "whole")


def test_ctrl_c_saves_what_is_reached_and_says_how_to_go_on(work: Path, dlcli: Command) -> None:
    run = work / "runs" / "stopped"
    process = start(work, "spec.yaml", "--name", "stopped")
    wait_for_checkpoint(process, run)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said.endswith(" go on with:  dlcli train --resume runs/stopped\ninterrupted\n")
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    reached = (run / "history.csv").read_text()
    assert (work / "runs" / "whole" / "history.csv").read_text().startswith(reached[:200])

    done = dlcli("train", "--resume", "stopped", cwd=work)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(" going on with runs/stopped\n")
    require_same(run, work / "runs" / "whole")
    assert json.loads((run / "run.json").read_text())["status"] == "completed"


def test_a_run_that_is_over_gives_its_result_again(work: Path, dlcli: Command) -> None:
    done = dlcli("train", "--resume", "runs/whole", "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    assert done.stderr == " runs/whole is completed: this is its result\n"
    document = json.loads(done.stdout)
    metrics = json.loads((work / "runs" / "whole" / "metrics.json").read_text())
    assert document["val"] == metrics["val"]
    assert document["test"] == metrics["test"]
    assert document["status"] == "completed"
    assert document["stages"][0]["epochs"] == 400
    assert document["model"]["parameters"] == 283


ON_A_DISK_THAT_FILLS = """\
import errno, os, runpy

flush, left = os.fsync, 4

def fills_up(descriptor):
    global left
    left -= os.path.exists("runs/full/checkpoint/state.npz")
    if left < 0:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    flush(descriptor)

os.fsync = fills_up
runpy.run_module("dlcli", run_name="__main__")
"""


@pytest.mark.slow
def test_a_disk_that_fills_up_takes_nothing_that_is_saved(work: Path, dlcli: Command) -> None:
    command = [sys.executable, "-c", ON_A_DISK_THAT_FILLS, "train", "spec.yaml", "--name", "full"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    one_sentence(done, 7, "No space left on device")
    run = work / "runs" / "full"
    rows = (run / "history.csv").read_text().splitlines()
    assert len(rows) > 1
    assert (work / "runs" / "whole" / "history.csv").read_text().startswith(rows[0])
    resumed = dlcli("train", "--resume", "full", cwd=work)
    assert resumed.returncode == 0, resumed.stderr
    require_same(run, work / "runs" / "whole")


@pytest.fixture
def unbegun(work: Path) -> Path:
    """A run that was killed before its first checkpoint."""
    run = work / "runs" / "unbegun"
    if run.exists():
        shutil.rmtree(run)
    run.mkdir()
    whole = work / "runs" / "whole"
    for name in ("spec.yaml", "split.csv"):
        shutil.copyfile(whole / name, run / name)
    (run / ".model-x").mkdir()
    facts = json.loads((whole / "run.json").read_text()) | {"status": "running"}
    (run / "run.json").write_text(json.dumps(facts))
    return run


def test_a_run_killed_before_its_first_checkpoint_starts_over(
    work: Path, unbegun: Path, dlcli: Command
) -> None:
    done = dlcli("train", "--resume", "unbegun", cwd=work)
    assert done.returncode == 0, done.stderr
    require_same(unbegun, work / "runs" / "whole")
    assert not (unbegun / ".model-x").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--set", "train.epochs=3"), "train.epochs=3: this run was begun otherwise. Leave it"),
        (("--device", "gpu"), "--device gpu: this run was begun with auto. Leave it out"),
        (("--name", "other"), "--name other: a run that is resumed goes on as it was begun."),
        (("colours",), "TARGET colours: a run that is resumed goes on as it was begun."),
        (("--dry-run",), "--dry-run: a run that is resumed goes on as it was begun."),
    ],
)
def test_an_option_that_asks_for_another_training_is_refused(
    work: Path, unbegun: Path, dlcli: Command, arguments: tuple[str, ...], sentence: str
) -> None:
    done = dlcli("train", *arguments, "--resume", "unbegun", cwd=work)
    one_sentence(done, 2, sentence)
    assert json.loads((unbegun / "run.json").read_text())["status"] == "running"


def test_an_option_that_says_the_same_is_no_fault(
    work: Path, unbegun: Path, dlcli: Command
) -> None:
    (unbegun / "split.csv").unlink()  # killed as early as that
    same = ("--set", "train.epochs=400", "--backend", "tensorflow")
    done = dlcli("train", "--resume", "unbegun", *same, "--quiet", cwd=work)
    assert done.returncode == 0, done.stderr


def test_no_such_run(work: Path, dlcli: Command) -> None:
    done = dlcli("train", "--resume", "nothing", cwd=work)
    one_sentence(done, 2, "--resume nothing: there is no such run. `dlcli runs` lists them.")


@pytest.mark.usefixtures("unbegun")
def test_pictures_that_changed_since_are_refused(work: Path, dlcli: Command) -> None:
    picture = work / "colours" / "red" / "00.png"
    content = picture.read_bytes()
    try:
        picture.write_bytes((work / "colours" / "blue" / "00.png").read_bytes())
        done = dlcli("train", "--resume", "unbegun", cwd=work)
    finally:
        picture.write_bytes(content)
    one_sentence(done, 4, "the pictures are no longer those that this run was begun with")
