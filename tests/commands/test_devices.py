"""`--device` and `--backend`: what is taken, what is refused, and what is said of it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from dlcli.commands.devices import require_for_head
from dlcli.errors import ResourceError
from dlcli.events import Warned
from dlcli.machine.device import Choice
from dlcli.machine.packages import version_of
from tests.conftest import Command
from tests.e2e.test_bad_input import one_sentence
from tests.e2e.test_from_nothing import write_colours
from tests.machine.programs import H100, linux_only, write_nvidia_smi
from tests.training.test_whole import Recorder

pytestmark = [
    linux_only,
    pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="there is a GPU"),
]
without_cuda = pytest.mark.skipif(
    version_of("nvidia-cudnn-cu12") is not None, reason="CUDA's libraries are here"
)
NO_DRIVER = "--device gpu: there is no GPU to train on: no NVIDIA driver was found"
HIDDEN = (
    "--device gpu: there is no GPU to train on: is '', which hides every GPU. "
    "Unset it (unset CUDA_VISIBLE_DEVICES), or set it to the number of a GPU, such as 0."
)
NO_LIBRARIES = "--device gpu: there is no GPU to train on: not installed: nvidia-"
INSTALL = "pip install 'dlcli-vision[gpu]'"
SPEC = """\
data: {folder: ./colours, image_size: 16}
model: {layers: [flatten]}
train: {epochs: 1}
"""


@pytest.fixture
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The environment of a machine whose driver is `found`, `hidden` or not there: `none`."""
    names = ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    programs = tmp_path / "programs"
    programs.mkdir()
    if request.param != "none":
        write_nvidia_smi(programs, f"{H100}\n")
    if request.param == "hidden":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    return {**environment, "PATH": str(programs)}


@pytest.fixture
def here(machine: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is on that machine."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in {"PATH", "CUDA_VISIBLE_DEVICES"} & set(machine):
        monkeypatch.setenv(name, machine[name])


def warnings(recorder: Recorder) -> list[str]:
    return [event.text for event in recorder.events if isinstance(event, Warned)]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("machine", "sentence"),
    [
        ("none", NO_DRIVER),
        ("hidden", HIDDEN),
        pytest.param("found", NO_LIBRARIES, marks=without_cuda),
    ],
    indirect=["machine"],
)
def test_a_gpu_that_is_absent_is_refused_for_a_head_too(sentence: str) -> None:
    with pytest.raises(ResourceError) as caught:
        require_for_head(Choice("gpu"), Recorder())
    assert str(caught.value).startswith(sentence)
    assert caught.value.exit_code == 7


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("machine", ["none", "hidden", "found"], indirect=True)
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_a_head_runs_on_the_cpu_without_a_word(device: str) -> None:
    recorder = Recorder()
    require_for_head(Choice(device), recorder)
    assert recorder.events == []


def test_a_backend_changes_nothing_for_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    recorder = Recorder()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    require_for_head(Choice(backend="jax"), recorder)
    assert warnings(recorder) == [
        "only a head is trained, which runs on the CPU without a framework: "
        "--backend jax changes nothing"
    ]


@pytest.mark.parametrize(("name", "extra"), [("jax", "jax"), ("torch", "torch")])
def test_a_backend_that_is_not_installed_says_how_to(
    name: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ResourceError) as caught:
        require_for_head(Choice(backend=name), Recorder())
    assert str(caught.value) == (
        f"--backend {name}: {name} is not installed. "
        f"Install it: pip install 'dlcli-vision[{extra}]'"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("devices")
    write_colours(found / "colours")
    (found / "spec.yaml").write_text(SPEC)
    return found


def plan(
    dlcli: Command, folder: Path, machine: dict[str, str], *options: str
) -> subprocess.CompletedProcess[str]:
    return dlcli("train", "spec.yaml", "--dry-run", *options, cwd=folder, env=machine)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("machine", "device", "warning"),
    [
        ("none", "auto", None),
        ("hidden", "auto", None),
        pytest.param(
            "found",
            "auto",
            " warning: NVIDIA H100 80GB HBM3 is not used: tensorflow cannot; dlcli doctor says why",
            marks=without_cuda,
        ),
        ("found", "cpu", None),
    ],
    indirect=["machine"],
)
def test_layers_are_trained_on_the_cpu_where_there_is_no_other(
    machine: dict[str, str], device: str, warning: str | None, folder: Path, dlcli: Command
) -> None:
    done = plan(dlcli, folder, machine, "--device", device)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert any(line.startswith(" device: CPU, ") for line in lines)
    about = [line for line in lines if "GPU" in line or "H100" in line]
    assert about == ([warning] if warning else [])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("machine", "sentence", "fix"),
    [
        ("none", NO_DRIVER, "install its driver"),
        ("hidden", HIDDEN, "Unset it"),
        pytest.param("found", NO_LIBRARIES, INSTALL, marks=without_cuda),
    ],
    indirect=["machine"],
)
def test_a_gpu_that_is_asked_for_and_absent_is_7_with_what_the_doctor_finds(
    machine: dict[str, str], sentence: str, fix: str, folder: Path, dlcli: Command
) -> None:
    done = plan(dlcli, folder, machine, "--device", "gpu")
    *before, last = done.stderr.splitlines(keepends=True)
    assert all(line.startswith(" ") for line in before)
    done.stderr = last
    one_sentence(done, 7, sentence, fix)
    doctor = json.loads(dlcli("doctor", "--json", env=machine).stdout)
    assert doctor["backends"][0]["fix"] in last


@pytest.mark.slow
@pytest.mark.parametrize("machine", ["none"], indirect=True)
def test_half_precision_on_a_cpu_is_done_and_doubted(
    machine: dict[str, str], folder: Path, dlcli: Command
) -> None:
    done = plan(dlcli, folder, machine, "--set", "train.precision=mixed_bfloat16")
    assert done.returncode == 0, done.stderr
    assert (
        " warning: train.precision mixed_bfloat16 is slower than float32 on a CPU\n" in done.stderr
    )
    assert ", mixed_bfloat16 · model: " in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("machine", ["none"], indirect=True)
def test_deterministic_on_a_cpu_changes_no_weight_and_is_kept_in_the_run(
    machine: dict[str, str], folder: Path, dlcli: Command
) -> None:
    for name, options in (("plain", ()), ("same", ("--deterministic",))):
        done = dlcli("train", "spec.yaml", "--name", name, *options, cwd=folder, env=machine)
        assert done.returncode == 0, done.stderr
    plain, same = (folder / "runs" / name for name in ("plain", "same"))
    for file in ("history.csv", "model/body.tflite", "model/head.npz"):
        assert (plain / file).read_bytes() == (same / file).read_bytes(), file
    devices = [json.loads((run / "run.json").read_text())["device"] for run in (plain, same)]
    assert [device["deterministic"] for device in devices] == [False, True]
    assert [device["precision"] for device in devices] == ["float32", "float32"]
