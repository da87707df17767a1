"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dlcli.processor import MOST_THREADS

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing on stderr but warnings.")]
RunsDir = Annotated[
    Path | None,
    typer.Option(
        "--runs-dir", help="Where runs are kept [default: $DLCLI_RUNS, else ./runs].", metavar="DIR"
    ),
]
RunName = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="RUN",
        help="A run's folder or name, an exported folder, or imagenet for the built-in classifier "
        "[default: $DLCLI_RUN, else the latest finished run].",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        max=MOST_THREADS,
        help="How many threads work [default: $DLCLI_THREADS, else the processors this process "
        "may use, a container's CPU quota included].",
        metavar="N",
    ),
]


class EngineName(StrEnum):
    """What runs a trained network."""

    AUTO = "auto"
    LITERT = "litert"
    KERAS = "keras"


Engine = Annotated[
    EngineName,
    typer.Option(help="What runs the network; auto is LiteRT, or Keras where that is missing."),
]
