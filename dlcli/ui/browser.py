"""A page in the user's browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def open_in_browser(page: Path) -> bool:
    """Whether there is one that takes the page; where there is no screen, only what $BROWSER names
    is asked, since Python would start a browser for terminals in the place of the answer."""
    import webbrowser

    names = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform not in ("win32", "darwin") and not any(map(os.environ.get, names)):
        return False
    try:
        return webbrowser.open(page.resolve().as_uri())
    except webbrowser.Error:
        return False
