"""NVIDIA's driver and the GPUs it knows: nvidia-smi, else the driver's library, else /proc."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_QUERY = "name,driver_version,compute_cap,memory.total"
_SECONDS = 30
_MEBIBYTE = 2**20
_LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76
"""The numbers of two attributes in CUDA's driver API."""


@dataclass(frozen=True)
class Gpu:
    """One GPU; None is what the driver did not tell."""

    name: str
    capability: tuple[int, int] | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Driver:
    """`fault` says why no GPU can be had, None where there are some; `version` and `gpus` what
    was found."""

    version: str | None
    gpus: tuple[Gpu, ...]
    fault: str | None = None


def find_driver(library: str = _LIBRARY, proc: Path = Path("/proc/driver/nvidia")) -> Driver:
    """The driver of this machine."""
    said = _ask_nvidia_smi()
    if said is not None and (gpus := read_nvidia_smi(said[0])):
        return Driver(_version_in(said[0]), gpus)
    names_and_capabilities = _ask_library(library)
    if names_and_capabilities:
        return Driver(None, tuple(Gpu(*one) for one in names_and_capabilities))
    return Driver(None, (), _fault(said, names_and_capabilities is not None, library, proc))


def read_nvidia_smi(text: str) -> tuple[Gpu, ...]:
    """The GPUs in what `nvidia-smi --query-gpu` said: name, driver, capability, MiB."""
    found = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) == 4:
            name, _, capability, memory = parts
            size = int(memory) * _MEBIBYTE if memory.isdecimal() else None
            found.append(Gpu(name, read_capability(capability), size))
    return tuple(found)


def read_capability(text: str) -> tuple[int, int] | None:
    """`8.6` -> (8, 6)"""
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else None


def _version_in(text: str) -> str:
    return text.splitlines()[0].split(",")[1].strip()


def _ask_nvidia_smi() -> tuple[str, str] | None:
    """What it wrote on both streams; None where it is not there."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", f"nvidia-smi did not answer within {_SECONDS} s"
    except OSError as error:
        return "", f"nvidia-smi could not be started ({error.strerror})"
    return ("", done.stdout + done.stderr) if done.returncode else (done.stdout, done.stderr)


def _ask_library(library: str) -> Sequence[tuple[str, tuple[int, int]]] | None:
    """Name and capability of each GPU as CUDA's driver API tells; None where it is not there."""
    try:
        cuda = ctypes.CDLL(library)
    except OSError:
        return None
    count = ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)):
        return ()
    found = []
    for number in range(count.value):
        name, major, minor = ctypes.create_string_buffer(100), ctypes.c_int(), ctypes.c_int()
        device = ctypes.c_int()
        cuda.cuDeviceGet(ctypes.byref(device), number)
        cuda.cuDeviceGetName(name, len(name), device)
        cuda.cuDeviceGetAttribute(ctypes.byref(major), _CAPABILITY_MAJOR, device)
        cuda.cuDeviceGetAttribute(ctypes.byref(minor), _CAPABILITY_MINOR, device)
        found.append((name.value.decode(errors="replace"), (major.value, minor.value)))
    return found


def _fault(said: tuple[str, str] | None, has_library: bool, library: str, proc: Path) -> str:
    if said is not None:
        lines = [line.strip() for text in said for line in text.splitlines() if line.strip()]
        first = lines[0].rstrip(".") if lines else "it names no GPU"
        return f"nvidia-smi is there, but: {first}"
    if has_library:
        return f"the driver ({library}) finds no GPU"
    if (proc / "version").exists():
        return f"NVIDIA's driver runs here, but its library ({library}) is not in this container"
    return f"no NVIDIA driver was found (no nvidia-smi, no {library})"
