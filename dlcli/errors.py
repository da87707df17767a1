"""What can go wrong, said so that it can be mended: what, where, how."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command; scripts rely on them."""

    DONE = 0
    FAULT = 1
    USAGE = 2
    SPEC = 3
    DATA = 4
    PARTIAL = 5
    GATE = 6
    RESOURCE = 7
    INTERRUPTED = 130


class DlcliError(Exception):
    """An expected failure: a sentence for the user and an exit code, never a traceback.

    `what` says what is wrong, `where` (a file, a key, an option) comes first in the message,
    `fix` says how to mend it.
    """

    exit_code = ExitCode.FAULT

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(str(self))

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head} {self.fix}" if self.fix else head


class UsageError(DlcliError):
    """A wrong option, or a path, run, class or metric that is not there."""

    exit_code = ExitCode.USAGE


class SpecError(DlcliError):
    """All the faults of a spec at once, a line each."""

    exit_code = ExitCode.SPEC

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        count = "1 fault." if len(self.faults) == 1 else f"{len(self.faults)} faults."
        closing = f"{count} See every setting: dlcli init --template full"
        super().__init__("\n".join([*self.faults, closing]))


class DataError(DlcliError):
    """Pictures that cannot be trained on, or a damaged run or artefact."""

    exit_code = ExitCode.DATA


class GateError(DlcliError):
    """A threshold that was asked for and not met."""

    exit_code = ExitCode.GATE


class ResourceError(DlcliError):
    """Something of the machine is missing: disk, memory, a package, a device."""

    exit_code = ExitCode.RESOURCE


_PATH = (str, bytes, os.PathLike)
_DISK_FIXES = {
    errno.ENOSPC: "Free some disk space or name another place.",
    errno.EDQUOT: "Free some of your disk quota or name another place.",
    errno.EFBIG: "Files may not grow as large there: name another place, or raise `ulimit -f`.",
    errno.EROFS: "That file system is read-only: name another place.",
    errno.EACCES: "You may not write there: name another place or change its permissions.",
    errno.EPERM: "You may not write there: name another place or change its permissions.",
    errno.ENOTDIR: "A part of that path is a file: name another place.",
    errno.EEXIST: "A file stands there already: name another place.",
    errno.EISDIR: "A folder stands there already: name another place.",
    errno.ELOOP: "Links lead in a circle there: name another place.",
    errno.ENAMETOOLONG: "That name is too long: choose a shorter one.",
    errno.EMFILE: "Too many files are open: raise the limit with `ulimit -n`.",
}


def from_os_error(error: OSError) -> ResourceError | None:
    """The sentence for a full disk, a read-only place and the like; None for a bug of ours."""
    fix = _DISK_FIXES.get(error.errno or 0)
    if fix is None:
        return None
    # Of two files, as in a copy, the second is the one that is written.
    named = error.filename2 if error.filename2 is not None else error.filename
    where = os.fsdecode(named) if isinstance(named, _PATH) else ""
    return ResourceError(f"{error.strerror}.", where=where, fix=fix)
