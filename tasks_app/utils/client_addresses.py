"""Addresses of clients: parsing, and their key in limits."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

# What one customer of a provider gets at least: changing the lower half of an IPv6 address costs nothing.
IPV6_PREFIX_BITS = 64


def parse_address(text: str) -> Address | None:
    """The address in `1.2.3.4`, `1.2.3.4:5`, `2001:db8::1` or `[2001:db8::1]:5`; None for anything else.

    An IPv4 address inside an IPv6 one is that IPv4 address, and a zone (`%eth0`) is left out.
    """
    host = text.strip()
    if host.startswith("["):
        host, _bracket, port = host[1:].partition("]")
        if not _bracket or not _is_port(port):
            return None
    elif host.count(":") == 1:
        host, _colon, port = host.partition(":")
        if not _is_port(f":{port}"):
            return None
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(found, IPv6Address) and found.ipv4_mapped) or found


def limit_key(address: str) -> str:
    """Key of this client in limits: an IPv4 address, the /64 network of an IPv6 one, "" for an unknown one."""
    found = parse_address(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, IPV6_PREFIX_BITS), strict=False))
    return str(found or "")


def sender_key(meta: Mapping[str, object]) -> str:
    """The same for the client of a request, by its META."""
    return limit_key(str(meta.get("REMOTE_ADDR") or ""))


def _is_port(text: str) -> bool:
    return not text or (text[0] == ":" and text[1:].isascii() and text[1:].isdecimal())
