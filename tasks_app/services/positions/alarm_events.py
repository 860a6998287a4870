"""Events and counters from attributes: ignition, alarms, results of commands, battery, own odometer and engine hours.

Attribute names and units are Traccar's: `alarm` and `result` (`ingest.unlocated_alarms`), `batteryLevel` (percent), `odometer`
(meters), `hours` (milliseconds). Its `battery` is volts, so it is not looked at.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks_app.ingest.unlocated_alarms import alarm_names, result_text
from tasks_app.models import Event, EventKind
from tasks_app.services.positions.columns import EPOCH, FixColumns
from tasks_app.services.positions.newer_fixes import EventDraft, Forward

BATTERY_MARGIN_PERCENT = 10.0

# The attributes, by position in the batch, of the fixes that say any of this.
Telling = dict[int, dict[str, Any]]
_READ = frozenset({"alarm", "batteryLevel", "battery_level", "odometer", "hours"})


def read_signals(forward: Forward) -> list[EventDraft]:
    """Return the events of the attributes; the states take over alarms, battery and the devices' own counters."""
    attributes, has_none = forward.columns.attributes, _READ.isdisjoint
    rows = enumerate(forward.rows.tolist())
    telling = {position: attributes[row] for position, row in rows if not has_none(attributes[row])}
    _keep_counters(forward, telling)
    return [*_ignition(forward), *_alarms(forward, telling), *_battery(forward, telling)]


def command_results(columns: FixColumns, new: npt.NDArray[np.bool_]) -> tuple[list[Event], list[int]]:
    """An event for each row stored now that carries a command's result, late ones too: no other event carries it.

    With the number of each one's job.
    """
    events, jobs = [], []
    telling = [row for row in np.flatnonzero(new).tolist() if "result" in columns.attributes[row]]
    for row in telling:
        if result := result_text(columns.attributes[row]["result"]):
            event = Event(
                device_id=int(columns.device_pks[columns.device[row]]),
                kind=EventKind.COMMAND_RESULT,
                occurred_at=EPOCH + timedelta(microseconds=int(columns.times_us[row])),
                latitude=float(columns.latitudes[row]),
                longitude=float(columns.longitudes[row]),
                data={"result": result},
            )
            events.append(event)
            jobs.append(int(columns.jobs[row]))
    return events, jobs


def _ignition(forward: Forward) -> list[EventDraft]:
    kinds = (EventKind.IGNITION_OFF, EventKind.IGNITION_ON)
    now = forward.ignition.now
    return [EventDraft(position, kinds[now[position]]) for position in forward.ignition.switches.tolist()]


def _alarms(forward: Forward, telling: Telling) -> list[EventDraft]:
    """One event for each alarm that the fix before did not have."""
    alarms = {position: names for position, one in telling.items() if (names := alarm_names(one.get("alarm")))}
    drafts: list[EventDraft] = []
    for position, names in alarms.items():
        number = int(forward.device[position])
        is_first = position == forward.starts[number]
        known = forward.states[number].alarms if is_first else alarms.get(position - 1, [])
        drafts += [EventDraft(position, EventKind.ALARM, {"alarm": name}) for name in names if name not in known]
    for state, last in zip(forward.states, forward.lasts.tolist(), strict=True):
        state.alarms = alarms.get(last, [])
    return drafts


def _battery(forward: Forward, telling: Telling) -> list[EventDraft]:
    """One event when a battery gets low, the next one only after it was charged."""
    drafts: list[EventDraft] = []
    for position, one in telling.items():
        percent = _number(one.get("batteryLevel", one.get("battery_level")), at_most=100.0)
        number = forward.device[position]
        state, low_percent = forward.states[number], forward.devices[number].battery_low_percent
        if percent >= min(low_percent + BATTERY_MARGIN_PERCENT, 100.0):
            state.is_battery_low = False
        elif percent < low_percent:
            if not state.is_battery_low:
                drafts.append(EventDraft(position, EventKind.BATTERY_LOW, {"battery_percent": round(percent, 1)}))
            state.is_battery_low = True
    return drafts


def _keep_counters(forward: Forward, telling: Telling) -> None:
    """Each device's own odometer and engine hours, as it sent them last; never mixed with what is derived here."""
    for position, one in telling.items():
        state = forward.states[forward.device[position]]
        if not math.isnan(odometer_meters := _number(one.get("odometer"))):
            state.sent_odometer_meters = odometer_meters
        if not math.isnan(engine_milliseconds := _number(one.get("hours"))):
            state.sent_engine_seconds = engine_milliseconds / 1000.0


def _number(value: Any, at_most: float = 1e15) -> float:
    """A number from 0 to `at_most`, NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= at_most:
        return math.nan
    return float(value)
