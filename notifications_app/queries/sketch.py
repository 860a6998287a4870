"""The sketch of the place of a notification's event."""

from __future__ import annotations

from datetime import timedelta

from notifications_app.messages.map_sketch import Sketch
from notifications_app.models import Notification
from tasks_app.queries.routes import simplified_route

TRACK_BEFORE = timedelta(minutes=30)
MAX_POINTS = 80


def sketch_of(notification: Notification) -> Sketch | None:
    """The event's place, the half hour before and its geofence; None if no more than a point is known."""
    event = notification.event
    if event is None or event.latitude is None or event.longitude is None:
        return None
    at = event.occurred_at
    track = simplified_route(event.device_id, at - TRACK_BEFORE, at, max_points=MAX_POINTS)
    geofence = event.geofence
    if not track and geofence is None:
        return None
    points = [(position.latitude, position.longitude) for position in track]
    return Sketch((event.latitude, event.longitude), points, geofence.area if geofence else None)
