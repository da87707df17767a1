"""The doctor, as a user sees it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dlcli import __version__
from dlcli.machine.packages import version_of
from tests.conftest import Command
from tests.machine.programs import H100, linux_only, write_nvidia_smi

DRIVERLESS = not Path("/proc/driver/nvidia").exists()


def environment(path: Path, **more: str) -> dict[str, str]:
    hidden = ("CUDA_VISIBLE_DEVICES", "DLCLI_THREADS")
    own = {name: value for name, value in os.environ.items() if name not in hidden}
    return {**own, "PATH": str(path), **more}


@pytest.mark.skipif(not DRIVERLESS, reason="there is a GPU")
def test_without_a_driver_training_runs_on_the_cpu(dlcli: Command, tmp_path: Path) -> None:
    done = dlcli("doctor", env=environment(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"dlcli                 {__version__}" in done.stdout
    assert "driver                FAULT    no NVIDIA driver was found" in done.stdout
    assert " Training runs on the CPU." in done.stdout
    assert "For a GPU:  If there is an NVIDIA GPU, install its driver" in done.stdout


@linux_only
@pytest.mark.skipif(not DRIVERLESS, reason="there is a GPU")
def test_a_gpu_that_is_hidden_is_told_without_asking_a_framework(
    dlcli: Command, tmp_path: Path
) -> None:
    write_nvidia_smi(tmp_path, f"{H100}\n")
    done = dlcli("doctor", "--json", env=environment(tmp_path, CUDA_VISIBLE_DEVICES=""))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["schema"], found["command"], found["dlcli"]) == (1, "doctor", __version__)
    assert found["driver"]["gpus"][0]["name"] == "NVIDIA H100 80GB HBM3"
    tensorflow = found["backends"][0]
    assert (tensorflow["backend"], tensorflow["ready"]) == ("tensorflow", False)
    statuses = [check["status"] for check in tensorflow["checks"]]
    assert statuses == ["ok", "fault", "skipped", "skipped", "skipped", "skipped"]
    assert found["advice"] == tensorflow["fix"]
    assert "Unset it" in found["advice"]
    assert found["cpu"]["threads"] >= 1
    assert found["cache"]["free_bytes"] > 0


@linux_only
@pytest.mark.skipif(
    not DRIVERLESS or version_of("nvidia-cudnn-cu12") is not None, reason="CUDA is here"
)
def test_a_gpu_without_its_libraries_ends_with_the_command_that_installs_them(
    dlcli: Command, tmp_path: Path
) -> None:
    write_nvidia_smi(tmp_path, f"{H100}\n")
    done = dlcli("doctor", env=environment(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "driver                ok       driver 580.82.07, NVIDIA H100" in done.stdout
    assert done.stdout.splitlines()[-1] == " For a GPU:  pip install 'dlcli-vision[gpu]'"


def test_a_wrong_number_of_threads_is_2(dlcli: Command, tmp_path: Path) -> None:
    done = dlcli("doctor", env=environment(tmp_path, DLCLI_THREADS="many"))
    assert done.returncode == 2
    assert done.stderr == "$DLCLI_THREADS: must be a whole number from 1 to 1024, got 'many'.\n"
