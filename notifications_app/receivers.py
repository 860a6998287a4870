"""Receivers of signals of lower packages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from notifications_app.services.events import write_outbox
from notifications_app.services.system import alert_administrators
from tasks_app.models import Event
from tasks_app.signals import events_recorded, system_trouble


@receiver(events_recorded, dispatch_uid="notifications_app.write_outbox")
def note_recorded_events(*, events: Sequence[Event], **_signal: Any) -> None:
    """Write these events to the outbox; it commits, or rolls back, with the events."""
    write_outbox(events, now=timezone.now())


@receiver(system_trouble, dispatch_uid="notifications_app.notify_of_trouble")
def notify_of_trouble(*, subject: str, message: str, level: str, key: str, now: datetime, **_signal: Any) -> None:
    """Notify the administrators, each once under the key."""
    alert_administrators(subject=subject, message=message, level=level, now=now, dedupe_key=f"trouble:{key}")
