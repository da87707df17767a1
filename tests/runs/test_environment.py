"""What a run was made with."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version

from dlcli import __version__
from dlcli.machine.device import Device, cpu
from dlcli.runs.environment import describe_environment


def test_the_versions_are_those_installed() -> None:
    versions = describe_environment(cpu())["versions"]
    assert versions["dlcli"] == __version__
    assert versions["python"] == platform.python_version()
    for package in ("numpy", "pillow", "scikit-learn", "ai-edge-litert", "keras", "tensorflow"):
        assert versions[package] == version(package)


def test_the_device_is_the_one_that_trained() -> None:
    assert describe_environment(Device("cpu", 3))["device"] == {
        "kind": "cpu", "threads": 3, "deterministic": False
    }  # fmt: skip
    gpu = Device("gpu", 8, "NVIDIA L4", (8, 9), "jax", "mixed_bfloat16", deterministic=True)
    assert describe_environment(gpu)["device"] == {
        "kind": "gpu",
        "threads": 8,
        "name": "NVIDIA L4",
        "capability": "8.9",
        "backend": "jax",
        "precision": "mixed_bfloat16",
        "deterministic": True,
    }


def test_it_fits_into_json() -> None:
    environment = describe_environment(cpu())
    assert set(environment) == {"versions", "platform", "device"}
    assert json.loads(json.dumps(environment)) == environment
