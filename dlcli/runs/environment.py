"""What a run was made with: versions, platform, device."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

from dlcli import __version__
from dlcli.processor import num_threads

_PACKAGES = ("numpy", "pillow", "scikit-learn", "ai-edge-litert", "keras", "tensorflow")


def describe_environment() -> dict[str, Any]:
    """`versions`, `platform` and `device`; asks the package metadata, imports nothing."""
    versions = {"dlcli": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "versions": versions,
        "platform": platform.platform(),
        "device": {"kind": "cpu", "threads": num_threads()},
    }
