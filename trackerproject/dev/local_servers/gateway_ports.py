"""Ports of a local gateway: those that trackers expect where they are free, else any others."""

from __future__ import annotations

import socket
from collections.abc import Mapping


def local_ports(wanted: Mapping[str, int], host: str) -> dict[str, int]:
    """Return a port that is free for TCP and UDP for each protocol, the wanted one if possible."""
    chosen: dict[str, int] = {}
    for name, port in wanted.items():
        found = port if _is_free(port, host) else 0
        while not found or found in chosen.values():
            found = _any_free(host)
        chosen[name] = found
    return chosen


def port_variables(ports: Mapping[str, int]) -> dict[str, str]:
    """Return the settings that give these protocols their ports."""
    return {f"GATEWAY_{name.upper()}_PORT": str(port) for name, port in ports.items()}


def _any_free(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port if _is_free(port, host) else 0


def _is_free(port: int, host: str) -> bool:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tcp.bind((host, port))
            udp.bind((host, port))
        except OSError:
            return False
    return True
