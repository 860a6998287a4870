"""A TCP connection or a UDP socket, seen alike."""

from __future__ import annotations

import select
import socket
from typing import Protocol

from trackerproject.dev.simulated_trackers.base import Transport

CONNECT_SECONDS = 5.0
MAX_BYTES = 65_536


class Lost(OSError):
    """The connection ended."""


class Connection(Protocol):
    """Two ways of bytes. `receive` returns b"" where nothing came in time; both raise OSError where it ended."""

    def send(self, data: bytes) -> None: ...

    def receive(self, seconds: float) -> bytes: ...

    def close(self) -> None: ...


def connect(transport: Transport, host: str, port: int) -> Connection:
    """Open a connection. Raises OSError."""
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    opened = socket.socket(socket.AF_INET, kind)
    try:
        opened.settimeout(CONNECT_SECONDS)
        opened.connect((host, port))
        if transport == "tcp":
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        opened.close()
        raise
    return _Socket(opened, is_stream=transport == "tcp")


class _Socket:
    """A connected socket."""

    def __init__(self, opened: socket.socket, *, is_stream: bool) -> None:
        self._socket = opened
        self._is_stream = is_stream

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self, seconds: float) -> bytes:
        readable, _, _ = select.select([self._socket], [], [], seconds)
        if not readable:
            return b""
        data = self._socket.recv(MAX_BYTES)
        if not data and self._is_stream:
            raise Lost("closed by the server")
        return data

    def close(self) -> None:
        self._socket.close()
