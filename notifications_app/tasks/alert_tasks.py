"""Tasks of alerts: asked for by name, for recorded events, deferred ones, daily summaries."""

from __future__ import annotations

from typing import Any, Literal

from django.utils import timezone

from notifications_app.services import digests, events, system
from tasks_app.engine import current_job, task
from tasks_app.queries.access import is_oneself, operates_device
from tasks_app.services.argument_bounds import DeviceId, GeofenceId, Minutes, PlanId, RowId, SpeedKph, UserId

SEND = "notifications_app.add_notification"


@task(queue="notifications", schedulable=True, permission=SEND, members=operates_device, needs_operate=False)
def send_geofence_alert(
    device_id: DeviceId,
    geofence_id: GeofenceId,
    event_type: Literal["enter", "exit"],
    position_data: dict[str, Any] | None = None,
) -> dict[str, int]:
    """Notify that a device entered or left a geofence."""
    notified = events.alert_geofence(
        device_id=device_id,
        geofence_id=geofence_id,
        event_type=event_type,
        position_data=position_data or {},
        now=timezone.now(),
    )
    return {"notifications": len(notified)}


@task(queue="notifications", schedulable=True, permission=SEND, members=operates_device, needs_operate=False)
def send_device_offline_alert(device_id: DeviceId, offline_duration_minutes: Minutes) -> dict[str, int]:
    """Notify that a device has been silent for so many minutes."""
    notified = events.alert_offline(device_id=device_id, offline_minutes=offline_duration_minutes, now=timezone.now())
    return {"notifications": len(notified)}


@task(queue="notifications", schedulable=True, permission=SEND, members=operates_device, needs_operate=False)
def send_speed_alert(
    device_id: DeviceId, speed: SpeedKph, speed_limit: SpeedKph, position_data: dict[str, Any] | None = None
) -> dict[str, int]:
    """Notify that a device is faster than its limit (both in km/h)."""
    notified = events.alert_speed(
        device_id=device_id,
        speed_kph=speed,
        limit_kph=speed_limit,
        position_data=position_data or {},
        now=timezone.now(),
    )
    return {"notifications": len(notified)}


@task(queue="notifications", schedulable=True, permission=SEND, members=operates_device, needs_operate=False)
def send_maintenance_reminder(device_id: DeviceId, plan_id: PlanId) -> dict[str, int]:
    """Notify of the state of a device's maintenance plan."""
    notified = events.remind_of_maintenance(device_id=device_id, plan_id=plan_id, now=timezone.now())
    return {"notifications": len(notified)}


@task(queue="notifications", schedulable=True, permission=SEND, members=is_oneself, needs_operate=False)
def send_daily_summary(user_id: UserId | None = None) -> dict[str, int]:
    """Send one user the summary of the last 24 hours; without a user, start one job per subscriber."""
    if user_id is None:
        return {"jobs": digests.fan_out_daily_summaries()}
    return {"notifications": len(digests.send_summary(user_id=user_id, now=timezone.now()))}


@task(queue="notifications", schedulable=True, permission=SEND, needs_operate=False)
def send_system_alert(
    subject: str, message: str, level: Literal["info", "warning", "error", "critical"] = "warning"
) -> dict[str, int]:
    """Notify all administrators of trouble of the system."""
    notified = system.alert_administrators(subject=subject, message=message, level=level, now=timezone.now())
    return {"notifications": len(notified)}


@task(queue="notifications")
def dispatch_events(outbox_id: RowId) -> dict[str, int]:
    """Match the events of an outbox row against the rules and write the notifications."""
    is_repeated = current_job().attempt > 1
    return events.process_outbox_row(outbox_id, now=timezone.now(), is_repeated=is_repeated)


@task(queue="notifications", schedulable=True)
def send_due_alerts() -> dict[str, int]:
    """Send due alerts: pending ones, digests and escalations."""
    now = timezone.now()
    return {
        "lasted": events.send_pending_alerts(now=now),
        "digests": digests.send_due_digests(now=now),
        "escalated": events.escalate_due(now=now),
    }


@task(queue="notifications", schedulable=True)
def send_due_daily_summaries() -> dict[str, int]:
    """Start a job for each subscriber whose daily summary is due in their time zone."""
    return {"jobs": digests.start_due_summaries(now=timezone.now())}
