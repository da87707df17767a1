"""Prints a table of what is promised and what was measured.

python -m tests.benchmarks [NAME...]
"""

from __future__ import annotations

import importlib
import subprocess
import sys

from tests.benchmarks.measure import machine

ROWS = "--rows"
NAMES = (
    "main_job",
    "from_nothing",
    "training",
    "stages",
    "reading",
    "check",
    "labels",
    "int8",
    "intervals",
    "explain",
    "predict",
    "unknown",
    "sets",
    "exports",
)


def main(names: list[str]) -> int:
    """Runs the benchmarks of these names, or all."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(NAMES)}")
        return 2
    print(f"On {machine()}:\n\n| | at least | measured |\n|---|---|---|", flush=True)
    for name in names or NAMES:
        # A process of its own each: the peak of a child's memory counts from that of its parent.
        subprocess.run([sys.executable, "-m", "tests.benchmarks", ROWS, name], check=True)
    return 0


def print_rows(name: str) -> int:
    """Runs one of them."""
    for what, promised, measured in importlib.import_module(f"tests.benchmarks.{name}").rows():
        print(f"| {what} | {promised} | {measured} |", flush=True)
    return 0


if __name__ == "__main__":
    words = sys.argv[1:]
    sys.exit(print_rows(words[1]) if words[:1] == [ROWS] else main(words))
