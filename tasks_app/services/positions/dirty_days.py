"""Days whose roll-ups have to be computed again, marked in the transaction that stores their fixes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from django.db import connection

from tasks_app.services.positions.columns import FixColumns
from tasks_app.services.positions.senders import KnownDevice

# No zone's midnight or change of clocks lies within a quarter of an hour of UTC.
_BLOCK_US = 15 * 60 * 1_000_000
_BLOCK_SECONDS = 15 * 60
_MORE_THAN_DAYS = date.max.toordinal() + 1

# Sorted, so that two batches wait for each other instead of locking up. A claimed day is being computed without these
# fixes: the claim is taken away, and the day stays.
_MARK = """
    INSERT INTO tasks_app_dirtyday AS known (device_id, day, marked_at)
    SELECT device_id, day, now() FROM unnest(%s::bigint[], %s::date[]) AS new (device_id, day) ORDER BY 1, 2
    ON CONFLICT (device_id, day) DO UPDATE SET claimed_at = NULL WHERE known.claimed_at IS NOT NULL
"""


def mark_dirty_days(columns: FixColumns, new: npt.NDArray[np.bool_], devices: Sequence[KnownDevice]) -> None:
    """Mark the local days of the rows stored now, late ones included; `devices` follow `columns.device_pks`."""
    rows = np.flatnonzero(new)
    days = local_days(columns.times_us[rows], columns.device[rows], [device.time_zone for device in devices])
    if days:
        pks = columns.device_pks.tolist()
        with connection.cursor() as cursor:
            cursor.execute(_MARK, [_array(pks[number] for number, _ in days), _array(day for _, day in days)])


def local_days(
    times_us: npt.NDArray[np.int64], device: npt.NDArray[np.intp], zones: Sequence[str]
) -> list[tuple[int, date]]:
    """The (device number, day) pairs of fixes, ascending; a day is that of the device's zone, `zones[number]`."""
    blocks, block = np.unique(times_us // _BLOCK_US, return_inverse=True)
    names, zone_of = np.unique(np.array(zones, dtype=np.str_), return_inverse=True)
    ordinals = np.array([_ordinals(blocks, ZoneInfo(str(name))) for name in names]).reshape(len(names), len(blocks))
    keys = np.unique(device * _MORE_THAN_DAYS + ordinals[zone_of[device], block])
    return [(key // _MORE_THAN_DAYS, date.fromordinal(key % _MORE_THAN_DAYS)) for key in keys.tolist()]


def _array(values: Iterable[object]) -> str:
    """PostgreSQL's text of an array: one literal to parse instead of an expression for each element."""
    return "{" + ",".join(map(str, values)) + "}"


def _ordinals(blocks: npt.NDArray[np.int64], zone: ZoneInfo) -> list[int]:
    """The local day, as a number, in which each block begins."""
    times = (datetime.fromtimestamp(block * _BLOCK_SECONDS, tz=UTC) for block in blocks.tolist())
    return [at.astimezone(zone).toordinal() for at in times]
