"""What the tests of the terminal share."""

from __future__ import annotations

import pytest


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text without colour."""
    monkeypatch.setenv("NO_COLOR", "1")
