"""Prints a table of what is promised and what was measured, and writes it to benchmarks.md and
benchmarks.json in the folder it is run in.

python -m tests.benchmarks [NAME...]
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlcli.machine.packages import installed_versions
from tests.benchmarks.measure import machine
from tests.benchmarks.row import Row

ROWS, ERROR, FILE = "--rows", "error", "benchmarks"
HEAD = Row("what", "measured", "asked", "data")
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
    "hosts",
    "gpu",
    "small",
)


def main(names: list[str]) -> int:
    """Runs the benchmarks of these names, or all, and keeps what they say: after each one, so that
    a run of hours that is stopped leaves what it had."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(NAMES)}")
        return 2
    report = Report()
    print("\n".join(report.lines()), flush=True)
    for name in names or NAMES:
        report.add(name)
        report.write()
    return 1 if report.failed else 0


@dataclass
class Report:
    """What the benchmarks that have ended said, how many seconds each took, and the errors of those
    that failed, by their names."""

    when: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%d}")
    rows: dict[str, list[Row]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, name: str) -> None:
        """Runs one, and prints its rows as they come."""
        began = time.perf_counter()
        self.rows[name] = []
        try:
            for row in measure(name):
                print(line_of(row), flush=True)
                self.rows[name].append(row)
        except RuntimeError as error:
            self.failed[name] = str(error)
            print(failure_of(name, str(error)), flush=True)
        self.seconds[name] = round(time.perf_counter() - began, 1)

    def lines(self) -> list[str]:
        """The file in Markdown."""
        lines = [f"On {machine()}, {versions()}:", "", line_of(HEAD), "|---|---|---|---|"]
        lines += [line_of(row) for rows in self.rows.values() for row in rows]
        for name, error in self.failed.items():
            lines += ["", failure_of(name, error)]
        return lines

    def document(self) -> dict[str, Any]:
        """The file in JSON."""
        return {
            "when": self.when,
            "machine": machine(),
            "versions": installed_versions(),
            "seconds": self.seconds,
            "failed": self.failed,
            "benchmarks": {
                name: [row.to_json() for row in rows] for name, rows in self.rows.items()
            },
        }

    def write(self) -> None:
        """Both files, into the current folder."""
        text = json.dumps(self.document(), indent=2, ensure_ascii=False)
        Path(f"{FILE}.json").write_text(f"{text}\n", encoding="utf-8")
        Path(f"{FILE}.md").write_text("\n".join([*self.lines(), ""]), encoding="utf-8")


def measure(name: str) -> Iterator[Row]:
    """The rows of one benchmark as they come.

    It runs in a process of its own: the peak of a child's memory counts from that of its parent.

    Raises:
        RuntimeError: if it fails, with its error in one line.
    """
    command = [sys.executable, "-m", "tests.benchmarks", ROWS, name]
    error = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        for line in process.stdout:
            found = json.loads(line)
            if ERROR in found:
                error = found[ERROR]
            else:
                numbers = {key: tuple(found[key]) for key in ("values", "baseline")}
                yield Row(**{**found, **numbers})
    if process.returncode:
        raise RuntimeError(error or f"exit status {process.returncode}")


def line_of(row: Row) -> str:
    """A row of the table in Markdown."""
    cells = (cell.replace("|", r"\|") for cell in (row.what, row.data, row.asked, row.measured))
    return f"| {' | '.join(cells)} |"


def failure_of(name: str, error: str) -> str:
    """A line below the table."""
    return f"`{name}` failed: {error}"


def versions() -> str:
    """What the numbers depend on, in words."""
    found = installed_versions()
    named = ("dlcli", "python", "tensorflow", "keras", "ai-edge-litert", "pillow")
    return ", ".join(f"{name} {found[name]}" for name in named if name in found)


def print_rows(name: str) -> int:
    """Runs one of them: a line of JSON a row, and one with the error if it fails."""
    # What a library prints must not come between the rows.
    rows, sys.stdout = sys.stdout, sys.stderr
    try:
        for row in importlib.import_module(f"tests.benchmarks.{name}").rows():
            print(json.dumps(asdict(row)), file=rows, flush=True)
    except Exception as error:
        print(json.dumps({ERROR: one_line(error)}), file=rows, flush=True)
        raise
    return 0


def one_line(error: Exception) -> str:
    """Its class, and the first and the last line of what it says: a failed command is named in
    the first, and the last is that of its traceback."""
    lines = str(error).strip().splitlines()
    return ": ".join(dict.fromkeys([type(error).__name__, *lines[:1], *lines[-1:]]))


if __name__ == "__main__":
    words = sys.argv[1:]
    sys.exit(print_rows(words[1]) if words[:1] == [ROWS] else main(words))
