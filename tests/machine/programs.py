"""Programs that stand in for those of a machine with a GPU."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

H100 = "NVIDIA H100 80GB HBM3, 580.82.07, 9.0, 81559"
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has CUDA")
posix_only = pytest.mark.skipif(os.name == "nt", reason="a script is no program there")


def write_nvidia_smi(folder: Path, stdout: str, stderr: str = "", status: int = 0) -> Path:
    """A program of that name; returns the folder, which is to be the PATH."""
    folder.mkdir(exist_ok=True)
    program = folder / "nvidia-smi"
    program.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"assert any(word.startswith('--query-gpu=name,') for word in sys.argv)\n"
        f"sys.stdout.write({stdout!r})\nsys.stderr.write({stderr!r})\nraise SystemExit({status})\n"
    )
    program.chmod(0o755)
    return folder
