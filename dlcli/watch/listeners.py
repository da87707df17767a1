"""One reporter that several listen to, and none of them can stop the work."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dlcli.errors import ResourceError
from dlcli.events import Event, Reporter, Warned


class Listeners:
    """Passes every event on to `reporter` and to the listeners, by name. One that fails is told of
    once and asked no more: who watches a training does not end it."""

    def __init__(self, reporter: Reporter, listeners: Mapping[str, Reporter]) -> None:
        self._reporter = reporter
        self._listeners = dict(listeners)

    def report(self, event: Event) -> None:
        """Tells everybody."""
        self._reporter.report(event)
        for name, listener in tuple(self._listeners.items()):
            try:
                listener.report(event)
            except Exception as error:  # noqa: BLE001 - a client of a server may raise anything
                del self._listeners[name]
                told = f"{name} fails and is told no more ({reason(error)}); the training goes on"
                self._reporter.report(Warned(told))


def missing(package: str, option: str) -> ResourceError:
    """For a package that an option needs, which has an extra of its name."""
    return ResourceError(
        f"this needs {package}, which is not installed.",
        where=option,
        fix=f"pip install 'dlcli-vision[{package}]'",
    )


def reason(error: Exception, longest: int = 240) -> str:
    """The first line of an error, up to so many characters of it, without the password that an
    address may hold."""
    first = without_password(str(error).strip().partition("\n")[0]).rstrip(".")
    if len(first) > longest:
        first = first[:longest] + " ..."
    return first or type(error).__name__


def without_password(text: str) -> str:
    """`https://host` of `https://user:password@host`"""
    return re.sub(r"://[^/@\s]*@", "://", text)
