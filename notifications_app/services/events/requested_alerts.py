"""Alerts requested by name: the services behind the alert tasks.

They notify the users of the rules that match such an event, or the fleet's managers where the fleet has no rule at
all. They are sent at once, however old the position is: no digest, quiet hours or cooldown. Called
again by the same job they notify each person once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from notifications_app.matching.decisions import EventValue, Outcome, match
from notifications_app.messages.kinds.connection import offline_message
from notifications_app.messages.kinds.geofence import geofence_message
from notifications_app.messages.kinds.maintenance import plan_reminder
from notifications_app.messages.kinds.overspeed import speed_message
from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot, last_spot
from notifications_app.models import Rule
from notifications_app.queries.audience import fleet_managers
from notifications_app.queries.rules import rule_values, rules_about
from notifications_app.services.events.event_alerts import audience_of
from notifications_app.services.notifications import (
    Draft,
    MessageRenderer,
    job_dedupe_key,
    notify_with_message,
    write_notifications,
)
from tasks_app.engine import PermanentError
from tasks_app.ingest.validate import InvalidFix, check_number, parse_timestamp
from tasks_app.models import Device, EventKind, Geofence, MaintenancePlan
from tasks_app.services.argument_bounds import MAX_MINUTES

_GEOFENCE_KINDS = {"enter": EventKind.GEOFENCE_ENTER, "exit": EventKind.GEOFENCE_EXIT}


def alert_geofence(
    *, device_id: int, geofence_id: int, event_type: str, position_data: Mapping[str, Any], now: datetime
) -> list[int]:
    """Notify that a device entered or left a geofence of its fleet; return the notification ids."""
    device = _device(device_id)
    geofence = Geofence.objects.filter(pk=geofence_id, fleet=device.fleet_id).first()
    if geofence is None:
        raise PermanentError(_("The device's fleet has no geofence %(id)s.") % {"id": geofence_id})
    kind = _GEOFENCE_KINDS.get(event_type)
    if kind is None:
        raise PermanentError(_("event_type must be enter or exit."))
    spot = _spot(position_data, now)
    message = geofence_message(device, geofence_name=geofence.name, entered=kind == EventKind.GEOFENCE_ENTER, spot=spot)
    return _notify(message, device, kind, now=now, geofence_id=geofence.pk)


def alert_speed(
    *, device_id: int, speed_kph: float, limit_kph: float, position_data: Mapping[str, Any], now: datetime
) -> list[int]:
    """Notify that a device is faster (km/h) than its limit; return the notification ids."""
    device = _device(device_id)
    message = speed_message(
        device,
        speed_kph=_number("speed", speed_kph),
        limit_kph=_number("speed", limit_kph),
        spot=_spot(position_data, now),
    )
    return _notify(message, device, EventKind.OVERSPEED, now=now, speed_kph=speed_kph)


def alert_offline(*, device_id: int, offline_minutes: float, now: datetime) -> list[int]:
    """Notify that a device has been silent for so long; return the notification ids."""
    device = _device(device_id)
    if not 0 <= offline_minutes <= MAX_MINUTES:
        raise PermanentError(_("offline_duration_minutes must be between 0 and %(max)s.") % {"max": MAX_MINUTES})
    message = offline_message(device, offline_minutes=offline_minutes, is_back=False, spot=last_spot(device))
    return _notify(message, device, EventKind.DEVICE_OFFLINE, now=now)


def remind_of_maintenance(*, device_id: int, plan_id: int, now: datetime) -> list[int]:
    """Notify of the state of a device's maintenance plan; return the notification ids."""
    device = _device(device_id)
    plan = MaintenancePlan.objects.filter(pk=plan_id, device=device).first()
    if plan is None:
        raise PermanentError(_("The device has no maintenance plan %(id)s.") % {"id": plan_id})
    message = plan_reminder(plan, device=device, now=now)
    kind = EventKind.MAINTENANCE_DUE if message.context["is_due"] else EventKind.MAINTENANCE_DUE_SOON
    return _notify(message, device, kind, now=now)


def _notify(
    message: Message,
    device: Device,
    kind: EventKind,
    *,
    now: datetime,
    geofence_id: int | None = None,
    speed_kph: float | None = None,
) -> list[int]:
    if not Rule.objects.filter(Q(fleet=device.fleet_id) | Q(fleet__isnull=True)).exists():
        return notify_with_message(
            message,
            people=fleet_managers(device.fleet),
            dedupe_key=job_dedupe_key(),
            now=now,
            fallback_zone=device.fleet.time_zone,
            device_id=device.pk,
        )
    rules = rule_values(
        rules_about(
            fleet_ids=[device.fleet_id], kinds=[kind.value], device_ids=[device.pk], geofence_ids=[geofence_id or 0]
        )
    )
    audience = audience_of(rules, {device.pk: device}, now=now, max_age=timedelta(0), expressly=True, by_cooldown=False)
    event = EventValue(None, kind.value, device.fleet_id, device.pk, now, geofence_id, speed_kph=speed_kph)
    channels: defaultdict[int, set[str]] = defaultdict(set)
    for decision in match(event, rules, audience.context):
        if decision.outcome in (Outcome.NOTIFY, Outcome.HOLD) and decision.user_id is not None:
            channels[decision.user_id] |= decision.channels
    render_for, dedupe_key = MessageRenderer(), job_dedupe_key()
    drafts = [
        Draft(
            user_id=user_id,
            kind=message.kind,
            dedupe_key=dedupe_key,
            rendered=render_for(message, audience.recipient(user_id, device.fleet)),
            channels=channels[user_id],
            device_id=device.pk,
        )
        for user_id in sorted(channels)
    ]
    return write_notifications(drafts, now=now)


def _device(device_id: int) -> Device:
    """The device with its fleet and state. Raises PermanentError."""
    device = Device.objects.select_related("fleet", "state").filter(pk=device_id).first()
    if device is None:
        raise PermanentError(_("There is no device %(id)s.") % {"id": device_id})
    return device


def _spot(position_data: Mapping[str, Any], now: datetime) -> Spot:
    """Time and place of a position in the API's format, all fields optional. Raises PermanentError."""
    at = position_data.get("timestamp", position_data.get("fix_time"))
    latitude, longitude = position_data.get("latitude"), position_data.get("longitude")
    try:
        return Spot(
            at=now if at is None else parse_timestamp(at, now=now),
            latitude=None if latitude is None else check_number("latitude", latitude),
            longitude=None if longitude is None else check_number("longitude", longitude),
        )
    except InvalidFix as error:
        raise PermanentError(f"position_data: {error}") from error


def _number(name: str, value: float) -> float:
    try:
        return check_number(name, value)
    except InvalidFix as error:
        raise PermanentError(str(error)) from error
