"""Real servers: invented addresses are not believed, and behind nginx each client is limited and recorded by its own."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.contrib.auth.models import User

from tests.support.nginx import documented_site, running_nginx
from tests.support.web import WebServer, running_web, session_of

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "correct horse battery"
PRODUCTION = {"DEBUG": "0", "ALLOWED_HOSTS": "127.0.0.1,localhost"}


class Caller:
    """A client with an address of its own (all of 127.0.0.0/8 is this machine), on HTTP or, through nginx, HTTPS."""

    def __init__(self, port: int, address: str = "127.0.0.1", *, tls: bool = False) -> None:
        self._port, self._address, self._tls = port, address, tls

    def post(self, path: str, body: Any, **headers: str) -> tuple[int, dict[str, str]]:
        own: dict[str, Any] = {"source_address": (self._address, 0), "timeout": 30}
        if self._tls:
            own["context"] = ssl._create_unverified_context()
        kind = http.client.HTTPSConnection if self._tls else http.client.HTTPConnection
        connection = kind("127.0.0.1", self._port, **own)
        sent = {"Content-Type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
        connection.request("POST", path, json.dumps(body), sent)
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status, {name.lower(): text for name, text in response.getheaders()}

    def log_in(self, username: str, password: str = "guess", **headers: str) -> int:
        return self.post("/api/auth/login", {"username": username, "password": password}, **headers)[0]


def port_of(web: WebServer) -> int:
    return int(web.url.rpartition(":")[2])


def invented(number: int) -> dict[str, str]:
    return {"X_Forwarded_For": f"198.51.100.{number % 250 + 1}", "X_Real_IP": "6.6.6.6", "Forwarded": "for=6.6.6.6"}


@pytest.fixture
def web(tmp_path) -> Iterator[WebServer]:
    with running_web(tmp_path, INGEST_REFUSALS_PER_MINUTE="10", FORWARDED_ALLOW_IPS="*") as running:
        yield running


def test_invented_addresses_do_not_get_around_the_limits_of_log_ins(web: WebServer, operator):
    caller = Caller(port_of(web))
    assert 429 in {caller.log_in(operator.username, **invented(number)) for number in range(60)}
    assert 429 in {caller.log_in(f"user-{number}", **invented(number)) for number in range(60)}
    assert set(AccessAttempt.objects.values_list("ip_address", flat=True)) == {"127.0.0.1"}


def test_invented_addresses_do_not_get_around_the_limit_of_refused_devices(web: WebServer, device):
    caller = Caller(port_of(web))
    statuses = {caller.post("/ingest/osmand?key=guess&id=1", {}, **invented(number))[0] for number in range(60)}
    assert 429 in statuses


def test_invented_addresses_do_not_get_around_the_limit_of_refused_tokens(web: WebServer, db):
    caller = Caller(port_of(web))
    wrong = {"Authorization": "Token guess"}
    statuses = {caller.post("/api/tasks/position/process", {}, **wrong, **invented(number))[0] for number in range(60)}
    assert statuses == {401, 429}


SITES = {
    "the client's address alone": lambda site: site,
    "added to what was sent": lambda site: site.replace("$remote_addr", "$proxy_add_x_forwarded_for"),
}


@pytest.fixture
def owner_of_account(operator) -> User:
    """A user whose password the server can check: it knows no hasher of tests."""
    operator.password = make_password(PASSWORD, hasher=PBKDF2PasswordHasher())
    operator.save()
    return operator


@pytest.mark.parametrize("change", SITES.values(), ids=SITES)
def test_behind_nginx_each_client_is_known_by_its_own_address(change, tmp_path: Path, owner_of_account):
    with (
        running_web(tmp_path, access_log=True, TRUSTED_PROXIES="127.0.0.1", **PRODUCTION) as web,
        running_nginx(tmp_path, port_of(web), change(documented_site())) as port,
    ):
        attacker, owner = Caller(port, "127.0.0.66", tls=True), Caller(port, "127.0.0.2", tls=True)
        statuses = [attacker.log_in(owner_of_account.username, **invented(number)) for number in range(30)]
        assert statuses[:11] == [401] * 10 + [429]
        assert owner.log_in(owner_of_account.username, PASSWORD, **invented(1)) == 200
    assert set(AccessAttempt.objects.values_list("ip_address", flat=True)) == {"127.0.0.66"}
    assert set(AccessLog.objects.values_list("ip_address", flat=True)) == {"127.0.0.2"}
    log = web.log.read_text()
    assert '127.0.0.66:0 - \\"POST /api/auth/login' in log
    assert "6.6.6.6" not in log
    assert "198.51.100" not in log


def test_behind_nginx_websockets_and_https_work(tmp_path: Path, operator, device):
    with (
        running_web(tmp_path, TRUSTED_PROXIES="127.0.0.1", **PRODUCTION) as web,
        running_nginx(tmp_path, port_of(web)) as port,
    ):
        origin = f"https://127.0.0.1:{port}"
        through = WebServer(web.process, origin.replace("https", "wss"), web.log)
        with through.live(session=session_of(operator), origin=origin, ssl=ssl._create_unverified_context()) as live:
            assert live.next()["type"] == "snapshot"
        status, headers = Caller(port_of(web)).post("/api/auth/login", {}, X_Forwarded_Proto="gopher")
        assert (status, headers["location"][:8]) == (301, "https://")
        status, _headers = Caller(port_of(web), "127.0.0.9").post("/api/auth/login", {}, X_Forwarded_Proto="https")
        assert status == 301


def test_a_unix_socket_is_a_proxy_only_where_the_settings_say_so(tmp_path: Path, operator):
    for trusted, recorded in (("", None), ("unix", "198.51.100.1")):
        path = tmp_path / f"socket-{trusted}"
        AccessAttempt.objects.all().delete()
        with running_web(tmp_path, uds=path, TRUSTED_PROXIES=trusted):
            assert _post_through(path, {"username": operator.username, "password": "guess"}) == 401
        assert AccessAttempt.objects.get().ip_address == recorded


def _post_through(path: Path, body: dict[str, str]) -> int:
    text = json.dumps(body).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        head = (
            "POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"X-Forwarded-For: 6.6.6.6, 198.51.100.1\r\nContent-Length: {len(text)}\r\n\r\n"
        )
        connection.sendall(head.encode() + text)
        return int(connection.recv(4096).split()[1])


@contextmanager
def static_server(status: int) -> Iterator[int]:
    """A web service that answers every request so; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_a_static_file_comes_from_the_web_service_whose_version_has_it(tmp_path):
    with static_server(404) as former, static_server(200) as new:
        site = documented_site().replace(
            "server 127.0.0.1:8000", f"server 127.0.0.1:{former} max_fails=0; server 127.0.0.1:{new}"
        )
        with running_nginx(tmp_path, new, site) as port:
            assert {status_of(port, "/static/x.css") for _ in range(4)} == {200}
            assert {status_of(port, "/api/x") for _ in range(4)} == {200, 404}


def status_of(port: int, path: str) -> int:
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=ssl._create_unverified_context(), timeout=30)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status
