"""Whether a text file is in the one encoding that lists and manifests are read in."""

from __future__ import annotations


def is_other_than_utf8(content: bytes) -> bool:
    """Whether a file is UTF-16 or UTF-32 (some programs' "Unicode"), or no text at all. Single
    bytes that are no UTF-8 are left to the reader: a path may hold them."""
    return content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content
