"""Which packages are installed, from their metadata: nothing is imported."""

from __future__ import annotations

import importlib.metadata
import platform
import re

from dlcli import __version__

PACKAGES = (
    "numpy",
    "pillow",
    "scikit-learn",
    "ai-edge-litert",
    "keras",
    "tensorflow",
    "jax",
    "torch",
)


def installed_versions() -> dict[str, str]:
    """The versions of dlcli, Python and those of `PACKAGES` that are installed."""
    own = {"dlcli": __version__, "python": platform.python_version()}
    found = {package: version_of(package) for package in PACKAGES}
    return own | {package: version for package, version in found.items() if version is not None}


def version_of(package: str) -> str | None:
    """The version of a package; None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def nvidia_packages(package: str) -> tuple[str, ...]:
    """The nvidia-* packages that `package` needs on a GPU, those of its extras included."""
    try:
        needed = importlib.metadata.requires(package) or []
    except importlib.metadata.PackageNotFoundError:
        return ()
    names = (re.match(r"nvidia-[\w-]+", requirement) for requirement in needed)
    return tuple(dict.fromkeys(match.group() for match in names if match))
