"""What the pages have in common: templates that escape every name, and pictures inside."""

from __future__ import annotations

import base64
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_LETTERS = 160
"""Of a name or a reason: a page must not grow with them."""


def render_page(template: str, **values: Any) -> str:
    """The HTML document that a file of `templates/` and these values make. Whatever the values
    say is text: only `markupsafe.Markup` is taken for HTML."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    import jinja2

    return jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.PackageLoader("dlcli.ui"),
    )


def data_uri(content: bytes | None) -> str | None:
    """A JPEG as an address that holds it."""
    if content is None:
        return None
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode('ascii')}"


def text(name: str) -> str:
    """Bytes of a path that were no UTF-8 cannot stand in a page."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def short(name: str, most: int = MOST_LETTERS) -> str:
    """`text`, without the middle of what is too long."""
    shown = text(name)
    if len(shown) <= most:
        return shown
    return f"{shown[: most // 2]}…{shown[len(shown) - most // 2 + 1 :]}"
