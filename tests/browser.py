"""A headless Chromium, asked over a pipe (the DevTools protocol): no library, no port."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass
class Seen:
    """What a browser made of a page: what it complained of, which addresses it asked for beside
    the page's own, and how wide and high the page is (CSS pixels)."""

    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    width: int = 0
    height: int = 0
    text: str = ""
    picture: bytes = b""


def find_chromium() -> str:
    """The program; the test is skipped where there is none, or no pipe to it."""
    if os.name == "nt":
        pytest.skip("the browser is asked over descriptors that Windows does not pass on")
    for name in NAMES:
        if found := shutil.which(name):
            return found
    pytest.skip("there is no Chromium here (Debian: apt-get install chromium)")


class Browser:
    """One browser process."""

    def __init__(self, process: subprocess.Popen[bytes], into: int, out_of: int) -> None:
        self._process, self._into, self._out_of = process, into, out_of
        self._rest, self._number, self._events = b"", 0, []  # type: ignore[var-annotated]
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session: str | None = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    _session = None

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._into, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            self._events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return dict(answer["result"])

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            chunk = os.read(self._out_of, 1 << 16)
            if not chunk:
                raise RuntimeError("the browser has gone")
            self._rest += chunk
        one, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(one))

    def _wait_for(self, method: str) -> None:
        while not any(event.get("method") == method for event in self._events):
            self._events.append(self._read())

    def look(
        self,
        page: Path,
        width: int,
        *,
        scheme: str = "light",
        height: int = 900,
        shot: bool = False,
    ) -> Seen:
        """Opens a file in a window of that width, in a light or a dark look."""
        self._events.clear()
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", media="screen", features=features)
        url = page.resolve().as_uri()
        self.ask("Page.navigate", url=url)
        self._wait_for("Page.loadEventFired")
        seen = Seen(
            width=self.value("document.documentElement.scrollWidth"),
            height=self.value("document.documentElement.scrollHeight"),
            text=self.value("document.body.innerText"),
        )
        for event in self._events:
            _take_in(event, url, seen)
        if shot:
            clip = {"x": 0, "y": 0, "width": width, "height": seen.height, "scale": 1}
            taken = self.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
            seen.picture = base64.b64decode(taken["data"])
        return seen

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript gives in the page."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"]["value"]

    def pdf(self) -> bytes:
        """The page as it is printed on A4, without backgrounds unless it insists."""
        self.ask("Emulation.setEmulatedMedia", media="", features=[])
        printed = self.ask("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)
        return base64.b64decode(printed["data"])


def _take_in(event: dict[str, Any], url: str, seen: Seen) -> None:
    method, about = event.get("method"), event.get("params", {})
    if method == "Network.requestWillBeSent":
        asked = str(about["request"]["url"])
        if asked != url and not asked.startswith("data:"):
            seen.requests.append(asked)
    elif method == "Log.entryAdded":
        seen.complaints.append(str(about["entry"]["text"]))
    elif method == "Runtime.exceptionThrown":
        seen.complaints.append(str(about["exceptionDetails"]["text"]))
    elif method == "Runtime.consoleAPICalled":
        seen.complaints.append(f"console: {about['args']}")


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser that keeps what it must in the folder `profile`."""
    program = find_chromium()
    theirs_in, into = os.pipe()
    out_of, theirs_out = os.pipe()

    def place() -> None:
        """The pipe's ends are descriptors 3 and 4 by convention; first out of each other's way."""
        first, second = os.dup(theirs_in), os.dup(theirs_out)
        while first in (3, 4) or second in (3, 4):
            first, second = os.dup(theirs_in), os.dup(theirs_out)
        os.dup2(first, 3)
        os.dup2(second, 4)

    command = [
        program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
        "--hide-scrollbars", f"--user-data-dir={profile}", "about:blank",
    ]  # fmt: skip
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        close_fds=False,
        preexec_fn=place,  # noqa: PLW1509 - no thread of ours is in the way
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Browser(process, into, out_of)
    finally:
        os.close(into)
        os.close(out_of)
        process.terminate()
        process.wait(30)
