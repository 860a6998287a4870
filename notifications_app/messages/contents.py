"""What each kind of news says: the values that the templates of the kind put into words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from notifications_app.messages.rendering import Message
from notifications_app.models import ChannelKind, NotificationKind
from tasks_app.models import Device, DeviceState, Event, EventKind, MaintenancePlan, MaintenanceStatus
from tasks_app.services.devices import maintenance_due


@dataclass(frozen=True, slots=True)
class Spot:
    """When something happened and, where known, at which place (degrees).

    `last_known_at` is set where that place is the last known one instead: the time of its fix.
    """

    at: datetime
    latitude: float | None = None
    longitude: float | None = None
    last_known_at: datetime | None = None

    @property
    def map_url(self) -> str:
        """A link to open, never a picture to load; empty without a place."""
        if self.latitude is None or self.longitude is None:
            return ""
        place = f"{self.latitude:.6f}", f"{self.longitude:.6f}"
        return f"https://www.openstreetmap.org/?mlat={place[0]}&mlon={place[1]}#map=16/{place[0]}/{place[1]}"


MAX_DIGEST_LINES = 50


@dataclass(frozen=True, slots=True)
class DigestLine:
    """So many events of one kind (`what`, its label) of one vehicle."""

    vehicle: str
    what: Any
    count: int
    last_at: datetime


def geofence_message(device: Device, *, geofence_name: str, entered: bool, spot: Spot) -> Message:
    return Message(NotificationKind.GEOFENCE, {**_about(device, spot), "geofence": geofence_name, "entered": entered})


def speed_message(device: Device, *, speed_kph: float | None, limit_kph: float | None, spot: Spot) -> Message:
    return Message(NotificationKind.SPEED, {**_about(device, spot), "speed_kph": speed_kph, "limit_kph": limit_kph})


def speed_end_message(
    device: Device, *, limit_kph: float | None, peak_kph: float | None, minutes: float | None, spot: Spot
) -> Message:
    """It was too fast for so many minutes, `peak_kph` at its fastest."""
    values = {"limit_kph": limit_kph, "peak_kph": peak_kph, "lasted_minutes": minutes}
    return Message(NotificationKind.SPEED_END, {**_about(device, spot), **values})


def trip_message(
    device: Device,
    *,
    is_end: bool,
    spot: Spot,
    start: Spot | None = None,
    driven_meters: float | None = None,
    minutes: float | None = None,
) -> Message:
    """A trip began at `spot`; or it ended there, having begun at `start`."""
    values = {"is_end": is_end, "start": start, "driven_meters": driven_meters, "lasted_minutes": minutes}
    return Message(NotificationKind.TRIP, {**_about(device, spot), **values})


def offline_message(device: Device, *, offline_minutes: float | None, is_back: bool, spot: Spot | None) -> Message:
    """`spot` is the last known place and time, None where the device never sent a fix."""
    context = {**_about(device, spot), "offline_minutes": offline_minutes, "is_back": is_back}
    return Message(NotificationKind.OFFLINE, context)


def ignition_message(device: Device, *, is_on: bool, spot: Spot) -> Message:
    return Message(NotificationKind.IGNITION, {**_about(device, spot), "is_on": is_on})


def alarm_message(device: Device, *, alarm: str, spot: Spot) -> Message:
    """`alarm` is what the device calls it."""
    return Message(NotificationKind.ALARM, {**_about(device, spot), "alarm": alarm})


def battery_message(device: Device, *, percent: float | None, spot: Spot) -> Message:
    return Message(NotificationKind.BATTERY, {**_about(device, spot), "percent": percent})


def command_message(device: Device, *, result: str, spot: Spot) -> Message:
    """`result` is what the device answered to a command."""
    return Message(NotificationKind.COMMAND, {**_about(device, spot), "result": result})


def maintenance_message(
    device: Device, *, plan_name: str, is_due: bool, at: datetime, left: Mapping[str, float | None]
) -> Message:
    """`left`: what is left of the plan's intervals, under kilometers, engine_hours, days; negative when overdue."""
    context = {**_about(device, Spot(at)), "plan": plan_name, "is_due": is_due, "left": left}
    return Message(NotificationKind.MAINTENANCE, context)


def system_message(*, subject: str, message: str, level: str, at: datetime) -> Message:
    return Message(NotificationKind.SYSTEM, {"title": subject, "message": message, "level": level, "spot": Spot(at)})


def channel_off_message(*, channel: ChannelKind, name: str, reason: str, at: datetime) -> Message:
    context = {"channel": channel.label, "name": name, "why": reason, "spot": Spot(at)}
    return Message(NotificationKind.CHANNEL_OFF, context)


def channel_test_message(*, channel: ChannelKind, name: str, at: datetime) -> Message:
    return Message(NotificationKind.TEST, {"channel": channel.label, "name": name, "spot": Spot(at)})


def event_message(event: Event, *, device: Device, geofence_name: str) -> Message:
    """The message of a stored event; `device` has its fleet and state at hand."""
    spot = Spot(event.occurred_at, event.latitude, event.longitude, _moment(event.data, "last_fix_at"))
    if event.kind in (EventKind.GEOFENCE_ENTER, EventKind.GEOFENCE_EXIT):
        entered = event.kind == EventKind.GEOFENCE_ENTER
        return geofence_message(device, geofence_name=geofence_name, entered=entered, spot=spot)
    if event.kind == EventKind.OVERSPEED:
        speed_kph, limit_kph = _number(event.data, "speed_kph"), _number(event.data, "speed_limit_kph")
        return speed_message(device, speed_kph=speed_kph, limit_kph=limit_kph, spot=spot)
    if event.kind == EventKind.OVERSPEED_END:
        return speed_end_message(
            device,
            limit_kph=_number(event.data, "speed_limit_kph"),
            peak_kph=_number(event.data, "peak_kph"),
            minutes=_minutes(event.data),
            spot=spot,
        )
    if event.kind in (EventKind.TRIP_START, EventKind.TRIP_END):
        return trip_message(
            device,
            is_end=event.kind == EventKind.TRIP_END,
            spot=spot,
            start=_trip_start(event),
            driven_meters=_number(event.data, "distance_meters"),
            minutes=_minutes(event.data),
        )
    if event.kind in (EventKind.DEVICE_OFFLINE, EventKind.DEVICE_ONLINE):
        is_back = event.kind == EventKind.DEVICE_ONLINE
        # The event carries the time it was noticed; where the vehicle was, and when, its state knows.
        return offline_message(
            device,
            offline_minutes=_number(event.data, "offline_minutes"),
            is_back=is_back,
            spot=_last_spot_then(event) or last_spot(device) or (spot if spot.map_url else None),
        )
    if event.kind in (EventKind.IGNITION_ON, EventKind.IGNITION_OFF):
        return ignition_message(device, is_on=event.kind == EventKind.IGNITION_ON, spot=spot)
    if event.kind == EventKind.ALARM:
        return alarm_message(device, alarm=str(event.data.get("alarm", "")), spot=spot)
    if event.kind == EventKind.BATTERY_LOW:
        return battery_message(device, percent=_number(event.data, "battery_percent"), spot=spot)
    if event.kind == EventKind.COMMAND_RESULT:
        return command_message(device, result=str(event.data.get("result", "")), spot=spot)
    if event.kind in (EventKind.MAINTENANCE_DUE_SOON, EventKind.MAINTENANCE_DUE):
        return _maintenance_event_message(event, device)
    return Message(NotificationKind.EVENT, {**_about(device, spot), "what": kind_label(event.kind)})


def kind_label(kind: str) -> Any:
    """The name of an event kind for people, in the language in which it is read."""
    return EventKind(kind).label if kind in EventKind.values else kind


def digest_message(lines: Sequence[DigestLine], *, at: datetime) -> Message:
    """What was held back, most first."""
    ordered = sorted(lines, key=lambda line: (-line.count, line.vehicle))
    listed = ordered[:MAX_DIGEST_LINES]
    total = sum(line.count for line in lines)
    context = {"lines": listed, "total": total, "not_listed": total - sum(line.count for line in listed)}
    return Message(NotificationKind.DIGEST, {**context, "spot": Spot(at)})


def _maintenance_event_message(event: Event, device: Device) -> Message:
    remaining = event.data.get("remaining")
    units = remaining if isinstance(remaining, dict) else {}
    return maintenance_message(
        device,
        plan_name=str(event.data.get("plan", "")),
        is_due=event.kind == EventKind.MAINTENANCE_DUE,
        at=event.occurred_at,
        left={unit: _number(units, unit) for unit in ("kilometers", "engine_hours", "days")},
    )


def plan_reminder(plan: MaintenancePlan, *, device: Device, now: datetime) -> Message:
    """The reminder of one plan as it stands now."""
    state = state_of(device) or DeviceState()
    found = maintenance_due(plan, state, now=now)
    is_due = found.status == MaintenanceStatus.DUE
    return maintenance_message(device, plan_name=plan.name, is_due=is_due, at=now, left=found.remaining)


def state_of(device: Device) -> DeviceState | None:
    """The device's state, None for one that never sent anything."""
    return getattr(device, "state", None)


def last_spot(device: Device) -> Spot | None:
    """Where and when the device was last, None where it never was anywhere."""
    state = state_of(device)
    if state is None or state.fix_time is None:
        return None
    return Spot(state.fix_time, state.latitude, state.longitude)


def _last_spot_then(event: Event) -> Spot | None:
    """Where the vehicle was last when it was notified, as noted with its notification; it may have moved on since."""
    noted = event.data.get("last_fix")
    return Spot(datetime.fromisoformat(noted["at"]), noted["latitude"], noted["longitude"]) if noted else None


def _trip_start(event: Event) -> Spot | None:
    """When and where the trip that ended began."""
    started_at = _moment(event.data, "started_at")
    place = _number(event.data, "start_latitude"), _number(event.data, "start_longitude")
    return Spot(started_at, *place) if started_at else None


def _minutes(data: Mapping[str, Any]) -> float | None:
    seconds = _number(data, "duration_seconds")
    return None if seconds is None else seconds / 60


def _about(device: Device, spot: Spot | None) -> dict[str, Any]:
    return {"vehicle": device.name, "fleet": device.fleet.name, "spot": spot}


def _number(data: Mapping[str, Any], key: str) -> float | None:
    """A finite number of an event's data, None where it is missing or something else."""
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _moment(data: Mapping[str, Any], key: str) -> datetime | None:
    """A time of an event's data, None where it is missing or something else."""
    value = data.get(key)
    return parse_datetime(value) if isinstance(value, str) else None
