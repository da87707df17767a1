"""Prints a table of what is promised and what was measured.

python -m tests.benchmarks [NAME...]
"""

from __future__ import annotations

import importlib
import sys

from tests.benchmarks.measure import machine

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
)


def main(names: list[str]) -> int:
    """Runs the benchmarks of these names, or all."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(NAMES)}")
        return 2
    print(f"On {machine()}:\n\n| | at least | measured |\n|---|---|---|")
    for name in names or NAMES:
        for what, promised, measured in importlib.import_module(f"tests.benchmarks.{name}").rows():
            print(f"| {what} | {promised} | {measured} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
