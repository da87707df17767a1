"""HEIC and HEIF, the pictures of phones, read with the extra `heif` (pi-heif).

The plugin turns a picture upright by the container's own turn and, as the format demands, not by
EXIF; of a file with several pictures it gives the primary one; 10 and 12 bits become 8.
"""

from __future__ import annotations

import importlib.util
from typing import BinaryIO, cast

from PIL import Image

from dlcli.data.unreadable import UnreadableImageError

INSTALL_HEIF = "pip install 'dlcli-vision[heif]'"

_HEIF_BRANDS = frozenset(
    (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1")
)
_ITEM_VERSIONS, _LEAST_ITEM_BYTES = (b"\0", b"\1", b"\2", b"\3"), 16
_AVIF_BRANDS = frozenset((b"avif", b"avis"))


def heif_version() -> str | None:
    """The version of the plugin that reads HEIC, None where it is not installed."""
    if importlib.util.find_spec("pi_heif") is None:
        return None
    from importlib.metadata import version  # takes longer to import than to ask

    return version("pi-heif")


def is_heif(beginning: bytes) -> bool:
    """By the brands of the file type box (ISO 14496-12); an AVIF may bear the common ones too."""
    if beginning[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(beginning[:4]), len(beginning))
    brands = {beginning[start : start + 4] for start in (8, *range(16, end, 4))}
    return beginning[8:12] in _HEIF_BRANDS and not brands & _AVIF_BRANDS


def open_heif(file: BinaryIO) -> Image.Image:
    """Without the plugin's registration, which would change Pillow for the whole process."""
    try:
        import pi_heif  # type: ignore[import-untyped]
    except ImportError as error:
        reason = f"a HEIC picture; to read these: {INSTALL_HEIF}"
        raise UnreadableImageError(reason) from error
    file.seek(0)
    _require_named_items(file.read())
    return cast(Image.Image, pi_heif.HeifImageFile(file))


def _require_named_items(content: bytes) -> None:
    """pi_heif 1.4 crashes, and the process with it, where the kind of an item is not UTF-8. Each is
    in a box of its own (ISO 14496-12): size, "infe", version, 3 bytes, number, 2 bytes, kind."""
    place = 0
    while (place := content.find(b"infe", place + 1)) > 0:
        size = int.from_bytes(content[max(0, place - 4) : place])
        version = content[place + 4 : place + 5]
        if version not in _ITEM_VERSIONS:
            continue  # chance wrote the word among the pixels
        kind = place + (14 if version == b"\3" else 12)
        try:
            content[kind : place - 4 + size].decode("utf-8")
        except UnicodeDecodeError:
            size = 0
        if size < _LEAST_ITEM_BYTES:
            raise UnreadableImageError("damaged: it holds items of no known kind")
