r"""Asks an exported model, in a process of its own and by its own runtime.

    python runtimes.py answers FORMAT MODEL PIXELS.npy ANSWERS.npy [PATHS.json ANSWERS.npy]
    python runtimes.py pace FORMAT MODEL PIXELS.npy ANSWERS.npy THREADS SECONDS

FORMAT is saved_model, litert, onnx or keras. Both write what it answers; the last two of `answers`
are of encoded pictures, which a SavedModel takes as well. `pace` also prints how fast it was.

This file is run by its path and imports nothing of dlcli, as the one who receives the model does.
"""

import itertools
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np


BATCH, WARM_UPS, FEWEST_TIMED, MOST_TIMED = 20, 3, 10, 1000

Ask = Callable[[Any], Any]
"""float32 pixels (N, H, W, C) -> probabilities (N, K)."""


def open_saved_model(path: str, threads: int) -> Ask:
    """By plain tf.saved_model.load."""
    tensorflow = limited_tensorflow(threads)
    serve = tensorflow.saved_model.load(path).signatures["serving_default"]
    return lambda pixels: serve(pixels=tensorflow.constant(pixels))["probabilities"].numpy()


def open_litert(path: str, threads: int) -> Ask:
    """By ai_edge_litert: one picture on all threads, several on a thread each."""
    from ai_edge_litert.interpreter import Interpreter

    threads = threads or 1

    def make_one(threads: int) -> Ask:
        interpreter = Interpreter(path, num_threads=threads)
        interpreter.allocate_tensors()
        source = interpreter.get_input_details()[0]["index"]
        target = interpreter.get_output_details()[0]["index"]

        def ask_each(pixels: Any) -> Any:
            answers = []
            for picture in pixels:
                interpreter.set_tensor(source, picture[None])
                interpreter.invoke()
                answers.append(interpreter.get_tensor(target).copy())
            return np.concatenate(answers)

        return ask_each

    alone, pool = make_one(threads), ThreadPoolExecutor(threads)
    several = [make_one(1) for _ in range(threads)]

    def ask(pixels: Any) -> Any:
        if len(pixels) < threads or threads == 1:
            return alone(pixels)
        parts = np.array_split(pixels, threads)
        return np.concatenate(list(pool.map(lambda one, part: one(part), several, parts)))

    return ask


def open_onnx(path: str, threads: int) -> Ask:
    """By onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda pixels: session.run(["probabilities"], {"image": pixels})[0]


def open_keras(path: str, threads: int) -> Ask:
    """By keras.saving.load_model."""
    limited_tensorflow(threads)
    import keras

    ask: Ask = keras.saving.load_model(path, compile=False).predict_on_batch
    return ask


def limited_tensorflow(threads: int) -> Any:
    """TensorFlow, held to `threads`, 0 for as many as it likes."""
    import tensorflow

    if threads:
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    return tensorflow


RUNTIMES: dict[str, Callable[[str, int], Ask]] = {
    "saved_model": open_saved_model,
    "litert": open_litert,
    "onnx": open_onnx,
    "keras": open_keras,
}


def answer(ask: Ask, pixels: Any) -> Any:
    """Probabilities (N, K) of pixels (N, H, W, C), a batch at a time."""
    starts = range(0, len(pixels), BATCH)
    return np.concatenate([ask(pixels[start : start + BATCH]) for start in starts])


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


def pace(ask: Ask, pixels: Any, seconds: float) -> dict[str, float]:
    """How long one picture takes, and how many a second go through in batches; each is measured
    for about `seconds`."""
    ones = time_calls(ask, [pixels[place : place + 1] for place in range(len(pixels))], seconds)
    repeated = np.resize(pixels, (BATCH, *pixels.shape[1:]))
    batches = time_calls(ask, [repeated], seconds)
    return {
        "median_seconds": float(np.median(ones)),
        "p95_seconds": float(np.percentile(ones, 95)),
        "images_per_second": BATCH / float(np.median(batches)),
    }


def time_calls(ask: Ask, inputs: list[Any], seconds: float) -> list[float]:
    """The seconds of each call, after some that do not count: the first ones build what later
    ones use."""
    rounds = itertools.cycle(inputs)
    for asked in itertools.islice(rounds, WARM_UPS):
        ask(asked)
    times: list[float] = []
    while len(times) < MOST_TIMED and (sum(times) < seconds or len(times) < FEWEST_TIMED):
        asked = next(rounds)
        start = perf_counter()
        ask(asked)
        times.append(perf_counter() - start)
    return times


if __name__ == "__main__":
    mode, form, model_path, pixels_path, answers_path, *more = sys.argv[1:]
    asked_pixels = np.load(pixels_path).astype(np.float32)
    model = RUNTIMES[form](model_path, int(more[0]) if mode == "pace" else 0)
    np.save(answers_path, answer(model, asked_pixels))
    if mode == "pace":
        json.dump(pace(model, asked_pixels, float(more[1])), sys.stdout)
    elif more:
        paths_path, encoded_path = more
        np.save(encoded_path, answer_encoded(model_path, json.loads(Path(paths_path).read_text())))
