"""What a training runs on, for the line on the screen and for run.json."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from dlcli.processor import num_threads


@dataclass(frozen=True)
class Device:
    """`kind` is cpu or gpu, `name` and `capability` are those of a GPU. `backend` and `precision`
    are None where no framework trains."""

    kind: str
    threads: int
    name: str | None = None
    capability: tuple[int, int] | None = None
    backend: str | None = None
    precision: str | None = None
    deterministic: bool = False

    def describe(self) -> str:
        """In a few words, e.g. `CPU, 2 threads` or `GPU, NVIDIA L4, mixed_bfloat16, jax`."""
        if self.kind == "cpu":
            parts = ["CPU", f"{self.threads} thread{'s' if self.threads > 1 else ''}"]
        else:
            parts = ["GPU", *([self.name] if self.name else [])]
        if self.precision not in (None, "float32"):
            parts.append(str(self.precision))
        if self.backend not in (None, "tensorflow"):
            parts.append(str(self.backend))
        return ", ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """For run.json; without what a CPU has not."""
        found = asdict(self)
        if self.capability:
            found["capability"] = ".".join(map(str, self.capability))
        return {key: value for key, value in found.items() if value is not None}


def cpu() -> Device:
    """The processor, without any framework."""
    return Device("cpu", num_threads())
