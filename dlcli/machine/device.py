"""What a training runs on, for the line on the screen and for run.json."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from dlcli.processor import num_threads

CPU, GPU = "cpu", "gpu"


@dataclass(frozen=True)
class Cluster:
    """Process `process_id` of `num_processes` that take each step together, and meet at `address`.
    `local_id` is the GPU of its host that it takes; None for all. The others reach it at
    `own_address`."""

    address: str
    num_processes: int
    process_id: int
    local_id: int | None = None
    own_address: str = "127.0.0.1"


@dataclass(frozen=True)
class Choice:
    """What was asked for: `device` is auto, cpu or gpu; `cluster` is None for one process alone."""

    device: str = "auto"
    backend: str = "tensorflow"
    deterministic: bool = False
    cluster: Cluster | None = None


@dataclass(frozen=True)
class Device:
    """`kind` is cpu or gpu, `name` and `capability` are those of a GPU, of which a training uses
    `count`, those of all its `processes`. `backend` and `precision` are None where no framework
    trains."""

    kind: str
    threads: int
    name: str | None = None
    capability: tuple[int, int] | None = None
    backend: str | None = None
    precision: str | None = None
    deterministic: bool = False
    count: int = 1
    processes: int = 1

    def describe(self) -> str:
        """In a few words, e.g. `CPU, 2 threads` or `2 GPUs, NVIDIA L4, mixed_bfloat16, jax`."""
        if self.kind == CPU:
            parts = ["CPU", f"{self.threads} thread{'s' if self.threads > 1 else ''}"]
        else:
            kind = "GPU" if self.count == 1 else f"{self.count} GPUs"
            parts = [kind, *([self.name] if self.name else [])]
        if self.precision not in (None, "float32"):
            parts.append(str(self.precision))
        if self.backend not in (None, "tensorflow"):
            parts.append(str(self.backend))
        if self.processes > 1:
            parts.append(f"{self.processes} processes")
        return ", ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """For run.json; without what a CPU has not."""
        found = asdict(self)
        if self.capability:
            found["capability"] = ".".join(map(str, self.capability))
        for name in ("count", "processes"):
            if found[name] == 1:
                del found[name]
        return {key: value for key, value in found.items() if value is not None}


def cpu() -> Device:
    """The processor, without any framework."""
    return Device(CPU, num_threads())


def choose_precision(asked: str, device: Device) -> str:
    """`auto` as the precision that pays on a device: half of it where there are units for it,
    bfloat16 from compute capability 8 on and float16 on 7 (Micikevicius 2018); never on a CPU."""
    if asked != "auto":
        return asked
    if device.kind == CPU or device.capability is None or device.capability < (7, 0):
        return "float32"
    return "mixed_bfloat16" if device.capability >= (8, 0) else "mixed_float16"


def doubt_precision(precision: str, device: Device) -> str | None:
    """Why a precision that was asked for will not pay; None where it may."""
    if precision == "float32":
        return None
    if device.kind == CPU:
        return f"train.precision {precision} is slower than float32 on a CPU"
    least = (8, 0) if precision == "mixed_bfloat16" else (7, 0)
    if device.capability is not None and device.capability < least:
        return f"train.precision {precision} is slower than float32 on {device.name}"
    return None
