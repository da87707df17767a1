"""Opening a page: in what the user names, in nothing where there is nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dlcli.ui.browser import open_in_browser

pytestmark = pytest.mark.skipif(
    sys.platform in ("win32", "darwin"), reason="there the system knows the browser"
)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "a page.html"
    file.write_text("<p>hello")
    return file


def test_the_browser_that_is_named_gets_the_address(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "browse"
    program.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/asked\n')
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{program} %s")
    monkeypatch.setattr("webbrowser._tryorder", None)
    assert open_in_browser(page)
    assert (tmp_path / "asked").read_text() == page.as_uri()


def test_without_a_screen_there_is_none(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not open_in_browser(page)


def test_one_that_cannot_be_started_is_none(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", "/no/such/program %s")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("webbrowser._tryorder", None)
    assert not open_in_browser(page)
