"""Devices as a gateway needs them: whether an identifier may connect, and from where."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from django.db import connection

from tasks_app.utils.networks import lies_within

_DEVICES = """
    SELECT d.id, d.unique_id, d.is_active,
           CASE WHEN cardinality(a.allowed_networks) > 0 THEN a.allowed_networks ELSE f.tracker_networks END,
           a.zone_minutes, COALESCE(a.relay_variant, '')
    FROM tasks_app_device d
    JOIN tasks_app_fleet f ON f.id = d.fleet_id
    LEFT JOIN tasks_app_deviceaccess a ON a.device_id = d.id
    WHERE d.unique_id = ANY(%s)
"""


class TrackerDevice(msgspec.Struct, frozen=True, gc=False):
    """A registered device; `networks` are its own or its fleet's, none for all."""

    pk: int
    unique_id: str
    is_active: bool
    networks: tuple[str, ...] = ()
    zone_minutes: int | None = None
    relay_variant: str = ""

    def why_refused(self, address: str) -> str:
        """Return why it may not connect from this address: "inactive", "network", or ""."""
        if not self.is_active:
            return "inactive"
        return "" if lies_within(address, self.networks) else "network"


def tracker_devices(unique_ids: Sequence[str]) -> dict[str, TrackerDevice]:
    """Return the devices with these identifiers; one query."""
    with connection.cursor() as cursor:
        cursor.execute(_DEVICES, [list(unique_ids)])
        rows = cursor.fetchall()
    return {row[1]: TrackerDevice(row[0], row[1], row[2], tuple(row[3]), row[4], row[5]) for row in rows}
