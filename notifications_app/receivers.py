"""What lower packages tell us through signals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.dispatch import receiver
from django.utils import timezone

from notifications_app.services.event_alerts import notify_of_events
from tasks_app.models import Event
from tasks_app.signals import events_recorded


@receiver(events_recorded, dispatch_uid="notifications_app.write_alerts")
def write_alerts(*, events: Sequence[Event], **_signal: Any) -> None:
    """Write the alerts of these events; they commit, or roll back, with the events."""
    notify_of_events(events, now=timezone.now(), max_age=timedelta(minutes=settings.ALERT_MAX_AGE_MINUTES))
