"""A uvicorn of one worker process on a free port of loopback, and the client side of a connection to it."""

from __future__ import annotations

import http.client
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import psutil

from trackerproject.dev.embedded import start_child, stop_children

HOST = "127.0.0.1"
START_SECONDS = 60


@contextmanager
def web_server(application: str) -> Iterator[tuple[Popen[bytes], int]]:
    """Serve the ASGI application for the length of the block: its process and its port."""
    port = free_port()
    with (Path(os.environ["BENCH_LOG_DIR"]) / "uvicorn.log").open("ab") as log:
        where = ["--host", HOST, "--port", str(port), "--workers", "1", "--no-access-log"]
        command = [sys.executable, "-m", "uvicorn", application, *where, "--log-level", "warning"]
        server = start_child(command, output=log)
    try:
        connect(port).close()
        yield server, port
    finally:
        stop_children([server])


def free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        return server.getsockname()[1]


def connect(port: int) -> http.client.HTTPConnection:
    """Connect, waiting for the server to start."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        connection = http.client.HTTPConnection(HOST, port, timeout=30)
        try:
            connection.connect()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection


def processor_seconds(server: psutil.Process) -> float:
    """Processor time of the web process until now."""
    spent = server.cpu_times()
    return float(spent.user + spent.system)
