"""What lower packages tell us through signals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.dispatch import receiver
from django.utils import timezone

from notifications_app.services.event_alerts import notify_of_events
from notifications_app.services.system_alerts import alert_administrators
from tasks_app.models import Event
from tasks_app.signals import events_recorded, system_trouble


@receiver(events_recorded, dispatch_uid="notifications_app.write_alerts")
def write_alerts(*, events: Sequence[Event], **_signal: Any) -> None:
    """Write the alerts of these events; they commit, or roll back, with the events."""
    notify_of_events(events, now=timezone.now(), max_age=timedelta(minutes=settings.ALERT_MAX_AGE_MINUTES))


@receiver(system_trouble, dispatch_uid="notifications_app.tell_of_trouble")
def tell_of_trouble(*, subject: str, message: str, level: str, key: str, now: datetime, **_signal: Any) -> None:
    """Tell the administrators, each once under the key."""
    alert_administrators(subject=subject, message=message, level=level, now=now, dedupe_key=f"trouble:{key}")
