"""The picture at the top of the README: a training on the sample data, as a terminal shows it.

`python -m tests.make_readme_svg` trains in a terminal of its own and writes the file.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "sample_data" / "train.svg"
COMMAND = ("train", "./animals")
WIDTH = 100
PIECE = re.compile(r"\x1b\[\?25[lh]|\x1b\[(\d*)A|(\x1b\[2K)|(\n)|((?:\x1b\[[\d;]*m|[^\x1b\r\n])+)")
"""The cursor hidden or shown (nothing captured), up, erase the line, next line, coloured text."""

# Rich's own template loads a font from the network; this one takes what the reader's machine has.
TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px ui-monospace, Menlo, Consolas, \
"DejaVu Sans Mono", monospace; white-space: pre; }}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def terminal_output(command: Sequence[str], folder: Path, **environment: str) -> tuple[int, str]:
    """The exit code of a command, and all that it sends to a terminal of `WIDTH` columns."""
    import termios

    controller, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (60, WIDTH))
    left_out = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "DLCLI_RUNS"}
    inherited = {key: value for key, value in os.environ.items() if key not in left_out}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={
            **inherited,
            "PYTHONPATH": str(ROOT),
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm",
            **environment,
        },
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    sent = bytearray()
    try:
        while piece := os.read(controller, 1 << 16):
            sent += piece
    except OSError:
        pass  # Linux's way to say that nobody holds the terminal any more
    finally:
        os.close(controller)
    return process.wait(), sent.decode()


def screen_lines(sent: str) -> list[str]:
    """The lines that stand on the terminal in the end, with their colours (ANSI): what a bar has
    drawn over is gone. Rich erases a line whenever it returns to it."""
    lines, row = [""], 0
    for up, erase, newline, text in PIECE.findall(sent):
        if newline:
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif up:
            row = max(0, row - int(up))
        elif erase:
            lines[row] = ""
        else:
            lines[row] += text
    return lines


def make_svg(lines: list[str]) -> str:
    """The lines below the command that made them, in a window."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    command = " ".join(("dlcli", *COMMAND))
    console.print(Text(f"$ {command}", style="bold"))
    for line in lines:
        console.print(Text.from_ansi(line.rstrip()))
    svg = console.export_svg(title=command, code_format=TEMPLATE, unique_id="train")
    return "".join(f"{line.strip()}\n" for line in svg.splitlines() if line.strip())


def main() -> None:
    """Trains in an empty folder with an empty cache, as on the first day, and writes the file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "sample_data" / "animals", folder / "animals")
        command = [sys.executable, "-m", "dlcli", *COMMAND]
        code, sent = terminal_output(command, folder, DLCLI_CACHE=str(folder / "cache"))
    if code != 0:
        raise SystemExit(sent)
    PICTURE.write_text(make_svg(screen_lines(sent)), encoding="utf-8")
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
