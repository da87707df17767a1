"""A request that a server of the exported model answers, and what it answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.commands.open_run import OpenedRun

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SERVING, REQUEST, RESPONSE = "serving", "request.json", "response.json"


def write_serving_example(folder: Path, opened: OpenedRun, pixels: NDArray[np.uint8]) -> None:
    """Writes `serving/` into `folder`: a picture (H, W, C) as TensorFlow Serving's REST door takes
    it, encoded anew so that nothing but its pixels is in it, and the run's answer to it."""
    from dlcli.data.pixels import decode_image
    from dlcli.data.thumbnails import encode_jpeg
    from dlcli.export.serving import request_of
    from dlcli.runs import files

    picture = encode_jpeg(pixels)
    artifact = opened.classifier.artifact
    seen = decode_image(picture, artifact.pixel_format)
    (row,) = opened.classifier.predict_pixels(seen[None])
    index = int(row.argmax())
    answer: dict[str, Any] = {
        "probabilities": [round(float(probability), 6) for probability in row],
        "label": artifact.class_names[index],
        "label_index": index,
    }
    (folder / SERVING).mkdir()
    files.write_json(folder / SERVING / REQUEST, request_of(picture))
    files.write_json(folder / SERVING / RESPONSE, {"predictions": [answer]})
