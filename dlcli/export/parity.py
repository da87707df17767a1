r"""Asks an exported model, in a process of its own and by its own runtime.

    python parity.py saved_model|litert|onnx|keras MODEL PIXELS.npy ANSWERS.npy \
        [PATHS.json ANSWERS.npy]

The last two are of encoded pictures, which a SavedModel takes as well.

This file is run by its path and imports nothing of dlcli, as the one who receives the model does.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np


BATCH = 20


def answer_saved_model(path: str, pixels: Any) -> Any:
    """Probabilities (N, K) of float32 pixels (N, H, W, C), by plain tf.saved_model.load."""
    import tensorflow

    serve = tensorflow.saved_model.load(path).signatures["serving_default"]
    answers = [
        serve(pixels=tensorflow.constant(pixels[start : start + BATCH]))["probabilities"].numpy()
        for start in range(0, len(pixels), BATCH)
    ]
    return np.concatenate(answers)


def answer_encoded(path: str, files: list[str]) -> Any:
    """Probabilities (N, K) of the encoded pictures in N files, by plain tf.saved_model.load."""
    import tensorflow

    serve = tensorflow.saved_model.load(path).signatures["serve_bytes"]
    contents = [Path(file).read_bytes() for file in files]
    answers = [
        serve(image_bytes=tensorflow.constant(contents[start : start + BATCH]))
        for start in range(0, len(contents), BATCH)
    ]
    return np.concatenate([answer["probabilities"].numpy() for answer in answers])


def answer_litert(path: str, pixels: Any) -> Any:
    """Probabilities (N, K) of float32 pixels (N, H, W, C), by ai_edge_litert."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]
    answers = []
    for picture in pixels:
        interpreter.set_tensor(source, picture[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(target).copy())
    return np.concatenate(answers)


def answer_onnx(path: str, pixels: Any) -> Any:
    """Probabilities (N, K) of float32 pixels (N, H, W, C), by onnxruntime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    answers = [
        session.run(["probabilities"], {"image": pixels[start : start + BATCH]})[0]
        for start in range(0, len(pixels), BATCH)
    ]
    return np.concatenate(answers)


def answer_keras(path: str, pixels: Any) -> Any:
    """Probabilities (N, K) of float32 pixels (N, H, W, C), by keras.saving.load_model."""
    import keras

    model = keras.saving.load_model(path, compile=False)
    return model.predict(pixels, batch_size=BATCH, verbose=0)


RUNTIMES = {
    "saved_model": answer_saved_model,
    "litert": answer_litert,
    "onnx": answer_onnx,
    "keras": answer_keras,
}

if __name__ == "__main__":
    form, model_path, pixels_path, answers_path, *encoded = sys.argv[1:]
    np.save(answers_path, RUNTIMES[form](model_path, np.load(pixels_path).astype(np.float32)))
    if encoded:
        paths, answers_path = encoded
        np.save(answers_path, answer_encoded(model_path, json.loads(Path(paths).read_text())))
