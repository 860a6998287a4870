"""Networks that people name, such as 203.0.113.0/24, and whether an address lies in one."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address, ip_network

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

MAX_NETWORKS = 50


def validate_networks(texts: Collection[str]) -> None:
    """Raise ValidationError unless each text is a network or an address, and there are not too many."""
    if len(texts) > MAX_NETWORKS:
        raise ValidationError(_("At most %(limit)s networks."), params={"limit": MAX_NETWORKS})
    for text in texts:
        try:
            ip_network(text)
        except ValueError as error:
            raise ValidationError(_("%(value)s is no network."), params={"value": text}) from error


def lies_within(address: str, networks: Collection[str]) -> bool:
    """Whether the address lies in one of the networks; all addresses do where there is none."""
    if not networks:
        return True
    found = ip_address(address)
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in ip_network(text) for text in networks)
