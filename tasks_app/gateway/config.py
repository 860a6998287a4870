"""The setting GATEWAY, typed, and the protocols that a gateway serves."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from tasks_app.ingest.trackers.base import TrackerProtocol
from tasks_app.ingest.trackers.registry import PROTOCOLS


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """Settings of a gateway (`trackerproject/trackers.py`)."""

    host: str
    reuse_port: bool
    tls_certificate: str
    tls_key: str
    proxy_protocol: bool
    trusted_proxies: tuple[str, ...]
    max_connections: int
    max_connections_per_address: int
    max_udp_senders: int
    refusals_per_minute: int
    login_seconds: float
    idle_seconds: float
    unread_seconds: float
    max_frame_bytes: int
    max_bad_frames: int
    raw_frames: int
    frames_per_minute: int
    grace_seconds: float


def gateway_config(**changed: Any) -> GatewayConfig:
    """Read the settings; `changed` take the place of some."""
    values = {name.lower(): value for name, value in settings.GATEWAY.items() if name not in ("PORTS", "EXPECTED")}
    # A proxy that connects through a Unix socket is none of trackers.
    proxies = tuple(one.strip() for one in settings.TRUSTED_PROXIES if one.strip() not in ("", "unix"))
    return GatewayConfig(**{**values, "trusted_proxies": proxies, **changed})


def served_protocols(names: Collection[str] | None = None) -> dict[str, tuple[TrackerProtocol, int]]:
    """Return the protocols to serve with their ports; of these names, or all that are not switched off.

    Raises ImproperlyConfigured for a name that no protocol has, and for one that is switched off.
    """
    ports = {name: protocol.port for name, protocol in PROTOCOLS.items()} | settings.GATEWAY["PORTS"]
    if unknown := sorted({*ports, *(names or ())} - set(PROTOCOLS)):
        detail = _("There is no protocol %(names)s; there are %(known)s.")
        raise ImproperlyConfigured(detail % {"names": ", ".join(unknown), "known": ", ".join(PROTOCOLS)})
    if off := [name for name in names or () if not ports[name]]:
        raise ImproperlyConfigured(_("%(names)s is switched off (port 0).") % {"names": ", ".join(off)})
    return {name: (PROTOCOLS[name], port) for name, port in ports.items() if port and (not names or name in names)}
