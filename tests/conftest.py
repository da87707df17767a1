"""What tests share: a cache of their own, generated pictures, the sample data, whole commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli.events import Event

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
Command = Callable[..., subprocess.CompletedProcess[str]]


def pytest_configure() -> None:
    """Ctrl-C reaches what the tests start, even where a shell runs them in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder for the whole session, so that the body is converted once."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLCLI_CACHE", str(folder))
        for name in ("DLCLI_RUNS", "DLCLI_RUN", "DLCLI_CACHE_SIZE", "NO_COLOR", "FORCE_COLOR"):
            patch.delenv(name, raising=False)
        yield folder


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for one test."""
    folder = tmp_path / "own-cache"
    monkeypatch.setenv("DLCLI_CACHE", str(folder))
    return folder


class Recorder:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def report(self, event: Event) -> None:
        self.events.append(event)


@pytest.fixture(scope="session")
def animals() -> Path:
    """The sample data: 5 classes of 30 drawings."""
    return ROOT / "sample_data" / "animals"


@pytest.fixture(scope="session")
def dlcli() -> Command:
    """Runs a whole command in a process of its own: stdout, stderr and exit code."""

    def run(
        *args: object, cwd: Path | None = None, **more: object
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dlcli", *map(str, args)]
        options = {"capture_output": True, "text": True, "timeout": 300, **more}
        return subprocess.run(command, cwd=cwd, check=False, **options)  # type: ignore[call-overload,no-any-return]

    return run


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory, animals: Path, dlcli: Command) -> Path:
    """A finished run on the sample data; tests must not change it."""
    runs = tmp_path_factory.mktemp("runs")
    done = dlcli("train", animals, "--runs-dir", runs, "--json")
    assert done.returncode == 0, done.stderr
    return runs / "animals-1"


def write_image(path: Path, seed: int = 0, size: tuple[int, int] = (48, 40), tint: int = 0) -> Path:
    """A picture of coarse noise, `size` (width, height); other seeds give other pictures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 128, (6, 6, 3), np.uint8)
    coarse[..., tint % 3] += 100
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)
    return path


def write_classes(folder: Path, counts: dict[str, int], suffix: str = ".png") -> Path:
    """Class folders with that many generated pictures each, none like another."""
    seed = 0
    for number, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for picture in range(count):
            seed += 1
            write_image(folder / name / f"{picture:03}{suffix}", seed, tint=number)
    return folder


def needs_shared(*parts: str) -> Path:
    """A folder of development data; the test is skipped where it is absent."""
    folder = SHARED.joinpath(*parts)
    if not folder.exists():
        pytest.skip(f"development data is absent: {'/'.join(parts)}")
    return folder


def is_root() -> bool:
    """Whether permissions mean nothing to this process."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
