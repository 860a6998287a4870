"""The access of devices, as far as gateways know it: protocol and time of the last connection."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from tasks_app.engine import get_task
from tasks_app.models import Command, CommandState, DeviceAccess
from tasks_app.utils.sealing import Unreadable

# A tracker that connects again and again is written down once in so long.
NOTE_AFTER = timedelta(minutes=1)

_NOTE = """
    INSERT INTO tasks_app_deviceaccess
        (device_id, protocol, ways, phone_number, allowed_networks, zone_minutes, last_connected_at)
    SELECT d.id, seen.protocol, '{}', '', '{}', NULL, seen.at
    FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[]) AS seen(device_id, protocol, at)
    JOIN tasks_app_device d ON d.id = seen.device_id
    ORDER BY d.id
    ON CONFLICT (device_id) DO UPDATE
        SET protocol = EXCLUDED.protocol, last_connected_at = EXCLUDED.last_connected_at,
            -- A form of the relay is one of the protocol that it was chosen for.
            relay_variant = CASE WHEN tasks_app_deviceaccess.protocol IN ('', EXCLUDED.protocol)
                                 THEN tasks_app_deviceaccess.relay_variant ELSE '' END
        WHERE tasks_app_deviceaccess.protocol <> EXCLUDED.protocol
           OR tasks_app_deviceaccess.last_connected_at IS NULL
           OR tasks_app_deviceaccess.last_connected_at < EXCLUDED.last_connected_at - make_interval(secs => %s::float8)
"""


@dataclass(frozen=True, slots=True)
class Connected:
    """A device that connected to a gateway."""

    device_pk: int
    protocol: str
    at: datetime


def note_connections(connected: Sequence[Connected]) -> None:
    """Write down the protocol and the time, where they changed, and enqueue the commands that wait for these devices."""
    newest = {one.device_pk: one for one in connected}
    if not newest:
        return
    values = list(newest.values())
    columns: list[list[Any]] = [
        [one.device_pk for one in values],
        [one.protocol for one in values],
        [one.at for one in values],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, (*columns, str(NOTE_AFTER.total_seconds())))
    send_waiting_commands(newest)


def send_waiting_commands(device_pks: Collection[int]) -> None:
    """Enqueue the sending for those of these devices for which a command waits."""
    waiting = Command.objects.filter(device_id__in=device_pks, state=CommandState.QUEUED)
    devices = list(waiting.order_by("device_id").values_list("device_id", flat=True).distinct())
    if devices:
        # A job that runs already may have looked before the device connected.
        keys = [f"send-commands:{pk}:connected-{time.time():.0f}" for pk in devices]
        get_task("send_commands").enqueue_many([(pk,) for pk in devices], unique_keys=keys, priority="high")


def encrypt_passwords_again() -> dict[str, int]:
    """Encrypt the passwords of trackers with the first key; `unreadable` are those that no key opens."""
    counts = {"reencrypted": 0, "unreadable": 0}
    for access in DeviceAccess.objects.exclude(encrypted_password="").iterator():
        unchanged = DeviceAccess.objects.filter(pk=access.pk, encrypted_password=access.encrypted_password)
        try:
            access.encrypt_again()
        except Unreadable:
            counts["unreadable"] += 1
            continue
        counts["reencrypted"] += unchanged.update(encrypted_password=access.encrypted_password)
    return counts
