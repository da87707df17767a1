"""The architecture as a test: imports point down, and each heavy library has one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

FLOORS = {
    "errors": 0,
    "events": 0,
    "processor": 0,
    "workers": 0,
    "cache": 1,
    "artifact": 1,
    "machine": 1,
    "cluster": 1,
    "spec": 1,
    "data": 1,
    "metrics": 1,
    "runs": 1,
    "ui": 1,
    "backend": 2,
    "runtime": 2,
    "watch": 2,
    "models": 3,
    "training": 4,
    "export": 4,
    "commands": 5,
    "endings": 5,
    "cli": 6,
    "__main__": 7,
}
SAME_FLOOR = {
    "workers": {"errors"},
    "processor": {"errors"},
    "cache": set(),
    "artifact": {"data"},
    "machine": set(),
    "cluster": set(),
    "spec": set(),
    "data": {"cache"},
    "metrics": set(),
    "runs": {"artifact", "machine", "metrics"},
    "ui": set(),
    "backend": set(),
    "runtime": set(),
    "watch": set(),
    "training": set(),
    "export": set(),
}
DOORS = {
    "keras": {"backend", "export/runtimes"},
    "tensorflow": {"backend", "export/runtimes", "machine/ask"},
    "jax": {"backend", "machine/ask"},
    "torch": {"backend", "machine/ask"},
    "ai_edge_litert": {"runtime/litert", "export/litert", "export/runtimes"},
    "flatbuffers": {"export/litert"},
    "onnx": {"export/onnx"},
    "onnxruntime": {"export/runtimes"},
    "rich": {"ui"},
    "typer": {"cli", "endings"},
    "pydantic": {"spec"},
    "ruamel": {"spec"},
    "sklearn": {"metrics", "training"},
    "scipy": {"data/groups", "metrics"},
    "imagehash": {"data/likeness"},
    "tensorboard": {"watch/tensorboard"},
    "mlflow": {"watch/mlflow"},
    "filelock": {"cache", "runs"},
    "jinja2": {"ui"},
    "matplotlib": {"ui/plots"},
    "pi_heif": {"data"},
    "PIL": {"data", "ui/heat_picture"},
    "h5py": {"models"},
}
MODULES = sorted((ROOT / "dlcli").rglob("*.py"))


def imports_of(path: Path) -> Iterator[tuple[str, bool]]:
    """(module, only for types) of every import in a file, at any depth."""
    tree = ast.parse(path.read_text())
    only_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node in only_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node in only_types
            if node.module == "dlcli":
                yield from ((f"dlcli.{alias.name}", node in only_types) for alias in node.names)


def _imported_at_once(path: Path) -> set[str | None]:
    """What importing a module imports, but for what stands below an `if`."""
    tree = ast.parse(path.read_text())
    plain = [node for node in tree.body if isinstance(node, ast.Import)]
    named = {alias.name for node in plain for alias in node.names}
    return named | {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}


def part_of(path: Path) -> str:
    """`data` for dlcli/data/pixels.py, `cli` for dlcli/cli/."""
    return path.relative_to(ROOT / "dlcli").with_suffix("").parts[0]


def test_there_are_modules_to_check() -> None:
    assert len(MODULES) > 50
    assert {part_of(path) for path in MODULES} <= {*FLOORS, "__init__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    own = part_of(path)
    if own == "__init__":
        assert _imported_at_once(path) <= {"__future__"}, "importing dlcli must import nothing"
        return
    for module, only_types in imports_of(path):
        first, _, rest = module.partition(".")
        other = rest.partition(".")[0]
        if first != "dlcli" or other in ("", own, "__version__"):
            continue
        if own == "ui" and only_types:
            continue  # what is rendered is typed by the floor that made it
        if FLOORS[own] == FLOORS[other]:
            assert other in SAME_FLOOR[own], f"{own} must not import {other}"
        else:
            assert FLOORS[own] > FLOORS[other], f"{own} must not import {other}"


@pytest.mark.parametrize("library", DOORS)
def test_a_library_has_one_door(library: str) -> None:
    users = set()
    for path in MODULES:
        if any(module.partition(".")[0] == library for module, _ in imports_of(path)):
            users.add(path.relative_to(ROOT / "dlcli").with_suffix("").as_posix())
    allowed = DOORS[library]
    strays = {user for user in users if not any(f"{user}/".startswith(f"{a}/") for a in allowed)}
    assert users, f"nothing uses {library}"
    assert not strays


def test_runtime_never_reaches_the_backend() -> None:
    files = sorted((ROOT / "dlcli" / "runtime").glob("*.py"))
    assert len(files) >= 4
    for path in files:
        assert "dlcli.backend" not in {module for module, _ in imports_of(path)}


def test_only_ui_and_cli_print() -> None:
    printing = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if name in ("print", "sys.stdout.write", "sys.stderr.write"):
                printing.append(part_of(path))
    assert printing, "the console writes somewhere"
    assert set(printing) <= {"ui", "cli"}
