"""Which hosts a channel may reach: none of our own network, whatever a name resolves to. No Django in here."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Refused(Exception):
    """An address that nobody may have us connect to."""


def networks(texts: Iterable[str]) -> list[IPNetwork]:
    """CIDR texts as networks. Raises ValueError."""
    return [ipaddress.ip_network(text) for text in texts]


def is_public(address: str, allowed: Sequence[IPNetwork] = ()) -> bool:
    """Whether this IP address is one of the internet, or of the `allowed` networks; also through IPv6 disguises."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(
        any(one in network for network in allowed) or (one.is_global and not one.is_multicast) for one in _meant_by(ip)
    )


def _meant_by(ip: IPAddress) -> list[IPAddress]:
    """The IPv4 address inside a mapped, translated or tunnelled IPv6 one; else the address itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return [ip]
    if ip.ipv4_mapped:
        return [ip.ipv4_mapped]
    if ip.sixtofour:
        return [ip.sixtofour]
    if ip.teredo:
        return list(ip.teredo)
    if ip in _NAT64:
        return [ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)]
    return [ip]


def resolve(host: str, port: int, allowed: Sequence[IPNetwork] = ()) -> list[str]:
    """The IP addresses of `host`, all of them public. Raises Refused, or OSError when the name does not resolve."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not is_public(address, allowed):
            raise Refused(address)
    return addresses
