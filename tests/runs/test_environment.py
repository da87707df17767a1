"""What a run was made with."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version

from dlcli import __version__
from dlcli.runs.environment import describe_environment


def test_the_versions_are_those_installed() -> None:
    versions = describe_environment()["versions"]
    assert versions["dlcli"] == __version__
    assert versions["python"] == platform.python_version()
    for package in ("numpy", "pillow", "scikit-learn", "ai-edge-litert", "keras", "tensorflow"):
        assert versions[package] == version(package)


def test_the_device_is_a_processor_with_threads() -> None:
    device = describe_environment()["device"]
    assert device["kind"] == "cpu"
    assert device["threads"] >= 1


def test_it_fits_into_json() -> None:
    environment = describe_environment()
    assert set(environment) == {"versions", "platform", "device"}
    assert json.loads(json.dumps(environment)) == environment
