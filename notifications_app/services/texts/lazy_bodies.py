"""The texts of events' notifications, rendered at first use, since most are only listed."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy

from notifications_app.messages.events import event_message
from notifications_app.models import Notification
from notifications_app.queries.audience import NO_PREFERENCE, preferences_of, read_people, recipient_of
from notifications_app.queries.events import devices_of, geofence_names
from notifications_app.services.texts.template_rendering import render_message
from tasks_app.models import Event


def fill_bodies(notifications: Iterable[Notification]) -> None:
    """Render and store the text and HTML of the notifications that lack them.

    A notification whose event or device is gone gets its subject as text. At most seven queries.
    """
    lacking = [one for one in notifications if not one.body_text]
    if not lacking:
        return
    events = Event.objects.in_bulk({one.event_id for one in lacking if one.event_id})
    devices = devices_of(events.values())
    names = geofence_names(events.values())
    preferences = preferences_of(read_people({one.user_id for one in lacking}))
    for one in lacking:
        event = events.get(one.event_id or 0)
        if event is None or event.device_id not in devices:
            one.body_text = one.subject
            continue
        device = devices[event.device_id]
        message = event_message(_with_snapshot(event, one), device=device, geofence_name=names[event.pk])
        recipient = recipient_of(preferences.get(one.user_id, NO_PREFERENCE), device.fleet.time_zone)
        rendered = render_message(message, recipient)
        one.body_text, one.body_html = rendered.text, rendered.html
    Notification.objects.bulk_update(lacking, ["body_text", "body_html"], batch_size=500)


def _with_snapshot(event: Event, notification: Notification) -> Event:
    """A copy of the event with the data stored in its notification. Never saved."""
    snapshot = copy(event)
    snapshot.data = {**event.data, **notification.event_data}
    return snapshot
