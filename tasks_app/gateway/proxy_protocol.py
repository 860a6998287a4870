"""The PROXY protocol, version 2: the address of the tracker behind a load balancer, in front of what the tracker sends."""

from __future__ import annotations

from ipaddress import ip_address

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
# The signature, version and command, family, and the length of what follows.
PREFIX_BYTES = 16
# Addresses and extensions; those of TLS certificates are the longest that are in use.
MAX_REST_BYTES = 4096

_LOCAL, _PROXY = 0x20, 0x21
# Family and the bytes of its source address and of all its addresses; of any transport.
_FAMILIES = {1: (4, 12), 2: (16, 36)}


class InvalidHeader(ValueError):
    """The beginning of a connection that is no header of the PROXY protocol, version 2."""


def rest_bytes(prefix: bytes) -> int:
    """Return how many bytes of the header follow its first PREFIX_BYTES. Raises InvalidHeader."""
    if len(prefix) != PREFIX_BYTES or not prefix.startswith(SIGNATURE):
        raise InvalidHeader("no signature")
    if prefix[12] not in (_LOCAL, _PROXY):
        raise InvalidHeader(f"version and command {prefix[12]:#x}")
    length = int.from_bytes(prefix[14:16], "big")
    if length > MAX_REST_BYTES:
        raise InvalidHeader(f"{length} bytes")
    return length


def source_address(prefix: bytes, rest: bytes) -> str | None:
    """Return the address that a header names; None where it names none: the proxy itself connected. Raises InvalidHeader."""
    family = prefix[13] >> 4
    if prefix[12] == _LOCAL or family not in _FAMILIES:
        return None
    address_bytes, all_bytes = _FAMILIES[family]
    if len(rest) < all_bytes:
        raise InvalidHeader("addresses cut off")
    found = ip_address(rest[:address_bytes])
    return str(getattr(found, "ipv4_mapped", None) or found)
