"""The driver: what nvidia-smi says, and what is there without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.machine.driver import Driver, Gpu, find_driver, read_capability, read_nvidia_smi
from tests.machine.programs import H100, posix_only, write_nvidia_smi

NO_LIBRARY = "libcuda-that-is-not-there.so.1"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that programs are found in; empty."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def find(tmp_path: Path) -> Driver:
    return find_driver(NO_LIBRARY, tmp_path / "proc")


@posix_only
def test_nvidia_smi_names_driver_and_gpus(tmp_path: Path, programs: Path) -> None:
    write_nvidia_smi(programs, f"{H100}\nTesla V100-SXM2-16GB, 580.82.07, 7.0, 16384\n")
    assert find(tmp_path) == Driver(
        "580.82.07",
        (
            Gpu("NVIDIA H100 80GB HBM3", (9, 0), 81559 * 2**20),
            Gpu("Tesla V100-SXM2-16GB", (7, 0), 16384 * 2**20),
        ),
    )


def test_what_the_driver_does_not_know_is_none() -> None:
    assert read_nvidia_smi("A GPU, 470.1, [N/A], [N/A]\n") == (Gpu("A GPU"),)
    assert read_nvidia_smi("No devices were found\n") == ()
    assert [read_capability(text) for text in ("8.6", "12.0", "", "N/A", "8")] == [
        (8, 6), (12, 0), None, None, None
    ]  # fmt: skip


@posix_only
@pytest.mark.parametrize(
    ("stdout", "stderr", "status", "fault"),
    [
        ("No devices were found\n", "", 0, "nvidia-smi is there, but: No devices were found"),
        (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
            "",
            9,
            "nvidia-smi is there, but: NVIDIA-SMI has failed because it couldn't communicate "
            "with the NVIDIA driver",
        ),
        ("", "Driver/library version mismatch\n", 18, "Driver/library version mismatch"),
        ("", "", 0, "it names no GPU"),
    ],
)
def test_an_nvidia_smi_that_fails_says_why(
    tmp_path: Path, programs: Path, stdout: str, stderr: str, status: int, fault: str
) -> None:
    write_nvidia_smi(programs, stdout, stderr, status)
    driver = find(tmp_path)
    assert driver.gpus == ()
    assert fault in (driver.fault or "")


@posix_only
def test_an_nvidia_smi_that_is_no_program_is_a_fault(tmp_path: Path, programs: Path) -> None:
    (programs / "nvidia-smi").write_bytes(b"\x7fELF no")
    (programs / "nvidia-smi").chmod(0o755)
    assert "could not be started" in (find(tmp_path).fault or "")


@pytest.mark.usefixtures("programs")
def test_without_a_driver_it_says_what_was_looked_for(tmp_path: Path) -> None:
    fault = f"no NVIDIA driver was found (no nvidia-smi, no {NO_LIBRARY})"
    assert find(tmp_path) == Driver(None, (), fault)


@pytest.mark.usefixtures("programs")
def test_a_driver_outside_of_the_container_is_told(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "version").write_text("NVRM version: NVIDIA UNIX 580.82.07\n")
    assert "is not in this container" in (find(tmp_path).fault or "")
