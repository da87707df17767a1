"""What several whole-command tests share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command


@dataclass(frozen=True)
class Exported:
    """An export in every format; tests must not change it."""

    folder: Path
    document: dict[str, Any]


@pytest.fixture(scope="session")
def exported(
    trained_run: Path, tmp_path_factory: pytest.TempPathFactory, dlcli: Command
) -> Exported:
    """The run on the sample data in every format."""
    folder = tmp_path_factory.mktemp("exported") / "animals"
    done = dlcli("export", "--run", trained_run, "--format", "all", "-o", folder, "--json")
    assert done.returncode == 0, done.stderr
    return Exported(folder, json.loads(done.stdout))
