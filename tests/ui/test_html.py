"""What all pages have in common."""

from __future__ import annotations

import pytest

from dlcli.ui.html import MOST_LETTERS, data_uri, short, text


@pytest.mark.parametrize("length", [0, 1, MOST_LETTERS - 1, MOST_LETTERS, MOST_LETTERS + 1, 9999])
def test_a_name_keeps_its_ends(length: int) -> None:
    name = "".join(chr(97 + number % 26) for number in range(length))
    shown = short(name)
    assert len(shown) == min(length, MOST_LETTERS)
    if length > MOST_LETTERS:
        assert shown.count("…") == 1
        head, _, tail = shown.partition("…")
        assert name.startswith(head)
        assert name.endswith(tail)
    else:
        assert shown == name


def test_bytes_that_are_no_text() -> None:
    assert text("a\udcffb") == "a\N{REPLACEMENT CHARACTER}b"
    assert text("grüße") == "grüße"


def test_pictures_inside() -> None:
    assert data_uri(b"ab") == "data:image/jpeg;base64,YWI="
    assert data_uri(None) is None
