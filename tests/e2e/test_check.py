"""The data doctor as a whole: streams, exit codes, a folder that stays as it was, hostile files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dlcli.data.findings import FROM_A_RUN, KINDS
from tests.conftest import Command, needs_shared
from tests.data.drawings import draw, write_drawings
from tests.data.test_quality import make_dirty


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    return make_dirty(tmp_path / "dirty")


def listing(folder: Path) -> dict[str, tuple[int, int, int]]:
    """What a look at every file shows: its size, and when it was changed."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_size,
            path.stat().st_mtime_ns,
            path.stat().st_ino,
        )
        for path in [folder, *folder.rglob("*")]
    }


def read(text: str) -> dict[str, Any]:
    return dict(json.loads(text))


def test_the_answer_is_on_stdout_and_nothing_else_is(dirty: Path, dlcli: Command) -> None:
    done = dlcli("check", dirty)
    assert (done.returncode, done.stderr) == (0, "")
    for kind in set(KINDS) - FROM_A_RUN:
        assert f"\n {kind} " in done.stdout
    document = dlcli("check", dirty, "--json", "--quiet")
    assert (document.returncode, document.stderr) == (0, "")
    assert {one["kind"] for one in read(document.stdout)["findings"]} == set(KINDS) - FROM_A_RUN


def test_two_checks_say_the_same(dirty: Path, dlcli: Command) -> None:
    assert dlcli("check", dirty, "--json").stdout == dlcli("check", dirty, "--json").stdout


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 0),
        (["--fail-on", "leak"], 6),
        (["--fail-on", "corrupt,leak", "--fail-on", "duplicate"], 6),
        (["--strict"], 4),
        (["--strict", "--fail-on", "leak"], 4),
    ],
)
def test_exit_codes_come_after_the_answer(
    options: list[str], code: int, dirty: Path, dlcli: Command
) -> None:
    done = dlcli("check", dirty, "--json", *options)
    assert done.returncode == code
    assert len(read(done.stdout)["gates"]) == len(
        [o for o in ",".join(options).split(",") if o in KINDS]
    )
    assert bool(done.stderr) == bool(code)
    assert "Traceback" not in done.stderr


def test_the_folder_stays_as_it_was(dirty: Path, tmp_path: Path, dlcli: Command) -> None:
    before = listing(dirty)
    assert len(before) > 50
    page = tmp_path / "page.html"
    assert dlcli("check", dirty, "--report", page).returncode == 0
    assert dlcli("check", dirty, "--report", dirty / "page.html").returncode == 2
    assert dlcli("check", ".", "--json", cwd=dirty).returncode == 0
    assert listing(dirty) == before
    assert page.read_text().count("data:image/jpeg;base64,") > 15


def test_a_read_only_folder(dirty: Path, dlcli: Command) -> None:
    folders = [dirty, *(path for path in dirty.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert dlcli("check", dirty).returncode == 0
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_findings_are_what_exclude_takes(dirty: Path, tmp_path: Path, dlcli: Command) -> None:
    """From a check over a spec to a check that is content."""
    gates = ("--fail-on", "leak,label_conflict,corrupt,duplicate,tiny,blank")
    found = dlcli("check", dirty, "--json", *gates)
    assert found.returncode == 6
    (tmp_path / "findings.json").write_text(found.stdout)
    spec = tmp_path / "spec.yaml"
    spec.write_text("data:\n  folder: dirty\n  exclude: findings.json\n")
    done = dlcli("check", spec, "--json", *gates)
    assert done.returncode == 0, done.stderr
    left_out = {path for one in read(found.stdout)["findings"] for path in one["exclude"]}
    skipped = {one["path"]: one["reason"] for one in read(done.stdout)["skipped"]}
    assert skipped == dict.fromkeys(left_out, "excluded by findings.json")


def test_awkward_names(tmp_path: Path, dlcli: Command) -> None:
    names = ["a<b>&.png", "two\nlines.png", "cöt ñ.png", "'q'\".png"]
    if sys.platform.startswith("linux"):
        names.append(os.fsdecode(b"no utf-8 \xff.png"))
    folder = tmp_path / "my <pictures>" / "cat"
    folder.mkdir(parents=True)
    for name in names:
        draw(1).save(folder / name)
    page = tmp_path / "page.html"
    done = dlcli("check", folder.parent, "--report", page)
    assert done.returncode == 0, done.stderr
    assert page.read_text(encoding="utf-8").count("a&lt;b&gt;&amp;.png") == 1
    [duplicate] = [
        one
        for one in read(dlcli("check", folder.parent, "--json").stdout)["findings"]
        if one["kind"] == "duplicate"
    ]
    assert sorted(duplicate["paths"]) == sorted(f"cat/{name}" for name in names)


def test_a_closed_pipe_is_no_error(dirty: Path) -> None:
    command = f"'{sys.executable}' -m dlcli check '{dirty}' --json | head -c 5"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, '{\n  "', "")


@pytest.mark.parametrize("more", [[], ["--report", "page.html"]])
def test_it_loads_no_framework(more: list[str], tmp_path: Path) -> None:
    folder = write_drawings(tmp_path / "data", {"a": 3, "b": 3})
    command = [sys.executable, "-X", "importtime", "-m", "dlcli", "check", str(folder), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "dlcli.data.quality" in imported
    heavy = {"keras", "tensorflow", "jax", "torch", "sklearn", "pydantic", "matplotlib", "rich"}
    assert not imported & heavy
    assert ("jinja2" in imported) == bool(more)


@pytest.mark.slow
def test_hostile_files_are_each_used_or_named(tmp_path: Path, dlcli: Command) -> None:
    """Each counted once, without a word from a library."""
    hostile = needs_shared("hostile")
    folder = tmp_path / "dirty"
    shutil.copytree(hostile, folder)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert len(files) > 200
    done = dlcli("check", folder, "--json", "--quiet", "--report", tmp_path / "page.html")
    assert (done.returncode, done.stderr) == (0, "")
    document = read(done.stdout)
    skipped = [one["path"] for one in document["skipped"]]
    assert len(skipped) == len(set(skipped))
    assert set(skipped) <= files
    assert document["num_images"] + len(skipped) + document["num_ignored"] == len(files)
    assert all(one["reason"] for one in document["skipped"])
    corrupt = {one["paths"][0] for one in document["findings"] if one["kind"] == "corrupt"}
    assert corrupt == set(skipped)
    turned = [one for one in document["findings"] if one["kind"] == "turned"]
    assert len([one for one in turned if "exif_orientation" in one["paths"][0]]) == 7
    assert {path for one in document["findings"] for path in one["paths"]} <= files
