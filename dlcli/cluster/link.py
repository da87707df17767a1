"""One connection between two processes of a training."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import queue
import socket
import struct
import threading
from typing import Any

from dlcli.errors import DlcliError, ExitCode

_SIZES = struct.Struct("!IQ")
_MOST_HEADER, _MOST_CONTENT = 2**24, 2**40


class PeerError(DlcliError):
    """Another process of the training has failed; `code` is the exit code that it ends with."""

    def __init__(self, what: str, code: int = ExitCode.RESOURCE, fix: str = "") -> None:
        super().__init__(what, fix=fix)
        self.exit_code = ExitCode(code)


class Link:
    """One connection: messages of a few facts and maybe some bytes. `own_address` is where the
    other process reaches this one, `other_address` where this one reaches it."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._sending = threading.Lock()
        self.own_address = _plain(str(connection.getsockname()[0]))
        self.other_address = _plain(str(connection.getpeername()[0]))
        self.messages: queue.Queue[tuple[dict[str, Any], bytes]] = queue.Queue()

    def send(self, kind: str, content: bytes = b"", **facts: Any) -> None:
        """Sends one message.

        Raises:
            OSError: if nobody is there.
        """
        header = json.dumps({"kind": kind, **facts}).encode("ascii")
        with self._sending:
            self._socket.sendall(_SIZES.pack(len(header), len(content)) + header)
            self._socket.sendall(content)

    def tell(self, kind: str, **facts: Any) -> None:
        """Sends one message, if anybody is there: whoever listens to a link says if nobody is."""
        with contextlib.suppress(OSError):
            self.send(kind, **facts)

    def receive(self, seconds: float, most: int = _MOST_CONTENT) -> tuple[dict[str, Any], bytes]:
        """The next message, of `most` bytes beside its facts.

        Raises:
            OSError: if none comes for so long, or nobody is there.
            ValueError: if it is no message.
        """
        self._socket.settimeout(seconds)
        header_size, size = _SIZES.unpack(self._read(_SIZES.size))
        if header_size > _MOST_HEADER or size > most:
            raise ValueError("this is no message of a training")
        facts = json.loads(self._read(header_size))
        return dict(facts), self._read(size)

    def close(self) -> None:
        """Hangs up."""
        self._socket.close()

    def _read(self, size: int) -> bytes:
        content = bytearray(size)
        view = memoryview(content)
        while view:
            count = self._socket.recv_into(view)
            if not count:
                raise ConnectionResetError("the other end has hung up")
            view = view[count:]
        return bytes(content)


def is_of_one_host(address: str) -> bool:
    """Whether no other host reaches it."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _plain(address: str) -> str:
    """IPv4 as it is written without IPv6 around it."""
    return address.removeprefix("::ffff:")
