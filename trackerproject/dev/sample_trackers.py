"""The trackers of `make demo` and `make run`: one for each protocol of the gateway, devices of the sample fleet."""

from __future__ import annotations

from typing import Literal

from django.conf import settings
from django.db import transaction

from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.models import Device, Fleet
from trackerproject.dev.simulated_trackers import ENCODERS, SimulatedTracker

# Beyond those of the sample fleet, so that no two vehicles drive the same day.
FIRST_VEHICLE = 200


@transaction.atomic
def ensure_sample_trackers(fleet: Fleet) -> dict[str, Device]:
    """Add the devices that are missing; return them by protocol, of protocols that the gateway speaks and has a port for."""
    found = {}
    for name, encoder in ENCODERS.items():
        if name in PROTOCOLS and port_of(name):
            defaults = {"fleet": fleet, "name": f"Tracker {PROTOCOLS[name].label}", "kind": "car"}
            found[name], _ = Device.objects.get_or_create(unique_id=encoder.sample_identifier, defaults=defaults)
    return found


def simulated_tracker(protocol: str, host: str, **options: float) -> SimulatedTracker:
    """Return the tracker of this protocol, not started. Suntech over UDP, where it is acknowledged; the others over TCP."""
    encoder = ENCODERS[protocol]
    transport: Literal["tcp", "udp"] = (
        "tcp" if not encoder.acknowledged_on or "tcp" in encoder.acknowledged_on else "udp"
    )
    return SimulatedTracker(encoder(encoder.sample_identifier, transport), host, port_of(protocol), **options)


def port_of(protocol: str) -> int:
    """Return the port of a protocol, 0 where it is switched off."""
    port: int = settings.GATEWAY["PORTS"].get(protocol, PROTOCOLS[protocol].port)
    return port
