"""What each framework knows of GPUs, asked in a process of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass

from dlcli.machine.driver import read_capability
from dlcli.machine.packages import nvidia_packages, version_of
from dlcli.processor import ask_python

BACKENDS = ("tensorflow", "jax", "torch")
_SECONDS = 120
_GPU_PARTS = {"jax": ("jax-cuda13-plugin", "jax-cuda12-plugin")}
"""Packages beside the framework's own that say what it needs on a GPU."""


@dataclass(frozen=True)
class Framework:
    """`version` None: it is not installed. `cuda` is the version it is built with, None for none;
    `capabilities` those it is built for, () where it does not tell; `num_devices` the GPUs it
    finds. `packages` are those of NVIDIA that it needs, with their versions, None for one that is
    not there; `missing` the libraries that cannot be loaded. `fault` says why it did not answer."""

    backend: str
    version: str | None
    cuda: str | None = None
    capabilities: tuple[tuple[int, int], ...] = ()
    num_devices: int = 0
    packages: tuple[tuple[str, str | None], ...] = ()
    missing: tuple[str, ...] = ()
    fault: str | None = None


def find_framework(backend: str, seconds: float = _SECONDS) -> Framework:
    """What an installed framework says within that time."""
    version = version_of(backend)
    if version is None:
        return Framework(backend, None)
    said, fault = ask_python("-m", "dlcli.machine.ask", backend, seconds=seconds)
    if fault is not None:
        return Framework(backend, version, fault=fault)
    answer = json.loads(said)
    parts = [backend, *_GPU_PARTS.get(backend, ())]
    needed = [name for part in parts for name in nvidia_packages(part)]
    found = (read_capability(text) for text in answer["capabilities"])
    return Framework(
        backend,
        version,
        answer["cuda"],
        tuple(sorted(capability for capability in found if capability)),
        answer["devices"],
        tuple((name, version_of(name)) for name in dict.fromkeys(needed)),
        tuple(answer["missing"]),
    )
