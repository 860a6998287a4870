"""Names of hosts as they are looked up: one spelling for all who call, mail or compare. No Django in here.

IDNA 2008 (RFC 5891) after the mapping of UTS 46, which keeps ß and ς. Python's own codec, and with it sockets and Django's
e-mails, still follow IDNA 2003, by which straße.example is strasse.example: another owner's.
"""

from __future__ import annotations

import ipaddress
import re

import idna

MAX_LENGTH = 253
# Underscores are no letters of host names, but of names that people give to hosts in their own networks.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_PLAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")


class InvalidHostname(ValueError):
    """A text that is no host's name or address."""


def ascii_host(host: str) -> str:
    """The host as resolvers, certificates and headers spell it; an IP address as it is. Raises InvalidHostname."""
    address = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" in address:
        return _ip_address(address)
    name = host.lower()
    if not name.isascii() or "xn--" in name:
        name = _encoded(host)
    if len(name.removesuffix(".")) > MAX_LENGTH or not _PLAIN.fullmatch(name):
        raise InvalidHostname(host)
    return name


def ascii_email(address: str) -> str:
    """The e-mail address with its domain as mail servers look it up. Raises InvalidHostname."""
    mailbox, at, domain = address.rpartition("@")
    return f"{mailbox}{at}{domain if domain.startswith('[') else ascii_host(domain)}"


def is_mailable(address: str) -> bool:
    """Whether the domain of an e-mail address can be looked up."""
    try:
        ascii_email(address)
    except InvalidHostname:
        return False
    return True


def _ip_address(text: str) -> str:
    try:
        ipaddress.IPv6Address(text.partition("%")[0])
    except ValueError as error:
        raise InvalidHostname(text) from error
    return text


def _encoded(host: str) -> str:
    try:
        return idna.encode(host, uts46=True).decode()
    except (idna.IDNAError, UnicodeError) as error:
        raise InvalidHostname(host) from error
