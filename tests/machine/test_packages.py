"""Versions, and what a package needs on a GPU."""

from __future__ import annotations

from importlib.metadata import version

from dlcli.machine.packages import PACKAGES, installed_versions, nvidia_packages, version_of


def test_versions_are_those_installed_and_no_others() -> None:
    found = installed_versions()
    assert found["tensorflow"] == version("tensorflow")
    assert set(found) - {"dlcli", "python"} == {name for name in PACKAGES if version_of(name)}
    assert version_of("no-such-package") is None


def test_what_tensorflow_needs_on_a_gpu_is_in_its_metadata() -> None:
    needed = nvidia_packages("tensorflow")
    assert {"nvidia-cudnn-cu12", "nvidia-cublas-cu12"} <= set(needed)
    assert len(needed) == len(set(needed))
    assert nvidia_packages("numpy") == nvidia_packages("no-such-package") == ()
