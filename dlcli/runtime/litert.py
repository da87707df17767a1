"""A body on LiteRT: the door to ai_edge_litert."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli.errors import DataError
from dlcli.processor import silenced_stderr


class LiteRtBody:
    """Runs a .tflite body one picture at a time on one thread.

    An interpreter on one thread a caller outruns one interpreter on all threads (measured: 130
    against 101 pictures a second on two cores), and a picture's features never depend on its
    neighbours. Each thread that calls gets an interpreter of its own, made when first needed.
    `image_size` is (height, width), `num_channels` 3 for RGB and 1 for grey.
    """

    prefers_batches = False

    def __init__(self, path: Path, image_size: tuple[int, int], num_channels: int = 3) -> None:
        self._path = path
        self._shape = (*image_size, num_channels)
        self._idle: list[Any] = []
        self._lock = threading.Lock()
        first = self._make_interpreter()
        self._idle.append(first)
        self.num_features = int(first.get_output_details()[0]["shape"][-1])

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (B, H, W, C), 0-255 -> float32 (B, F).

        Raises:
            ValueError: if the pictures are not of the body's size and channels; LiteRT itself
                would not say so of the size.
        """
        if pixels.shape[1:] != self._shape:
            raise ValueError(f"the body takes {self._shape} pixels, got {pixels.shape[1:]}")
        features = np.empty((len(pixels), self.num_features), np.float32)
        interpreter = self._take_interpreter()
        source = interpreter.get_input_details()[0]["index"]
        target = interpreter.get_output_details()[0]["index"]
        for row, picture in enumerate(pixels):
            interpreter.set_tensor(source, picture[None].astype(np.float32))
            interpreter.invoke()
            features[row] = interpreter.get_tensor(target)[0]
        with self._lock:
            self._idle.append(interpreter)
        return features

    def _take_interpreter(self) -> Any:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._make_interpreter()

    def _make_interpreter(self) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        try:
            with silenced_stderr():
                interpreter = Interpreter(**_model_of(self._path), num_threads=1)
                interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise DataError(
                f"LiteRT cannot load this model: {error}.",
                where=str(self._path),
                fix="Train again, or take the run from a backup.",
            ) from error
        found = tuple(int(size) for size in interpreter.get_input_details()[0]["shape"][1:])
        if found != self._shape:
            raise DataError(
                f"this model takes {found} pixels, its model.json says {self._shape}.",
                where=str(self._path),
            )
        return interpreter


def _model_of(path: Path) -> dict[str, Any]:
    """How the interpreter gets its model: mapped by its path, or its bytes where the path has
    some that are no UTF-8, which LiteRT cannot take."""
    try:
        return {"model_path": str(path).encode("utf-8").decode("utf-8")}
    except UnicodeEncodeError:
        return {"model_content": path.read_bytes()}
