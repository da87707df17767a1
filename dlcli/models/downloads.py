"""The ImageNet weights of `keras.applications`: found where Keras keeps them, else fetched."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from dlcli.errors import DataError, ResourceError, from_os_error
from dlcli.events import Reporter, Said, StageAdvanced, StageEnded, StageStarted
from dlcli.models.registry import Backbone, DownloadedWeights

STAGE = "fetching the weights"
_SECONDS = 15
"""The patience for a connection, and for the next piece of the file."""
_PIECE = 2**18
_MB = 10**6
_BYTES_A_PARAMETER = 4


def imagenet_weights(backbone: Backbone, reporter: Reporter) -> Path:
    """The file of a backbone's ImageNet weights, fetched if it must and can be.

    Raises:
        ResourceError: if it is not here and cannot be fetched, or its package is missing.
        DataError: if it is here and damaged.
    """
    weights = backbone.weights
    if isinstance(weights, DownloadedWeights) and not backbone.are_weights_here():
        _fetch(backbone, weights, reporter)
    return sound_weights(backbone)


def sound_weights(backbone: Backbone) -> Path:
    """The file of a backbone's ImageNet weights on this machine, its checksum compared.

    Raises:
        ResourceError: if it is not here.
        DataError: if it is damaged.
    """
    path, weights = backbone.weights_path(), backbone.weights
    if isinstance(weights, DownloadedWeights):
        found = _checksum(path, weights)
        if found != weights.checksum:
            raise DataError(
                f"its checksum is {found}, not {weights.checksum}: the file is damaged.",
                where=str(path),
                fix=f"Remove it; it is fetched again from {weights.url}",
            )
    return path


def _checksum(path: Path, weights: DownloadedWeights) -> str:
    """Of the kind Keras names for this file; empty where it names none."""
    if not weights.checksum:
        return ""
    with path.open("rb") as file:
        kind = "md5" if len(weights.checksum) == 32 else "sha256"
        return hashlib.file_digest(file, kind).hexdigest()


def _fetch(backbone: Backbone, weights: DownloadedWeights, reporter: Reporter) -> None:
    path = weights.path()
    size = f"{backbone.parameters * _BYTES_A_PARAMETER / _MB:.0f} MB"
    reporter.report(Said(f"fetching {path.name} (about {size}) from {weights.url}"))
    with _new_file(path) as building:
        try:
            with building.open("wb") as file:
                _download(weights.url, file, reporter)
        except (OSError, http.client.HTTPException) as error:
            # A full disk is no fault of the network.
            full = from_os_error(error) if isinstance(error, OSError) else None
            how = f"are not here and could not be fetched ({_reason(error)})"
            raise full or backbone.missing_weights(how) from error
        if _checksum(building, weights) != weights.checksum:
            how = "are not here, and what came is not the file that was asked for"
            raise backbone.missing_weights(how)
    reporter.report(StageEnded(STAGE))


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """A file to write; it gets its name when the block ends well, and vanishes otherwise."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    except OSError as error:
        raise from_os_error(error) or ResourceError(str(error)) from error
    os.close(descriptor)
    building = Path(name)
    try:
        yield building
        building.replace(path)
    finally:
        building.unlink(missing_ok=True)


def _download(url: str, file: IO[bytes], reporter: Reporter) -> None:
    """Copies what lies at `url` into `file`.

    Raises:
        OSError: if it cannot be reached or stops half-way.
        HTTPException: if the answer makes no sense.
    """
    with urllib.request.urlopen(url, timeout=_SECONDS) as response:  # noqa: S310 - a URL of ours
        length = int(response.headers.get("Content-Length", 0))
        reporter.report(StageStarted(STAGE, -(-length // _MB) or None))
        done = 0
        while piece := response.read(_PIECE):
            file.write(piece)
            done += len(piece)
            reporter.report(StageAdvanced(STAGE, done // _MB))
    if done < length:
        raise ConnectionError(f"the connection broke after {done} of {length} bytes")


def _reason(error: Exception) -> str:
    """What a failed connection says for itself, in one line."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}".strip()
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return " ".join(text.split())
