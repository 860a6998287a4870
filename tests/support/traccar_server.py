"""A small server that speaks the parts of Traccar's API that commands go through."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "token-of-a-user-of-traccar"


@dataclass
class TraccarDevice:
    id: int
    uniqueId: str
    is_online: bool = True
    types: tuple[str, ...] = ("engineStop", "engineResume", "positionSingle", "custom")


@dataclass
class TraccarServer:
    """`written` are the commands that reached a device, `queued` those that wait in the server's own queue."""

    port: int = 0
    devices: list[TraccarDevice] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    written: list[dict[str, Any]] = field(default_factory=list)
    queued: list[dict[str, Any]] = field(default_factory=list)
    # Servers of before 6.0 know no noQueue.
    knows_no_queue: bool = True
    # Statuses of a proxy in front, by method.
    proxy_status: dict[str, int] = field(default_factory=dict)
    # Hangs up after the command was written, before its answer.
    hangs_up: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def find(self, device_id: int) -> TraccarDevice | None:
        return next((one for one in self.devices if one.id == device_id), None)

    def send(self, command: dict[str, Any]) -> tuple[int, Any]:
        """Answer POST /api/commands/send as Traccar does."""
        device = self.find(command["deviceId"])
        if device is None:
            return 400, "SecurityException: Device access denied\n\tat org.traccar.api"
        if not device.is_online:
            if command["attributes"].get("noQueue") and self.knows_no_queue:
                return 400, "RuntimeException: Failed to send command\n\tat org.traccar.database"
            self.queued.append(command)
            return 202, {"id": 5, **command}
        if command["type"] not in device.types:
            return 400, f"RuntimeException: Command {command['type']} is not supported in protocol gt06"
        self.written.append(command)
        return 200, command


@contextmanager
def running_traccar() -> Iterator[TraccarServer]:
    traccar = TraccarServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            unique_ids = parse_qs(parts.query).get("uniqueId", [])
            found = [
                {"id": one.id, "uniqueId": one.uniqueId, "name": "", "attributes": {}}
                for one in traccar.devices
                if one.uniqueId in unique_ids
            ]
            self._reply(parts.path, "/api/devices", lambda _body: (200, found))

        def do_POST(self) -> None:
            self._reply(urlsplit(self.path).path, "/api/commands/send", lambda body: traccar.send(json.loads(body)))

        def _reply(self, path: str, expected: str, answer: Any) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            traccar.requests.append((self.command, self.path))
            if status := traccar.proxy_status.get(self.command):
                self._write(status, "<html>Proxy</html>")
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._write(401, "HTTP 401 Unauthorized")
            elif path != expected:
                self._write(404, "HTTP 404 Not Found")
            else:
                self._write(*answer(body))

        def _write(self, status: int, content: Any) -> None:
            if traccar.hangs_up and self.command == "POST":
                self.close_connection = True
                return
            is_text = isinstance(content, str)
            raw = content.encode() if is_text else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if is_text else "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    traccar.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield traccar
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
