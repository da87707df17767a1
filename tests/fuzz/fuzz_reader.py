"""Feeds the reader with whatever a fuzzer finds: pixels or a reason, and nothing else.

It runs for as long as it is told. FOLDER is filled with sound files of every format first and keeps
what is worth trying again; a file that fails lies beside it. From the root of the repository, with
a Python that atheris has wheels for:

    pip install -e ".[heif]" atheris
    python -m tests.fuzz.fuzz_reader FOLDER -max_total_time=600 -timeout=20 -rss_limit_mb=4096 \\
        -artifact_prefix=FOLDER-

and one file again: `python -m tests.fuzz.fuzz_reader FOLDER-crash-...`. pytest does not collect it.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["dlcli", "PIL", "pi_heif"]):
    import numpy as np
    from PIL import Image

    from dlcli.data.frames import MOST_FRAMES, count_frames
    from dlcli.data.picture_formats import opened_image
    from dlcli.data.pixels import PixelFormat, UnreadableImageError, decode_image, lies_sideways
    from tests.data.samples import make_samples

    Image.init()

FORMATS = (
    PixelFormat((32, 32)),
    PixelFormat((16, 40), "pad"),
    PixelFormat((40, 16), "stretch", "grayscale"),
)


def read(content: bytes) -> None:
    """Fails for anything but pixels of the right shape or a reason."""
    pixel_format = FORMATS[len(content) % len(FORMATS)]
    try:
        pixels = decode_image(content, pixel_format)
    except UnreadableImageError as error:
        reason = str(error)
        if not reason.strip() or "\n" in reason:
            raise RuntimeError(f"no reason: {reason!r}") from error
    else:
        if pixels.shape != (*pixel_format.image_size, pixel_format.num_channels):
            raise RuntimeError(f"pixels of the shape {pixels.shape}")
        if pixels.dtype != np.uint8:
            raise RuntimeError(f"pixels of the type {pixels.dtype}")
    look_at_header(content)


def look_at_header(content: bytes) -> None:
    """What is known of a picture without decoding it."""
    try:
        with opened_image(io.BytesIO(content)) as image:
            lies_sideways(image)
            num_frames = count_frames(image)
    except UnreadableImageError:
        return
    if not 1 <= num_frames <= MOST_FRAMES:
        raise RuntimeError(f"{num_frames} frames")


def fill(folder: Path) -> None:
    """Puts sound files into an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        for form, samples in make_samples().items():
            for number, sample in enumerate(samples):
                (folder / f"{form}-{number}").write_bytes(sample)


def main() -> None:
    """Runs the fuzzer with libFuzzer's own options."""
    names = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    if names and not Path(names[0]).is_file():
        fill(Path(names[0]))
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
