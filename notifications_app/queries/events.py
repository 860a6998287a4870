"""Facts of events for rules and messages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from notifications_app.matching.decisions import EventValue, RuleValue
from notifications_app.matching.event_traits import traits_of
from notifications_app.queries.places import inside_of
from tasks_app.models import Device, Event, EventKind, Geofence


def geofence_names(events: Collection[Event]) -> dict[int, str]:
    """The names of the geofences of these events, by the id of the event; of one deleted since the name it had."""
    wanted = {event.geofence_id for event in events if event.geofence_id}
    names = dict(Geofence.objects.filter(pk__in=wanted).values_list("pk", "name")) if wanted else {}
    return {event.pk: names.get(event.geofence_id or 0) or str(event.data.get("geofence") or "") for event in events}


def devices_of(events: Iterable[Event]) -> dict[int, Device]:
    """The devices of these events, with fleet and state loaded. Devices of one fleet share its row."""
    devices = Device.objects.select_related("state").prefetch_related("fleet")
    return devices.in_bulk({event.device_id for event in events})


def event_values(
    events: Sequence[Event], devices: Mapping[int, Device], rules: Iterable[RuleValue]
) -> list[EventValue]:
    """The facts of these events; their geofences only if a rule depends on them."""
    wanted = set[int]().union(*(rule.within_geofence_ids for rule in rules))
    inside = inside_of(events, devices, wanted) if wanted else {}
    return [event_value(event, devices[event.device_id], inside.get(event.pk, frozenset())) for event in events]


def event_value(event: Event, device: Device, inside: frozenset[int] = frozenset()) -> EventValue:
    """The facts of one event."""
    # The speed of an ended overspeed is its peak.
    speed = event.data.get("peak_kph" if event.kind == EventKind.OVERSPEED_END else "speed_kph")
    began_at, ended_at = _span(event)
    return EventValue(
        id=event.pk,
        kind=str(event.kind),
        fleet_id=device.fleet_id,
        device_id=device.pk,
        occurred_at=event.occurred_at,
        geofence_id=event.geofence_id,
        alarm=str(event.data.get("alarm", "")),
        speed_kph=speed if isinstance(speed, int | float) else None,
        began_at=began_at,
        ended_at=ended_at,
        inside=inside,
    )


def _span(event: Event) -> tuple[datetime | None, datetime | None]:
    """Begin of a lasting state and, if it is over, its end."""
    if not traits_of(event.kind).lasts:
        return None, None
    seconds = event.data.get("duration_seconds")
    lasted = timedelta(seconds=seconds) if isinstance(seconds, int | float) else None
    if event.kind == EventKind.OVERSPEED:
        return event.occurred_at, event.occurred_at + lasted if lasted is not None else None
    if event.kind == EventKind.OVERSPEED_END:
        return event.occurred_at - (lasted or timedelta(0)), event.occurred_at
    minutes = event.data.get("offline_minutes")
    silent_minutes = minutes if isinstance(minutes, int | float) else 0
    ended_at = event.occurred_at if event.kind == EventKind.DEVICE_ONLINE else None
    return event.occurred_at - timedelta(minutes=silent_minutes), ended_at
