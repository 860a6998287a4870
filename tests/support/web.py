"""A real web server (uvicorn) for tests that need WebSockets, against the test database and this run's prefixes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.test import Client
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.cluster import ROOT, allowed, environment, wait_until
from trackerproject.dev.management.commands.demo import free_port
from trackerproject.dev.management.commands.run_local import web_command


class WebServer:
    """A running uvicorn process, as `make run` starts it."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    def live(
        self,
        *,
        session: str = "",
        origin: str | None = "",
        token: str = "",
        path: str = "/ws/live/",
        more_headers: dict[str, str] | None = None,
        **options: Any,
    ) -> Live:
        """Connect to `path` with a session cookie, or with a token as the first message; a browser's Origin unless None."""
        headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}"} if session else {}
        headers |= more_headers or {}
        if origin is not None:
            headers["Origin"] = origin or self.url
        address = self.url.replace("http://", "ws://") + path
        live = Live(connect(address, additional_headers=headers, proxy=None, max_size=None, **options))
        if token:
            live.send({"type": "authenticate", "token": token})
        return live


class Live:
    """A client of /ws/live/ that keeps the messages it gets."""

    def __init__(self, opening: AbstractContextManager[ClientConnection]) -> None:
        self._opening = opening
        self.socket = opening.__enter__()
        self.messages: list[dict[str, Any]] = []

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *exc: object) -> None:
        self._opening.__exit__(None, None, None)

    def send(self, message: object) -> None:
        self.socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    def next(self, seconds: float = 10) -> dict[str, Any]:
        """The next message."""
        message = json.loads(self.socket.recv(allowed(seconds)))
        self.messages.append(message)
        return message

    def until(self, condition: Callable[[dict[str, Any]], object], seconds: float = 15) -> dict[str, Any]:
        """The first message from now on that fulfils the condition."""
        deadline = time.monotonic() + allowed(seconds)
        while (left := deadline - time.monotonic()) > 0:
            if condition(message := self.next(left)):
                return message
        raise AssertionError(f"no such message within {seconds} s: {self.messages}")

    def until_device(self, device: Any, seconds: float = 15, **state: object) -> dict[str, Any]:
        """The first message from now on that shows this of the device."""

        def shows(message: dict[str, Any]) -> bool:
            state_now = {one["id"]: one["state"] for one in message.get("devices", [])}.get(device.pk)
            return state_now is not None and state.items() <= state_now.items()

        return self.until(shows, seconds)

    def close_code(self, seconds: float = 15) -> int:
        """The code with which the server closes it."""
        deadline = time.monotonic() + allowed(seconds)
        while True:
            try:
                self.next(max(0.01, deadline - time.monotonic()))
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else 1006


def session_of(user: Any) -> str:
    """The key of a new session in which this user is logged in."""
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[-1])
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@contextmanager
def running_web(
    folder: Path, port: int = 0, *, uds: Path | None = None, access_log: bool = False, **extra_environment: str
) -> Iterator[WebServer]:
    """Start the web server, on a free port unless one is given, and wait until it listens; at the end it is gone.

    With `uds` it listens on that Unix socket in place of a port.
    """
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    log = folder / f"web-{port}.log"
    quick = {"LIVE_CHECK_SECONDS": "0.5", "LIVE_AUTHENTICATE_SECONDS": "2", **extra_environment}
    command = [part for part in web_command(url) if not access_log or part != "--no-access-log"]
    command += ["--uds", str(uds)] if uds else []
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(**quick), stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_until(lambda: _listens(uds or port, process), seconds=60, what=f"the web server to listen: {log}")
        yield WebServer(process, url, log)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def collected_static(folder: Path) -> dict[str, str]:
    """Collect the static files, and return the environment of a server that sends them joined and hashed, as in production."""
    names = {"HASHED_STATIC": "1", "STATIC_ROOT": str(folder / "static")}
    command = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment(**names), check=True)
    return names


def _listens(where: int | Path, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the web server ended"
    if isinstance(where, Path):
        with socket.socket(socket.AF_UNIX) as attempt:
            return attempt.connect_ex(str(where)) == 0
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", where)) == 0
