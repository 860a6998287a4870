"""The addresses that people's own URLs may lead to: public ones only. No Django in here."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Registries of IANA for special purposes (iana-ipv4-special-registry, iana-ipv6-special-registry), less what is of the internet
# all the same. Written out: Python's own list depends on its version.
_SPECIAL = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by customers of a provider
        "127.0.0.0/8",  # this machine
        "169.254.0.0/16",  # link-local, and metadata services of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocols: also those of the nearest router
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4, given up
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocols; Teredo is looked into before
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
]
# Every other IPv6 network is private, of one link, translated, discarded or not given to anybody.
_GIVEN_TO_SOMEBODY = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Refused(Exception):
    """An address that must not be connected to."""


def networks(texts: Iterable[str]) -> list[IPNetwork]:
    """CIDR texts as networks. Raises ValueError."""
    return [ipaddress.ip_network(text.strip()) for text in texts]


def is_public(address: str, allowed: Sequence[IPNetwork] = ()) -> bool:
    """Return whether this IP address is public or in the `allowed` networks; IPv4 inside IPv6 is looked into."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(any(one in network for network in allowed) or _is_of_the_internet(one) for one in _meant_by(ip))


def _is_of_the_internet(ip: IPAddress) -> bool:
    if isinstance(ip, ipaddress.IPv6Address) and ip not in _GIVEN_TO_SOMEBODY:
        return False
    return not any(ip in network for network in _SPECIAL)


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
    """The IP addresses of `host` (as ascii_host spells it), all of them public.

    Raises Refused, or OSError when the name does not resolve.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not is_public(address, allowed):
            raise Refused(address)
    return addresses
