"""One message through Apprise, in a process of its own: `python -m notifications_app.channels.apprise_child`.

More than a hundred plugins, none of them ours, get an address that a user entered. Here they can reach no private
network, start no program, read no file of ours, write none, and are killed by our parent when they hang. stdin holds
{"action": "check" or "send", "url", "title", "body", "type", "allowed_networks"}; stdout is one JSON answer:
{"ok": true, "address": "tgram://1...p/"} or {"ok": false, "reason": "..."}, which is "partial" where some of several recipients
or pieces got through. No Django in here.
"""

from __future__ import annotations

import json
import logging
import mimetypes
import os
import re
import resource
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

import apprise

from tasks_app.utils.hostnames import InvalidHostname, ascii_host
from tasks_app.utils.outgoing_addresses import IPNetwork, is_public, networks

# These reach the machine itself, not a person: its log, its desktop, its USB lights.
LOCAL_SCHEMAS = {
    "syslog", "rsyslog", "dbus", "kde", "qt", "glib", "gnome", "macosx", "windows", "blink1", "file", "config",
}  # fmt: skip
# These read every text as Markdown, and take a backslash before what is meant as it stands. Apprise puts one only where the
# address itself asks for Markdown.
_MARKDOWN_SCHEMAS = {"discord", "fluxer", "guilded", "mmost", "mmosts", "nctalk", "nctalks", "ryver"}
_ASKS_FOR_MARKDOWN = re.compile(r"[?&]format=markdown\b", re.IGNORECASE)
_MARKS = re.compile(r"https?://\S+|[\\*_~`|#>\[\]]")
MAX_MEMORY_BYTES = 1024 * 1024 * 1024
MAX_CPU_SECONDS = 20
CONNECT_SECONDS, READ_SECONDS = 5.0, 10.0
# Of several recipients or pieces, what failed is sent once more without what got through: later all of it would be sent again.
REPETITIONS, WAIT_SECONDS = 1, 1.0
# Between two requests. Apprise's own 5.5 seconds leave no time for six recipients.
LONGEST_PAUSE_SECONDS = 1.0
# A text that is longer than a service takes goes in about so many messages; an SMS costs money.
ENOUGH_MESSAGES = 3
_PROGRAMS = {
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
}
_READABLE = ("/usr/lib/", "/usr/local/lib/", "/usr/share/", "/etc/ssl/", "/etc/pki/", "/dev/null", "/dev/urandom")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Log(logging.Handler):
    """Collects the reasons of failures, which Apprise only logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage()[:300])


def main() -> None:
    order = json.loads(sys.stdin.buffer.read())
    answer = check(order) if order["action"] == "check" else send(order)
    print(json.dumps(answer))


def check(order: dict[str, Any]) -> dict[str, Any]:
    """Check the address; the answer has it without its secrets."""
    schema = order["url"].partition("://")[0].strip().lower()
    if schema in LOCAL_SCHEMAS:
        return {"ok": False, "reason": "local"}
    plugin = instantiate(order["url"])
    if plugin is None:
        return {"ok": False, "reason": "unknown"}
    if not _has_valid_host(plugin):
        return {"ok": False, "reason": "name"}
    return {"ok": True, "address": f"{schema}://{_host_of(plugin)}"}


def send(order: dict[str, Any]) -> dict[str, Any]:
    checked = check(order)
    if not checked["ok"]:
        return checked
    log = Log()
    logging.getLogger("apprise").addHandler(log)
    sender, plugin = apprise.Apprise(), instantiate(order["url"])
    sender.add(plugin)
    title, body = (as_it_stands(order["url"], order[name]) for name in ("title", "body"))
    text, arrived = fitted(plugin, body), what_arrives(plugin)
    if len(plugin) > 1 or len(text) > plugin.body_maxlen:
        plugin.retry = REPETITIONS
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS))
    guard = Guard(networks(order["allowed_networks"]))
    resolve_by_idna_2008()
    sys.addaudithook(guard)
    ok = sender.notify(title=title, body=text, notify_type=order["type"], body_format="text")
    if guard.refused:
        return {"ok": False, "reason": "private", "detail": guard.refused}
    reason = "partial" if arrived else "refused"
    return {"ok": True} if ok else {"ok": False, "reason": reason, "detail": " ".join(log.lines)[:1000]}


def instantiate(url: str) -> Any:
    """Apprise's plugin of an address; None where there is none. The address cannot ask for more patience."""
    asset = apprise.AppriseAsset(storage_mode="memory", async_mode=False)
    plugin: Any = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if plugin is not None:
        plugin.socket_connect_timeout, plugin.socket_read_timeout = CONNECT_SECONDS, READ_SECONDS
        plugin.retry, plugin.wait = 0, WAIT_SECONDS
        plugin.request_rate_per_sec = min(plugin.request_rate_per_sec, LONGEST_PAUSE_SECONDS)
    return plugin


def as_it_stands(url: str, text: str) -> str:
    """`text` for the service of this address: names in it make nothing bold and no other text a link. Links stay whole."""
    if url.partition("://")[0].strip().lower() not in _MARKDOWN_SCHEMAS or _ASKS_FOR_MARKDOWN.search(url):
        return text
    return _MARKS.sub(lambda found: found[0] if len(found[0]) > 1 else f"\\{found[0]}", text)


def fitted(plugin: Any, text: str) -> str:
    """The part of `text` that is sent: in pieces where one message of the service, which would refuse it, is too short.

    An address that has `?overflow=` decides for itself.
    """
    if "overflow_mode" in vars(plugin):
        return text
    plugin.overflow_mode = apprise.OverflowMode.SPLIT
    most = ENOUGH_MESSAGES * plugin.body_maxlen
    return text if not 0 < most < len(text) else text[: most - 1].rstrip() + "…"


def what_arrives(plugin: Any) -> list[Any]:
    """A list that grows with each recipient or piece that the service takes."""
    arrived: list[Any] = []
    remember = plugin.mark_delivered

    def mark_delivered(key: Any, *arguments: Any, **options: Any) -> None:
        arrived.append(key)
        remember(key, *arguments, **options)

    plugin.mark_delivered = mark_delivered
    return arrived


class Guard:
    """An audit hook (PEP 578): it sees every connection, program and file, whichever library asks for it."""

    def __init__(self, allowed: Sequence[IPNetwork]) -> None:
        self._allowed = allowed
        self._readable = (
            *(os.path.realpath(path) for path in (sys.prefix, sys.base_prefix)),
            *_READABLE,
            *_certificates(),
        )
        self.refused = ""
        mimetypes.init()
        self._checks: dict[str, Callable[[tuple[Any, ...]], None]] = {
            "socket.connect": lambda arguments: self._address(arguments[1]),
            "socket.sendto": lambda arguments: self._address(arguments[1]),
            "socket.sendmsg": lambda arguments: self._address(arguments[1]),
            "open": self._file,
            **dict.fromkeys(_PROGRAMS, self._program),
        }

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if (check := self._checks.get(event)) is not None:
            check(arguments)

    def _address(self, address: Any) -> None:
        """Only what was resolved already can be judged: a name could resolve to something else a moment later."""
        if address is None:
            return  # On a connection that exists.
        host = address[0] if isinstance(address, tuple) else ""
        if not isinstance(host, str) or not is_public(host, self._allowed):
            self.refused = str(host)[:100] or "local socket"
            raise ConnectionRefusedError(f"{self.refused} is not reachable from here")

    def _file(self, arguments: tuple[Any, ...]) -> None:
        path, _mode, flags = arguments
        is_ours = isinstance(path, str | bytes) and os.path.realpath(os.fsdecode(path)).startswith(self._readable)
        if not isinstance(path, int) and (not is_ours or flags & _WRITING):
            raise PermissionError("files are out of reach here")

    def _program(self, _arguments: tuple[Any, ...]) -> None:
        raise PermissionError("programs are out of reach here")


def _certificates() -> tuple[str, ...]:
    named = (os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"))
    return tuple(name for name in named if name)


def resolve_by_idna_2008() -> None:
    """Python's sockets encode names by IDNA 2003, and so do the plugins that open them without `requests`."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(host, str) and not host.isascii():
            try:
                host = ascii_host(host)
            except InvalidHostname as error:
                raise socket.gaierror(socket.EAI_NONAME, "not a valid domain name") from error
        return real(host, *arguments, **options)

    socket.getaddrinfo = getaddrinfo


def _has_valid_host(plugin: Any) -> bool:
    """Return whether a host that is not ASCII can be looked up. Values that are no host are left to the plugin."""
    host = getattr(plugin, "host", None)
    if not isinstance(host, str) or host.isascii():
        return True
    try:
        ascii_host(host)
    except InvalidHostname:
        return False
    return True


def _host_of(plugin: Any) -> str:
    """The host of a service of one's own; of the public ones, whose address holds only tokens, an ellipsis."""
    host = getattr(plugin, "host", "") or ""
    return host if "." in host and not any(character in host for character in "@:/") else "…"


if __name__ == "__main__":
    main()
