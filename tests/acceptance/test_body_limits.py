"""Bodies of requests are bounded by a real server before anything reads them: their size, and how long they may take."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from tasks_app.services.accounts.tokens import issue_token
from tests.support.cluster import allowed
from tests.support.web import WebServer, running_web, session_of

pytestmark = pytest.mark.django_db(transaction=True)

IMPORT = "/api/positions/import"
MEGABYTE = 1024 * 1024
BOUNDARY = "limit"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@pytest.fixture
def web(tmp_path) -> Iterator[WebServer]:
    with running_web(
        tmp_path, BODY_IDLE_SECONDS="0.5", MAX_UPLOAD_BYTES=str(8 * MEGABYTE), TMPDIR=str(tmp_path)
    ) as web:
        yield web


class Raw:
    """A connection on which a request is sent piece by piece."""

    def __init__(self, web: WebServer, path: str, method: str = "POST", **headers: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", int(web.url.rpartition(":")[2])), timeout=allowed(20))
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {text}" for name, text in headers.items())]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def send(self, data: bytes) -> bool:
        """Send these bytes; return whether the server still takes any."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def send_chunks(self, most_bytes: int) -> int:
        """Send chunks of zeros until the server takes no more; return how many bytes it took."""
        sent = 0
        while sent < most_bytes and self.send(b"10000\r\n" + b"\0" * 65536 + b"\r\n"):
            sent += 65536
        return sent

    def answer(self) -> tuple[int, dict]:
        """Return status and body of the answer; the server closes the connection after it."""
        status, body = self.text()
        return status, json.loads(body)

    def text(self) -> tuple[int, str]:
        """Return the same with the body as text."""
        received = b""
        try:
            while piece := self.socket.recv(65536):
                received += piece
        except ConnectionError:
            pass
        finally:
            self.socket.close()
        head, _, body = received.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()


def form(size: int) -> bytes:
    name = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="other"; filename="fixes.csv"\r\n\r\n'
    return name.encode() + b"x" * size + f"\r\n--{BOUNDARY}--\r\n".encode()


def post_form(web: WebServer, size: int, **headers: str) -> tuple[int, dict]:
    body = form(size)
    raw = Raw(web, IMPORT, **FORM, **{"Content-Length": str(len(body)), "Connection": "close", **headers})
    raw.send(body)
    return raw.answer()


def test_a_body_that_says_it_is_too_large_is_refused_before_a_byte_of_it(web):
    for path in ("/health", "/api/auth/login", "/ingest/osmand", "/", "/admin/login/"):
        for method in ("GET", "POST", "PUT", "DELETE"):
            status, body = Raw(web, path, method, **{"Content-Length": str(200 * MEGABYTE)}).answer()
            assert (status, body["code"]) == (413, "body_too_large"), (method, path)


def test_a_body_that_does_not_say_its_size_is_refused_when_it_is_too_large(web, tmp_path):
    raw = Raw(web, "/health", **{"Transfer-Encoding": "chunked"})
    # What the two sockets hold comes on top.
    assert raw.send_chunks(200 * MEGABYTE) < 50 * MEGABYTE
    assert largest_file(tmp_path) < 3 * MEGABYTE


def largest_file(folder: Path) -> int:
    return max((one.stat().st_size for one in folder.rglob("*") if one.is_file()), default=0)


def test_a_body_that_does_not_come_ends_its_request(web):
    raw = Raw(web, "/api/auth/login", **{"Content-Length": "100", "Content-Type": "application/json"})
    raw.send(b'{"username": ')
    status, body = raw.answer()
    assert (status, body["code"]) == (408, "body_too_slow")


def test_a_request_is_answered_though_the_servers_terminal_is_closed_meanwhile(web):
    raw = Raw(web, "/api/auth/login", **{"Content-Length": "30", "Content-Type": "application/json"})
    raw.send(b'{"username": ')
    assert Raw(web, "/health/live", "GET", Connection="close").text()[0] == 200
    web.process.send_signal(signal.SIGUSR1)
    web.process.send_signal(signal.SIGHUP)
    raw.send(b'"a", "password": ')
    assert raw.answer()[0] == 400
    assert web.process.wait(allowed(20)) == -signal.SIGTERM


def test_browsers_get_a_page_in_their_language(web):
    asks = {"Accept": "text/html,*/*", "Accept-Language": "pt-BR"}
    status, text = Raw(web, "/admin/login/", **asks, **{"Content-Length": str(200 * MEGABYTE)}).text()
    assert status == 413
    assert "O que você enviou é maior que 2,0\xa0MB" in text
    status, text = Raw(web, "/login/", **asks, **{"Content-Length": "100"}).text()
    assert status == 408
    assert "O formulário não chegou" in text


def test_a_large_file_is_taken_from_users_only(web, operator):
    token, _expiry = issue_token(user=operator, now=timezone.now())
    assert post_form(web, 4 * MEGABYTE)[0] == 413
    assert post_form(web, 4 * MEGABYTE, Authorization="Token nobody")[0] == 413
    assert post_form(web, 4 * MEGABYTE, Cookie="sessionid=nobody")[0] == 413
    # Taken, and then refused for what is missing in it.
    status, body = post_form(web, 4 * MEGABYTE, Authorization=f"Token {token}")
    assert (status, body["code"]) == (400, "invalid")
    # Without the token of the page the form is refused by Django, which has read it.
    status, body = post_form(web, 4 * MEGABYTE, Cookie=f"sessionid={session_of(operator)}")
    assert (status, body["code"]) == (403, "permission_denied")
    assert post_form(web, 9 * MEGABYTE, Authorization=f"Token {token}")[0] == 413


def test_a_deactivated_user_sends_no_large_file(web, operator):
    token, _expiry = issue_token(user=operator, now=timezone.now())
    operator.is_active = False
    operator.save()
    assert post_form(web, 4 * MEGABYTE, Authorization=f"Token {token}")[0] == 413


def test_small_bodies_and_requests_without_one_are_answered_as_ever(web):
    raw = Raw(web, "/health/live", "GET", Connection="close")
    assert raw.answer() == (200, {"status": "alive"})
    body = json.dumps({"username": "ana", "password": "guess"}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    raw = Raw(web, "/api/auth/login", **headers)
    raw.send(body)
    assert raw.answer()[0] in (400, 401, 403)
