"""Settings of the gateway that trackers connect to, from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from trackerproject.environment import Environment

_PORT = re.compile(r"GATEWAY_([A-Z0-9]+)_PORT")


def gateway_settings(env: Environment, variables: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the setting GATEWAY."""
    return {
        # Addresses to listen on; "::" is every address of IPv6 and IPv4.
        "HOST": env.str("GATEWAY_HOST", default="0.0.0.0"),  # noqa: S104 - trackers come from outside
        # By protocol, where it is not the protocol's own; 0 switches a protocol off.
        "PORTS": gateway_ports(variables),
        # Several gateways of one host may listen on the same ports, which the kernel shares out among them.
        "REUSE_PORT": env.bool("GATEWAY_REUSE_PORT", default=False),
        # With a certificate (PEM, with its chain) all TCP ports of the gateway speak TLS, and UDP is switched off.
        "TLS_CERTIFICATE": env.str("GATEWAY_TLS_CERTIFICATE", default=""),
        "TLS_KEY": env.str("GATEWAY_TLS_KEY", default=""),
        # Connections from TRUSTED_PROXIES begin with a PROXY protocol header, version 2.
        "PROXY_PROTOCOL": env.bool("GATEWAY_PROXY_PROTOCOL", default=False),
        "MAX_CONNECTIONS": env.count("GATEWAY_MAX_CONNECTIONS", default=20_000),
        # Of one address. Trackers of a mobile network may share a few of these.
        "MAX_CONNECTIONS_PER_ADDRESS": env.count("GATEWAY_MAX_CONNECTIONS_PER_ADDRESS", default=5_000),
        "MAX_UDP_SENDERS": env.count("GATEWAY_MAX_UDP_SENDERS", default=20_000),
        # Unknown identifiers and bad frames of one address in a minute, after which unknown ones are not looked up any more.
        "REFUSALS_PER_MINUTE": env.count("GATEWAY_REFUSALS_PER_MINUTE", default=60),
        "LOGIN_SECONDS": env.seconds("GATEWAY_LOGIN_SECONDS", default=30.0),
        # Longer than the longest interval of heartbeats.
        "IDLE_SECONDS": env.seconds("GATEWAY_IDLE_SECONDS", default=1800.0),
        # Without having read what it was sent.
        "UNREAD_SECONDS": env.seconds("GATEWAY_UNREAD_SECONDS", default=60.0),
        # Of one connection; the protocols have lower bounds of their own.
        "MAX_FRAME_BYTES": env.count("GATEWAY_MAX_FRAME_BYTES", default=32 * 1024),
        # Of one connection; one that sends more, after thousands at once, is read no faster.
        "FRAMES_PER_MINUTE": env.count("GATEWAY_FRAMES_PER_MINUTE", default=6000),
        # After so many bad frames in a row a connection is closed.
        "MAX_BAD_FRAMES": env.count("GATEWAY_MAX_BAD_FRAMES", default=20),
        # The last frames of a device that are kept for an hour.
        "RAW_FRAMES": env.int("GATEWAY_RAW_FRAMES", default=20),
        # Without a gateway /health says that the installation is degraded.
        "EXPECTED": env.bool("GATEWAY_EXPECTED", default=False),
        "GRACE_SECONDS": env.float("GATEWAY_GRACE_SECONDS", default=20.0),
    }


def gateway_ports(variables: Mapping[str, str]) -> dict[str, int]:
    """Return the ports that GATEWAY_<PROTOCOL>_PORT name, by protocol. Raises ImproperlyConfigured."""
    ports: dict[str, int] = {}
    for name, value in variables.items():
        if found := _PORT.fullmatch(name):
            text = value.strip() or "0"
            if not (text.isascii() and text.isdecimal() and int(text) <= 65_535):
                raise ImproperlyConfigured(f"{name} must be a port, 0 or empty, not {value!r}.")
            ports[found[1].lower()] = int(text)
    return ports
