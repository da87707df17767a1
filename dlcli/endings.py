"""How a command ends: expected failures become a sentence and an exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from dlcli.errors import DlcliError, ExitCode, ResourceError, from_os_error
from dlcli.ui import console


def run_app(app: Callable[..., object]) -> NoReturn:
    """Runs the whole command line: streams in UTF-8, Ctrl-C as exit code 130.

    Ends without Python's teardown of modules and libraries, a tenth of a short command's time:
    by then every file is closed, and both streams are flushed here.
    """
    console.use_utf8()
    code: int | str | None = ExitCode.DONE
    try:
        app(prog_name="dlcli")
    except SystemExit as ending:
        code = ending.code
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BaseException:  # noqa: BLE001 - a bug shows its traceback, as it would without this
        sys.excepthook(*sys.exc_info())
        code = ExitCode.FAULT
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    status = code if isinstance(code, int) else ExitCode.FAULT if code else ExitCode.DONE
    if "tensorflow" in sys.modules:  # it leaves temporary files to be removed on exit
        sys.exit(status)
    os._exit(status)


@contextmanager
def sentences() -> Iterator[None]:
    """Expected failures become a sentence on stderr and their exit code; bugs keep a traceback."""
    try:
        yield
        sys.stdout.flush()
    except DlcliError as error:
        _end(error)
    except BrokenPipeError:
        _leave_pipe()
        raise typer.Exit(ExitCode.DONE) from None
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        console.print_error("interrupted")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except EOFError as error:  # Typer would take it for Ctrl-D and hide where it comes from
        raise RuntimeError("an unexpected end of a file") from error
    except MemoryError:
        _end(ResourceError("there is not enough memory.", fix="Close other programs."))
    except OSError as error:
        known = from_os_error(error)
        if known is None:
            raise
        _end(known)


def end_now(error: DlcliError) -> NoReturn:
    """Ends the process from any thread, with a sentence: the main one may wait for ever."""
    console.print_error(str(error))
    os._exit(error.exit_code)


def _end(error: DlcliError) -> None:
    console.print_error(str(error))
    _leave_pipe()
    raise typer.Exit(error.exit_code) from error


def _leave_pipe() -> None:
    """What is still buffered for a closed pipe or a full disk must not fail again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
