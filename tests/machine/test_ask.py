"""What a framework is asked, and libraries that cannot be loaded."""

from __future__ import annotations

import ctypes.util
from pathlib import Path

import pytest

from dlcli.machine import frameworks
from dlcli.machine.ask import LIBRARIES, missing_libraries, read_targets
from dlcli.machine.frameworks import find_framework
from tests.machine.programs import posix_only


@posix_only
def test_libraries_that_cannot_be_loaded_are_named(tmp_path: Path) -> None:
    own = ctypes.util.find_library("c")
    assert own is not None
    (tmp_path / "cudnn" / "lib").mkdir(parents=True)
    (tmp_path / "cudnn" / "lib" / "libbroken.so.9").write_text("no library")
    (tmp_path / "nvcc" / "bin").mkdir(parents=True)
    (tmp_path / "nvcc" / "bin" / "ptxas-of-ours").touch()
    names = [own, "libbroken.so.9", "libnowhere.so.1", "ptxas-of-ours", "no-such-program"]
    missing = missing_libraries(names, [tmp_path / "cudnn", tmp_path / "nvcc"])
    assert missing == ["libbroken.so.9", "libnowhere.so.1", "no-such-program"]


def test_targets_are_capabilities() -> None:
    names = ["sm_60", "sm_89", "compute_90", "sm_120", "sm_90a", "gfx90a", ""]
    assert read_targets(names) == ["6.0", "8.9", "9.0", "12.0", "9.0"]


def test_each_library_has_a_package_of_its_cuda() -> None:
    assert set(LIBRARIES) == {12, 13}
    assert all(package.endswith("-cu12") for package in LIBRARIES[12].values())
    assert not any(package.endswith("-cu12") for package in LIBRARIES[13].values())


def test_tensorflow_answers_in_a_process_of_its_own() -> None:
    found = find_framework("tensorflow")
    assert found.fault is None
    if found.cuda is not None:
        assert found.cuda.startswith("12.")
        assert max(found.capabilities) == (9, 0)
        assert "nvidia-cudnn-cu12" in dict(found.packages)


def test_a_framework_that_takes_too_long_is_left() -> None:
    assert find_framework("tensorflow", 0.01).fault == "it did not end within 0.01 s"


def test_a_framework_that_crashes_says_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frameworks, "version_of", lambda _: "1.0")
    assert find_framework("no-such-framework").fault == "KeyError: 'no-such-framework'"


def test_a_framework_that_is_not_installed_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frameworks, "version_of", lambda _: None)
    assert find_framework("jax") == frameworks.Framework("jax", None)
