"""Messages and exit codes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dlcli.errors import (
    DataError,
    DlcliError,
    ExitCode,
    GateError,
    ResourceError,
    SpecError,
    UsageError,
    from_os_error,
)


def test_the_exit_codes_are_those_that_scripts_rely_on() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "DONE": 0,
        "FAULT": 1,
        "USAGE": 2,
        "SPEC": 3,
        "DATA": 4,
        "PARTIAL": 5,
        "GATE": 6,
        "RESOURCE": 7,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no such run."), 2),
        (SpecError(["line 1"]), 3),
        (DataError("one class."), 4),
        (GateError("too low."), 6),
        (ResourceError("disk full."), 7),
    ],
)
def test_every_failure_has_its_exit_code(error: DlcliError, code: int) -> None:
    assert error.exit_code == code
    assert isinstance(error, DlcliError)


@pytest.mark.parametrize(
    ("where", "fix", "message"),
    [
        ("", "", "it is broken."),
        ("a/b.yaml", "", "a/b.yaml: it is broken."),
        ("", "Mend it.", "it is broken. Mend it."),
        ("a/b.yaml", "Mend it.", "a/b.yaml: it is broken. Mend it."),
    ],
)
def test_a_message_says_where_what_and_how_to_mend_it(where: str, fix: str, message: str) -> None:
    error = DataError("it is broken.", where=where, fix=fix)
    assert str(error) == message
    assert error.args == (message,)
    assert (error.what, error.where, error.fix) == ("it is broken.", where, fix)


def test_a_spec_error_lists_all_its_faults() -> None:
    error = SpecError(["a.yaml:1:1 one", "a.yaml:2:1 two"])
    lines = str(error).splitlines()
    assert lines[:2] == ["a.yaml:1:1 one", "a.yaml:2:1 two"]
    assert lines[2] == "2 faults. See every setting: dlcli init --template full"
    assert error.faults == ("a.yaml:1:1 one", "a.yaml:2:1 two")
    assert "\n1 fault. " in str(SpecError(["a.yaml:1:1 one"]))


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        (errno.ENOSPC, "Free some disk space"),
        (errno.EDQUOT, "disk quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "You may not write there"),
        (errno.EPERM, "You may not write there"),
        (errno.ENOTDIR, "A part of that path is a file"),
        (errno.EEXIST, "A file stands there already"),
        (errno.EISDIR, "A folder stands there already"),
        (errno.ENAMETOOLONG, "choose a shorter one"),
        (errno.EMFILE, "ulimit -n"),
    ],
)
@pytest.mark.parametrize("name", ["runs/a-1", b"runs/a-1", Path("runs/a-1")])
def test_trouble_of_the_machine_becomes_a_sentence(
    number: int, fix: str, name: str | bytes | Path
) -> None:
    found = from_os_error(OSError(number, os.strerror(number), name))
    assert isinstance(found, ResourceError)
    assert found.where == str(Path("runs/a-1")) or found.where == "runs/a-1"
    assert os.strerror(number) in str(found)
    assert fix in found.fix


def test_of_two_files_the_one_that_is_written_is_named() -> None:
    found = from_os_error(OSError(errno.ENOSPC, "No space left on device", "from", None, "to"))
    assert found is not None
    assert found.where == "to"


@pytest.mark.parametrize("name", [None, 3])
def test_a_descriptor_is_no_place(name: object) -> None:
    found = from_os_error(OSError(errno.ENOSPC, "No space left on device", name))
    assert str(found) == (
        "No space left on device. Free some disk space or name another place."
    )  # fmt: skip


@pytest.mark.parametrize(
    "error", [OSError(errno.EINVAL, "Invalid argument"), OSError("no number"), OSError()]
)
def test_other_trouble_is_a_bug_of_ours(error: OSError) -> None:
    assert from_os_error(error) is None


def test_a_real_error_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file") as caught:
        (tmp_path / "file" / "below").mkdir()
    found = from_os_error(caught.value)
    if os.name != "nt":
        assert found is not None
        assert found.where == str(tmp_path / "file" / "below")
