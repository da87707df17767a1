"""Pages as a browser takes them, without one."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "img", "link", "br", "hr", "input"}


class Page(HTMLParser):
    """Checks that tags nest, and collects what a browser would load, run or show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.handlers: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "data"):
                self.sources.append(value or "")
            elif name == "href":
                self.targets.append(value or "")
            elif name == "id":
                self.ids.append(value or "")
            elif name.startswith("on"):
                self.handlers.append(name)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def read_page(text: str) -> Page:
    """The page, whose tags all nest."""
    page = Page(text)
    assert page.open == []
    return page


def require_alone(text: str) -> None:
    """It is whole, asks for nothing from elsewhere, runs nothing, and has all its looks."""
    page = read_page(text)
    assert page.tags[:2] == ["html", "head"]
    assert not set(page.tags) & {"script", "link", "iframe", "object"}
    assert page.handlers == []
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert all(target.startswith("#") for target in page.targets)
    assert {target[1:] for target in page.targets} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert "@import" not in text
    assert "http" not in text
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    assert "@media screen and (prefers-color-scheme: dark)" in text
    assert "@media print" in text
