"""Rules and events for tests of notifications."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from notifications_app.models import ChannelKind, EventDispatch, Notification, Rule
from notifications_app.services.events.event_outbox import process_outbox_row
from notifications_app.services.texts.lazy_bodies import fill_bodies
from tasks_app.models import Device, Event, EventKind, Fleet, Geofence
from tasks_app.signals import events_recorded

CIRCLE = {"type": "Circle", "coordinates": [-46.63, -23.55], "radius_meters": 200}


def make_rule(
    fleet: Fleet,
    users: Iterable[User],
    *,
    kinds: Iterable[str] = EventKind.values,
    channels: Iterable[str] = (ChannelKind.IN_APP, ChannelKind.EMAIL),
    devices: Iterable[Device] = (),
    geofences: Iterable[Geofence] = (),
    **fields,
) -> Rule:
    rule = Rule.objects.create(
        fleet=fleet, **{"name": "Rule", "event_kinds": list(kinds), "channels": list(channels), **fields}
    )
    rule.users.set(users)
    rule.devices.set(devices)
    rule.geofences.set(geofences)
    return rule


def make_geofence(fleet: Fleet, name: str = "Depot") -> Geofence:
    return Geofence.objects.create(fleet=fleet, name=name, area=CIRCLE)


def record_events(
    device: Device, *kinds: str, occurred_at: datetime | None = None, matched_at: datetime | None = None, **fields
) -> list[Event]:
    """Write events and tell the receivers, in one transaction, as the position pipeline does."""
    at = occurred_at or timezone.now()
    with transaction.atomic():
        events = Event.objects.bulk_create(Event(device=device, kind=kind, occurred_at=at, **fields) for kind in kinds)
        events_recorded.send(sender=Event, events=events)
    match_outbox(now=matched_at)
    return events


def match_outbox(now: datetime | None = None) -> None:
    """Match the rows of the event outbox at once, as their jobs would."""
    for outbox_id in list(EventDispatch.objects.order_by("pk").values_list("pk", flat=True)):
        process_outbox_row(outbox_id, now=now or timezone.now())


def stored_notifications() -> list[Notification]:
    """All notifications, oldest first, with their texts."""
    found = list(Notification.objects.order_by("pk"))
    fill_bodies(found)
    return found
