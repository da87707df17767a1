"""Many processes of one training, on the loopback as they would be on many hosts."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Command
from tests.e2e.test_bad_input import one_sentence
from tests.e2e.test_from_nothing import history, write_colours
from tests.e2e.test_resume import wait_for_checkpoint

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed"),
]
EPOCHS = 60
SPEC = f"""\
data: {{folder: ./colours, image_size: 16, split: {{val: 0.25, test: 0.25}}}}
model:
  layers:
    - rescaling: {{scale: 0.0078, offset: -1}}
    - conv2d: {{filters: 8, kernel_size: 3, strides: 2, use_bias: false}}
    - batch_normalization: {{momentum: 0.8}}
    - relu
    - dropout: 0.2
    - global_average_pooling2d
augment: [random_flip: horizontal]
train:
  epochs: {EPOCHS}
  batch_size: 24
  learning_rate: 0.02
  mix: {{mixup: 0.2}}
  class_weights: balanced
  early_stopping: none
"""

UNEVEN = SPEC
for there, here in (
    ("{folder: ./colours,", "{folder: ./colours, exclude: ./left-out.txt,"),
    ("    - dropout: 0.2\n", ""),
    ("augment: [random_flip: horizontal]", "augment: none"),
    ("  mix: {mixup: 0.2}\n", ""),
    (f"epochs: {EPOCHS}", "epochs: 6"),
    ("batch_size: 24", "batch_size: 30"),
):
    UNEVEN = UNEVEN.replace(there, here)
"""Nothing random, since what is drawn for 5 pictures is not the same as what is drawn for 15."""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, dlcli: Command) -> Path:
    """A folder with pictures, two specs, and `runs/alone-...`, which one process has trained: 36
    pictures in batches of 24, so that the last batch of an epoch is smaller, and 35 in batches of
    30, whose last one neither 2 nor 3 can share."""
    folder = tmp_path_factory.mktemp("hosts")
    write_colours(folder / "colours")
    (folder / "left-out.txt").write_text("red/00.png\n")
    for name, text in (("spec", SPEC), ("uneven", UNEVEN)):
        (folder / f"{name}.yaml").write_text(text)
        run = ("--backend", "jax", "--name", f"alone-{name}")
        done = dlcli("train", f"{name}.yaml", *run, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


def start(
    work: Path, count: int, *arguments: str, within: tuple[str, ...] = ()
) -> list[subprocess.Popen[str]]:
    """The processes of one training, process 0 first, each started by the command `within`."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    meeting = ("--hosts", f"127.0.0.1:{port}", "--num-processes", str(count))
    training = (sys.executable, "-m", "dlcli", "train", "--backend", "jax", "--json")
    command = [*within, *training, *meeting]
    return [
        subprocess.Popen(
            [*command, "--process-id", str(number), *arguments],
            cwd=work,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for number in range(count)
    ]


def require_equal(run: Path, whole: Path) -> None:
    """Weights and every epoch's numbers within 1e-5."""
    rows, expected = history(run), history(whole)
    assert len(rows) == len(expected) >= 6
    for row, other in zip(rows, expected, strict=True):
        for key in ("loss", "val_loss", "accuracy", "val_accuracy"):
            assert float(row[key]) == pytest.approx(float(other[key]), abs=1e-5)
    with np.load(run / "model" / "head.npz") as ours, np.load(whole / "model" / "head.npz") as one:
        assert {"weights", "bias"} <= set(ours.files) == set(one.files)
        for key in ("weights", "bias"):
            np.testing.assert_allclose(ours[key], one[key], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("count", "spec", "host"), [(2, "spec", "elsewhere"), (3, "uneven", None)])
def test_many_processes_come_to_the_weights_of_one(
    work: Path, count: int, spec: str, host: str | None
) -> None:
    """Also where the host's own name stands for an address that nobody reaches."""
    within = as_host(host, work / "etc-hosts") if host else ()
    processes = start(work, count, f"{spec}.yaml", "--name", f"of-{count}", within=within)
    said = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * count, said
    assert json.loads(said[0][0])["status"] == "completed"
    assert said[1:] == [("", "")] * (count - 1)
    run = work / "runs" / f"of-{count}"
    assert json.loads((run / "run.json").read_text())["device"]["processes"] == count
    require_equal(run, work / "runs" / f"alone-{spec}")


def as_host(name: str, hosts: Path) -> tuple[str, ...]:
    """The beginning of a command that believes to run on a host of this name, which stands for
    192.0.2.1; empty where a process may not have names of its own."""
    hosts.write_text(f"127.0.0.1 localhost\n192.0.2.1 {name}\n")
    script = f'hostname {name} && mount --bind "{hosts}" /etc/hosts && exec "$@"'
    within = ("unshare", "--uts", "--mount", "sh", "-c", script, "sh")
    if not shutil.which("unshare") or subprocess.run([*within, "true"], check=False).returncode:
        return ()
    return within


@pytest.mark.parametrize(("victim", "resumed_by"), [(1, 1), (0, 3)])
def test_one_that_is_killed_ends_all_and_the_run_is_gone_on_with(
    work: Path, victim: int, resumed_by: int, dlcli: Command
) -> None:
    name = f"killed-{victim}"
    processes = start(work, 3, "spec.yaml", "--name", name)
    run = work / "runs" / name
    wait_for_checkpoint(processes[0], run)
    processes[victim].send_signal(signal.SIGKILL)
    for number, process in enumerate(processes):
        _, said = process.communicate(timeout=60)
        if number != victim:
            assert process.returncode == 7, said
            assert said.splitlines()[-1] == f"process {victim} is gone. Go on with --resume RUN."
    for picture in (work / "colours").rglob("*.png"):
        picture.touch()  # as they are where a host has a copy of its own
    if resumed_by == 1:
        done = dlcli("train", "--resume", name, cwd=work)
        assert done.returncode == 0, done.stderr
    else:
        others = start(work, resumed_by, "--resume", name)
        said = [process.communicate()[1] for process in others]
        assert [process.returncode for process in others] == [0] * resumed_by, said
    require_equal(run, work / "runs" / "alone-spec")


def test_ctrl_c_in_any_process_saves_what_is_reached(work: Path) -> None:
    processes = start(work, 2, "spec.yaml", "--name", "stopped")
    run = work / "runs" / "stopped"
    wait_for_checkpoint(processes[0], run)
    processes[1].send_signal(signal.SIGINT)
    said = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [130, 130], said
    assert said[0].endswith(" go on with:  dlcli train --resume runs/stopped\ninterrupted\n")
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    assert (run / "checkpoint" / "state.npz").is_file()


def test_another_spec_and_other_pictures_end_all(work: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    write_colours(work / "others" / "colours")
    (first := next((work / "others").rglob("*.png"))).write_bytes(b"damaged")
    (work / "others" / "spec.yaml").write_text(SPEC.replace(f"epochs: {EPOCHS}", "epochs: 3"))
    meeting = ("--backend", "jax", "--hosts", f"127.0.0.1:{port}", "--num-processes", "2")
    command = [sys.executable, "-m", "dlcli", "train", "spec.yaml", *meeting, "--process-id"]
    processes = [
        subprocess.Popen([*command, str(number)], cwd=folder, stderr=subprocess.PIPE, text=True)
        for number, folder in enumerate((work, work / "others"))
    ]
    said = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [2, 2], said
    for text in said:
        last = text.splitlines()[-1]
        assert (
            f"process 1 has another spec (epochs: 3 there, epochs: {EPOCHS} in process 0)" in last
        )
        assert "process 1 has another data set" in last
    assert first.is_file()


ONE_OF_TWO = ("--hosts", "127.0.0.1:1", "--num-processes", "2", "--process-id", "1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--hosts", "a:1"), "--num-processes and --process-id: it is not known"),
        (("--backend", "tensorflow", "--hosts", "a:1"), "many processes train with jax"),
        ((*ONE_OF_TWO, "--set", "train.max_time=3m"), "train.max_time: each process has a clock"),
        ((*ONE_OF_TWO, "--refit"), "--refit: one process trains once more"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    work: Path, dlcli: Command, arguments: tuple[str, ...], words: str
) -> None:
    backend = () if "--backend" in arguments else ("--backend", "jax")
    done = dlcli("train", "spec.yaml", *backend, *arguments, cwd=work)
    one_sentence(done, 2, words)
