"""Alarms of fixes that are not stored, since one of the same device and time is: that one may be without them.

Trackers send an alarm with their newest place, of which they have sent a report before. What the stored fix carries too, or
what was recorded before, is known to `record_sent_alarms`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tasks_app.ingest.fix import Fix
from tasks_app.ingest.unlocated_alarms import ALARM_ATTRIBUTES, UnlocatedAlarm, alarm_from, has_alarm
from tasks_app.services.positions.columns import EPOCH, FixColumns
from tasks_app.services.positions.senders import Accepted, KnownDevice

# Device (unique id) and time of a fix that a message repeats in place of a missing one: its alarms come beside it.
Copies: TypeAlias = frozenset[tuple[str, datetime]]
# With its arrival.
Alarm = tuple[UnlocatedAlarm, datetime]


def copied_fixes(unlocated: Iterable[UnlocatedAlarm]) -> Copies:
    """Return the fixes that these alarms came with as copies."""
    return frozenset((one.device_id, one.copied_fix_time) for one in unlocated if one.copied_fix_time)


def alarms_of_stored(
    columns: FixColumns, new: npt.NDArray[np.bool_], devices: Sequence[KnownDevice], copies: Copies
) -> list[Alarm]:
    """Return the alarms of the rows that are not `new` (n,): their fixes were stored before this pass."""
    if new.all():
        return []
    unique_ids = {device.pk: device.unique_id for device in devices}
    found: list[Alarm] = []
    for row in np.flatnonzero(~new).tolist():
        if not ALARM_ATTRIBUTES.isdisjoint(columns.attributes[row]):
            unique_id = unique_ids[int(columns.device_pks[columns.device[row]])]
            at = EPOCH + timedelta(microseconds=int(columns.times_us[row]))
            received_at = EPOCH + timedelta(microseconds=int(columns.received_us[row]))
            found += _alarms(unique_id, at, columns.attributes[row], received_at, copies)
    return found


def alarms_of_repeated(accepted: Accepted[Fix], row_count: int, copies: Copies) -> dict[int, list[Alarm]]:
    """Return the alarms of fixes whose job has one of the same device and time before them, by job.

    `row_count` is the number of fixes that are left without those.
    """
    found: defaultdict[int, list[Alarm]] = defaultdict(list)
    if row_count == len(accepted.items):
        return found
    seen = set()
    for fix, pk, received_at, job in zip(
        accepted.items, accepted.pks, accepted.received_at, accepted.jobs, strict=True
    ):
        key = (job, pk, fix.fix_time)
        if key in seen and not ALARM_ATTRIBUTES.isdisjoint(fix.attributes):
            found[job] += _alarms(fix.device_id, fix.fix_time, fix.attributes, received_at, copies)
        seen.add(key)
    return {job: alarms for job, alarms in found.items() if alarms}


def _alarms(
    unique_id: str, at: datetime, attributes: Mapping[str, Any], received_at: datetime, copies: Copies
) -> list[Alarm]:
    if (unique_id, at) in copies or not has_alarm(attributes):
        return []
    return [(alarm_from(unique_id, at, attributes, at), received_at)]
