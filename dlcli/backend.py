"""The door to Keras and TensorFlow: the only module that imports them.

`prepare()` runs once a process. `from dlcli.backend import keras` works from then on and is
refused before, so that no import order can start a framework by accident.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from dlcli import processor

if TYPE_CHECKING:
    keras: Any

Model: TypeAlias = Any
"""A keras.Model, for signatures: Keras carries no type information."""

_prepared: dict[str, Any] = {}


def prepare(*, seed: int = 0) -> None:
    """Starts Keras on TensorFlow, quietly and with every random state seeded.

    A second call with the same choice does nothing.

    Raises:
        RuntimeError: for a second call with another choice.
    """
    choice = {"seed": seed}
    if _prepared:
        if _prepared["choice"] != choice:
            raise RuntimeError(f"Keras already runs with {_prepared['choice']}, not {choice}")
        return
    processor.keep_freed_memory()
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with _own_keras_home(), processor.silenced_stderr():
        import keras
        import tensorflow
    keras.utils.set_random_seed(seed)
    _prepared.update(choice=choice, keras=keras, tensorflow=tensorflow)


def tensorflow() -> Any:
    """The tensorflow module, for what Keras has no words for."""
    return _module("tensorflow")


def _module(name: str) -> ModuleType:
    if not _prepared:
        raise ImportError(f"dlcli.backend.prepare() must run before {name} is used")
    module: ModuleType = _prepared[name]
    return module


def __getattr__(name: str) -> ModuleType:
    if name == "keras":
        return _module("keras")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@contextlib.contextmanager
def _own_keras_home() -> Iterator[None]:
    """Keras writes keras.json into its home on import: it gets a home that vanishes."""
    if "KERAS_HOME" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="dlcli-keras-") as home:
        os.environ["KERAS_HOME"] = home
        try:
            yield
        finally:
            del os.environ["KERAS_HOME"]
