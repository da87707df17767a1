"""Names against contents."""

from __future__ import annotations

import pytest

from dlcli.data.suffixes import has_wrong_suffix


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("a.jpg", "JPEG"),
        ("A.JPEG", "JPEG"),
        ("a.jfif", "JPEG"),
        ("a.jpg", "MPO"),
        ("a.mpo", "JPEG"),
        ("a.pgm", "PPM"),
        ("a.pnm", "PPM"),
        ("a.tif", "TIFF"),
        ("a.tiff", "TIFF"),
        ("a.jp2", "JPEG2000"),
        ("a.j2k", "JPEG2000"),
        ("a.dib", "BMP"),
        ("a.apng", "PNG"),
        ("a.heic", "HEIF"),
        ("a.heif", "AVIF"),
        ("a.avif", "AVIF"),
        ("a.ico", "CUR"),
        ("no suffix", "PNG"),
        (".hidden", "PNG"),
        ("IMG.2021", "JPEG"),
        ("cat no. 7 (old)", "GIF"),
        ("a.jpg_large", "PNG"),
    ],
)
def test_right(name: str, held: str) -> None:
    assert not has_wrong_suffix(name, held)


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("a.png", "JPEG"),
        ("a.jpg", "PNG"),
        ("a.jpg", "WEBP"),
        ("a.gif", "BMP"),
        ("a.tif", "PNG"),
        ("a.heic", "JPEG"),
        ("a.dat", "JPEG"),
    ],
)
def test_wrong(name: str, held: str) -> None:
    assert has_wrong_suffix(name, held)
