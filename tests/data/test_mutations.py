"""Damaged files of every format: each gives pixels or a reason, and never anything else."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from dlcli.data.frames import MOST_FRAMES, count_frames
from dlcli.data.picture_formats import opened_image
from dlcli.data.pixels import UnreadableImageError
from tests.data.pictures import encode, lying, noise, pixels_or_reason, whole
from tests.data.samples import FORMS, make_samples

TIMES = 80
pytestmark = pytest.mark.filterwarnings("ignore")


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, and now and then a piece cut out or the end cut off."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 7)):
        changed[rng.integers(len(changed))] = rng.integers(256)
    start, end = sorted(rng.integers(0, len(changed), 2))
    match rng.integers(6):
        case 0:
            del changed[start:]
        case 1:
            del changed[start:end]
        case _:
            pass
    return bytes(changed)


def lightly_damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """One bit turned."""
    changed = bytearray(content)
    changed[rng.integers(len(changed))] ^= 1 << rng.integers(8)
    return bytes(changed)


def frames_or_reason(content: bytes) -> None:
    """Fails for anything but a sensible number of frames or a reason."""
    reason, num_frames = "none", 1
    try:
        with opened_image(io.BytesIO(content)) as image:
            num_frames = count_frames(image)
    except UnreadableImageError as error:
        reason = str(error)
    assert reason.strip()
    assert 1 <= num_frames <= MOST_FRAMES


def in_time(work: Callable[[], list[bool]]) -> list[bool]:
    """What `work` finds; the test fails where it hangs."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(120)


@pytest.mark.parametrize("form", FORMS)
def test_damaged_bytes_give_pixels_or_a_reason(form: str) -> None:
    if form == "HEIC":
        pytest.importorskip("pi_heif")
    samples = make_samples()[form]

    def read() -> list[bool]:
        found = []
        for number, sample in enumerate(samples):
            assert pixels_or_reason(sample)
            rng = np.random.default_rng([len(form), number])
            for damage in (damaged, lightly_damaged):
                for content in (damage(sample, rng) for _ in range(TIMES // 2)):
                    found.append(pixels_or_reason(content))
                    frames_or_reason(content)
        return found

    found = in_time(read)
    assert len(found) == TIMES * len(samples)
    assert {True, False} == set(found)


def test_two_thousand_files_are_damaged_beside_avif_and_heic() -> None:
    counts = {form: TIMES * len(samples) for form, samples in make_samples().items()}
    assert tuple(counts) == FORMS
    assert sum(counts.values()) - counts["AVIF"] - counts["HEIC"] == 2000


def test_damage_in_the_exif_leaves_the_picture_readable() -> None:
    """It is then turned as EXIF says, or not at all."""
    upright = noise(40, 30)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x011A] = 6, "maker", 72.0
    exif.get_ifd(0x8769).update({0x9003: "2020:01:01", 0xA002: 40})
    rng = np.random.default_rng(0)
    sound, num_upright = exif.tobytes(), 0
    for _ in range(600):
        changed = bytearray(sound)
        for _ in range(rng.integers(1, 4)):
            changed[rng.integers(6, len(changed))] = rng.integers(256)
        try:
            content = encode(lying(upright, 6), "PNG", exif=bytes(changed))
        except (SyntaxError, struct.error):  # it is Pillow that will not write such EXIF
            continue
        assert pixels_or_reason(content)
        num_upright += np.array_equal(whole(content, 30, 40), np.asarray(upright))
    assert 300 < num_upright < 600
