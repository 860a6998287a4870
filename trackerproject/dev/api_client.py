"""HTTP client of the commands that send fixes to a running server."""

from __future__ import annotations

import http.client
import time
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tasks_app.utils.hostnames import ascii_host

RETRY_SECONDS = 60.0


class ApiError(Exception):
    """An error response of the server, or no response (`status` 503)."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ApiClient:
    """Client with one open connection. Requests are repeated while the server restarts or its queue is full."""

    def __init__(self, url: str, token: str) -> None:
        self._where = urlsplit(url)
        self._connection = self._connect()
        self.use_token(token)

    def use_token(self, token: str) -> None:
        """Send this token from now on."""
        self._headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}

    def get(self, path: str) -> Any:
        """Return the decoded answer. Raises ApiError."""
        return msgspec.json.decode(self._exchange("GET", path, None))

    def post(self, path: str, body: Any) -> Any:
        """Send `body` as JSON; return the decoded answer. Raises ApiError."""
        return msgspec.json.decode(self._exchange("POST", path, msgspec.json.encode(body)))

    def download(self, path: str) -> bytes:
        """Return the answer as it is. Raises ApiError."""
        return self._exchange("GET", path, None)

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._where.scheme == "https" else http.client.HTTPConnection
        return kind(ascii_host(self._where.hostname or ""), self._where.port, timeout=30)

    def _exchange(self, method: str, path: str, body: bytes | None) -> bytes:
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                self._connection.request(method, path, body, self._headers)
                response = self._connection.getresponse()
                answer = response.read()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                self._connection = self._connect()
                status, answer = 503, str(error).encode()
            else:
                status = response.status
            if status < 400:
                return answer
            if status != 503 or time.monotonic() > deadline:
                raise ApiError(f"{method} {path}: {status} {answer[:500].decode(errors='replace')}", status)
            time.sleep(0.5)
