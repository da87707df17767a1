"""UTF-8, or another encoding."""

from __future__ import annotations

import pytest

from dlcli.data.encoding import is_other_than_utf8


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_wide_characters_are_seen(encoding: str) -> None:
    assert is_other_than_utf8("a.jpg,Größe\n".encode(encoding))


@pytest.mark.parametrize("content", [b"", b"a.jpg", "\ufeffGröße,猫".encode(), b"caf\xe9.jpg"])
def test_utf_8_and_single_odd_bytes_pass(content: bytes) -> None:
    assert not is_other_than_utf8(content)
