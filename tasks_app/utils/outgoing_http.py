"""One request to another server: to the checked address, bounded in time and bytes, without redirects."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from tasks_app.utils.hostnames import InvalidHostname, ascii_host
from tasks_app.utils.outgoing_addresses import IPNetwork, resolve

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
MAX_ANSWER_BYTES = 64 * 1024
MAX_URL_LENGTH = 2000
MAX_ADDRESSES_TRIED = 3
# Whatever listens on these is no web server; above them anything may be one.
_WEB_PORTS = {80, 443}
_FIRST_FREE_PORT = 1024
# RFC 3986: what stands for itself in a path and a query, and what is written as % already.
_IN_A_TARGET = "!$%&'()*+,/:;=?@[]~"


class InvalidUrl(ValueError):
    """The text is no address we would ever post to; says why, in a word for code: scheme, host, name, port, user, form."""


class NoAnswer(OSError):
    """The server did not answer in time, or closed the connection before it did."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a server; `body` is at most its first 64 KiB, and `is_whole` says whether it is all that was to come."""

    status: int
    body: bytes
    is_whole: bool = True


def parse_url(url: str, *, allow_http: bool) -> SplitResult:
    """The parts of an http(s) address with a host, without user and fragment. Raises InvalidUrl."""
    if len(url) > MAX_URL_LENGTH or any(character <= " " or character == "\x7f" for character in url):
        raise InvalidUrl("form")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidUrl("form") from error
    if parts.scheme not in ("https", "http") or (parts.scheme == "http" and not allow_http):
        raise InvalidUrl("scheme")
    if not parts.hostname:
        raise InvalidUrl("host")
    if "@" in parts.netloc or parts.fragment:
        raise InvalidUrl("user")
    if port is not None and port < _FIRST_FREE_PORT and port not in _WEB_PORTS:
        raise InvalidUrl("port")
    _host_of(parts)
    return parts


def post(
    parts: SplitResult,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allowed: Sequence[IPNetwork] = (),
    total_seconds: float = TOTAL_SECONDS,
) -> Answer:
    """Send and return the answer, a redirect as it is. Raises outgoing_addresses.Refused, NoAnswer or another OSError."""
    with connected(parts, allowed=allowed, total_seconds=total_seconds) as connection:
        return connection.request("POST", body, headers)


@contextmanager
def connected(
    parts: SplitResult, *, allowed: Sequence[IPNetwork] = (), total_seconds: float = TOTAL_SECONDS
) -> Iterator[Connection]:
    """Connect to the server of an address for one request: what is raised before the body was raised before it is sent.

    Raises outgoing_addresses.Refused, NoAnswer or another OSError.
    """
    port = _port_of(parts)
    deadline = time.monotonic() + total_seconds
    # Resolved once: the checked address is connected to, even if the name changes meanwhile.
    connection = Connection(parts, _connect(resolve(_host_of(parts), port, allowed), port), deadline)
    try:
        if parts.scheme == "https":
            connection.start_tls()
        yield connection
    except (http.client.HTTPException, OSError, ValueError) as error:
        if connection.is_out_of_time:
            raise NoAnswer(f"no answer within {total_seconds:.0f} s") from error
        if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
            raise
        raise NoAnswer(f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()


def _connect(addresses: Sequence[str], port: int) -> socket.socket:
    failure: OSError = NoAnswer("the name has no address")
    for address in addresses[:MAX_ADDRESSES_TRIED]:
        try:
            return socket.create_connection((address, port), timeout=CONNECT_SECONDS)
        except OSError as error:
            failure = error
    raise failure


class Connection:
    """A connection that is cut at its deadline, however busily the other end drips bytes into it."""

    def __init__(self, parts: SplitResult, open_socket: socket.socket, deadline: float) -> None:
        self._parts = parts
        self._socket = open_socket
        self.is_out_of_time = False
        self._timer = threading.Timer(max(0.0, deadline - time.monotonic()), self._cut)
        self._timer.daemon = True
        self._timer.start()

    def start_tls(self) -> None:
        context = ssl.create_default_context()
        host = _host_of(self._parts)
        self._socket = context.wrap_socket(self._socket, server_hostname=host, do_handshake_on_connect=False)
        self._socket.do_handshake()

    def request(self, method: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Send the one request of this connection and return its answer. Raises as `connected`, in whose body it is called."""
        parts = self._parts
        sender = http.client.HTTPConnection(_host_of(parts), _port_of(parts))
        sender.sock = self._socket
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_IN_A_TARGET)
        sender.request(method, target, body, {**headers, "Host": _host_header(parts), "Connection": "close"})
        response = sender.getresponse()
        if self.is_out_of_time:
            raise NoAnswer("cut in the middle of its first lines")
        try:
            body = response.read(MAX_ANSWER_BYTES)
        except (http.client.HTTPException, OSError):
            # The status is known; most who ask need no more.
            return Answer(response.status, b"", is_whole=False)
        is_cut = bool(response.length) or len(body) == MAX_ANSWER_BYTES or self.is_out_of_time
        return Answer(response.status, body, is_whole=not is_cut)

    def close(self) -> None:
        self._timer.cancel()
        self._socket.close()

    def _cut(self) -> None:
        self.is_out_of_time = True
        try:
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        except OSError:
            return  # Closed already.


def _host_of(parts: SplitResult) -> str:
    """The one spelling that is looked up, shown to the server and checked against its certificate. Raises InvalidUrl."""
    try:
        return ascii_host(parts.hostname or "")
    except InvalidHostname as error:
        raise InvalidUrl("name") from error


def _port_of(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _host_header(parts: SplitResult) -> str:
    host = _host_of(parts)
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{parts.port}" if parts.port else host
