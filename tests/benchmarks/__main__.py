"""Prints a table of what is promised and what was measured, and writes it to benchmarks.md and
benchmarks.json in the folder it is run in.

python -m tests.benchmarks [NAME...]
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from dlcli.machine.packages import installed_versions
from tests.benchmarks.measure import machine

ROWS, FILE = "--rows", "benchmarks"
KEYS = ("what", "at_least", "measured")
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
    "gpu",
    "small",
)


def main(names: list[str]) -> int:
    """Runs the benchmarks of these names, or all, and keeps what they say."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(NAMES)}")
        return 2
    head = (f"On {machine()}, {versions()}:", "", "| | at least | measured |", "|---|---|---|")
    print("\n".join(head), flush=True)
    measured = {name: list(measure(name)) for name in names or NAMES}
    lines = [line for rows in measured.values() for line in map(line_of, rows)]
    Path(f"{FILE}.md").write_text("\n".join([*head, *lines, ""]), encoding="utf-8")
    document = {
        "machine": machine(),
        "versions": installed_versions(),
        "benchmarks": {
            name: [dict(zip(KEYS, row, strict=True)) for row in rows]
            for name, rows in measured.items()
        },
    }
    text = json.dumps(document, indent=2, ensure_ascii=False)
    Path(f"{FILE}.json").write_text(f"{text}\n", encoding="utf-8")
    return 0


def measure(name: str) -> Iterator[list[str]]:
    """The rows of one benchmark, printed as they come.

    It runs in a process of its own: the peak of a child's memory counts from that of its parent.

    Raises:
        subprocess.CalledProcessError: if it fails.
    """
    command = [sys.executable, "-m", "tests.benchmarks", ROWS, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        for line in process.stdout:
            row: list[str] = json.loads(line)
            print(line_of(row), flush=True)
            yield row
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def line_of(row: Sequence[str]) -> str:
    """A row of the table in Markdown."""
    return f"| {' | '.join(row)} |"


def versions() -> str:
    """What the numbers depend on, in words."""
    found = installed_versions()
    named = ("dlcli", "python", "tensorflow", "keras", "ai-edge-litert", "pillow")
    return ", ".join(f"{name} {found[name]}" for name in named if name in found)


def print_rows(name: str) -> int:
    """Runs one of them: a line of JSON a row."""
    # What a library prints must not come between the rows.
    rows, sys.stdout = sys.stdout, sys.stderr
    for row in importlib.import_module(f"tests.benchmarks.{name}").rows():
        print(json.dumps(row), file=rows, flush=True)
    return 0


if __name__ == "__main__":
    words = sys.argv[1:]
    sys.exit(print_rows(words[1]) if words[:1] == [ROWS] else main(words))
