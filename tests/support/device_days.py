"""Drives of a device by local days, and their roll-ups."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from tasks_app.ingest.fix import Fix
from tasks_app.models import DeviceDay
from tasks_app.services.devices.days import refresh_days
from tasks_app.services.positions.store import store_fixes

# The fleet is in São Paulo, three hours behind UTC.
MIDNIGHT = datetime(2026, 3, 2, 3, tzinfo=UTC)
NOW = datetime(2026, 3, 20, tzinfo=UTC)
DAY = date(2026, 3, 2)
KM = 1 / 111.319
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def fixes(device, start, minutes, kph=60.0, longitude=-46.0, every=MINUTE, ignition=True) -> list[Fix]:
    step = kph * (every / HOUR) * KM
    return [
        Fix(
            device.unique_id,
            start + n * every,
            0.1,
            longitude + n * step,
            speed_kph=kph,
            attributes={"ignition": ignition},
        )
        for n in range(int(minutes * MINUTE / every) + 1)
    ]


def store(*tracks) -> None:
    store_fixes([fix for one in tracks for fix in one], NOW, announce=False)


def refreshed_days(device, first=DAY, last=date(2026, 3, 12)) -> dict[date, DeviceDay]:
    refresh_days([device], first, last, now=NOW)
    return {row.day: row for row in DeviceDay.objects.filter(device=device)}
