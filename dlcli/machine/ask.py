"""Asks a framework what it can do with GPUs; run as a process of its own, which may take seconds,
crash, or take memory on a GPU.

    python -m dlcli.machine.ask tensorflow

One line of JSON comes out: `cuda` (the version it is built with, null for none), `capabilities`
(those it is built for, e.g. "8.0"), `devices` (how many GPUs it finds) and `missing` (the CUDA
libraries that cannot be loaded).
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

LIBRARIES = {
    12: {
        "libcudart.so.12": "nvidia-cuda-runtime-cu12",
        "libnvJitLink.so.12": "nvidia-nvjitlink-cu12",
        "libcublasLt.so.12": "nvidia-cublas-cu12",
        "libcublas.so.12": "nvidia-cublas-cu12",
        "libcusparse.so.12": "nvidia-cusparse-cu12",
        "libcusolver.so.11": "nvidia-cusolver-cu12",
        "libcufft.so.11": "nvidia-cufft-cu12",
        "libcurand.so.10": "nvidia-curand-cu12",
        "libcupti.so.12": "nvidia-cuda-cupti-cu12",
        "libnvrtc.so.12": "nvidia-cuda-nvrtc-cu12",
        "libcudnn.so.9": "nvidia-cudnn-cu12",
        "libnccl.so.2": "nvidia-nccl-cu12",
        "ptxas": "nvidia-cuda-nvcc-cu12",
    },
    13: {
        "libcudart.so.13": "nvidia-cuda-runtime",
        "libnvJitLink.so.13": "nvidia-nvjitlink",
        "libcublasLt.so.13": "nvidia-cublas",
        "libcublas.so.13": "nvidia-cublas",
        "libcusparse.so.12": "nvidia-cusparse",
        "libcusolver.so.12": "nvidia-cusolver",
        "libcufft.so.12": "nvidia-cufft",
        "libcupti.so.13": "nvidia-cuda-cupti",
        "libnvrtc.so.13": "nvidia-cuda-nvrtc",
        "libcudnn.so.9": "nvidia-cudnn-cu13",
        "libnccl.so.2": "nvidia-nccl-cu13",
        "ptxas": "nvidia-cuda-nvcc",
    },
}
"""What a framework loads on a GPU by CUDA's major version, in an order in which each finds what it
is linked to, and the packages that bring it. `ptxas` is a program: XLA starts it."""

_JAX_PLUGIN = "jax_cuda{}_plugin"


def main(framework: str) -> None:
    """Writes the answer to stdout, where nothing else goes."""
    stdout = os.dup(1)
    os.dup2(2, 1)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    answer = ASK[framework]()
    version = answer["cuda"]
    names = LIBRARIES.get(int(version.partition(".")[0]), {}) if version else {}
    answer["missing"] = missing_libraries(names, nvidia_folders())
    os.write(stdout, json.dumps(answer).encode("ascii"))


def missing_libraries(names: Iterable[str], folders: Sequence[Path]) -> list[str]:
    """Those of `names` that can be loaded neither from one of `folders` nor from where the system
    looks; a name without `.so` is a program."""
    return [name for name in names if not (_loads if ".so" in name else _is_program)(name, folders)]


def nvidia_folders() -> list[Path]:
    """The folders of NVIDIA's packages: nvidia/cublas for instance."""
    found = importlib.util.find_spec("nvidia")
    places = found.submodule_search_locations if found else None
    return [path for place in places or () for path in sorted(Path(place).glob("*"))]


def _loads(name: str, folders: Sequence[Path]) -> bool:
    candidates = [str(folder / "lib" / name) for folder in folders]
    for candidate in [*filter(os.path.exists, candidates), name]:
        try:
            ctypes.CDLL(candidate, ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        return True
    return False


def _is_program(name: str, folders: Sequence[Path]) -> bool:
    return any((folder / "bin" / name).exists() for folder in folders) or bool(shutil.which(name))


def _ask_tensorflow() -> dict[str, Any]:
    import tensorflow

    build = tensorflow.sysconfig.get_build_info()
    return {
        "cuda": build.get("cuda_version") if build.get("is_cuda_build") else None,
        "capabilities": read_targets(build.get("cuda_compute_capabilities") or ()),
        "devices": len(tensorflow.config.list_physical_devices("GPU")),
    }


def _ask_jax() -> dict[str, Any]:
    import jax

    plugins = [major for major in LIBRARIES if _is_installed(_JAX_PLUGIN.format(major))]
    try:
        devices = len(jax.devices("gpu"))
    except RuntimeError:  # there are none
        devices = 0
    return {
        "cuda": str(max(plugins)) if plugins else None,
        "capabilities": [],
        "devices": devices,
    }


def _ask_torch() -> dict[str, Any]:
    import torch

    return {
        "cuda": torch.version.cuda,
        "capabilities": read_targets(torch.cuda.get_arch_list()),
        "devices": torch.cuda.device_count(),
    }


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def read_targets(names: Iterable[str]) -> list[str]:
    """`sm_86`, `compute_90`, `sm_120a` -> 8.6, 9.0, 12.0"""
    matches = (re.fullmatch(r"(?:sm|compute)_(\d+)(\d)[a-z]?", name) for name in names)
    return [f"{match.group(1)}.{match.group(2)}" for match in matches if match]


ASK: dict[str, Callable[[], dict[str, Any]]] = {
    "tensorflow": _ask_tensorflow,
    "jax": _ask_jax,
    "torch": _ask_torch,
}

if __name__ == "__main__":
    main(sys.argv[1])
