"""The present of a device: status, place, speed, driver, last event, next maintenance."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from tasks_app.geo.units import Units
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.models import Device, DeviceAccess, DeviceState, DeviceStatus, MaintenancePlan
from tasks_app.pages.device.places import place_or_nearest
from tasks_app.queries.access import VIEW_EVENTS, has_right, to_view
from tasks_app.queries.day_timeline import last_event
from tasks_app.queries.trackers import session_of
from tasks_app.services.devices import maintenance_due
from tasks_app.utils.clock import exact_time_with_zone
from tasks_app.web.event_details import event_details
from tasks_app.web.intervals_left import remaining_text
from tasks_app.web.quantities import MISSING, format_distance, format_speed, units_of

DRIVER = "driverUniqueId"
VIEW_PLANS = to_view("maintenanceplan")


def now_context(request: HttpRequest, device: Device) -> dict[str, Any]:
    """Return the facts of the first part of a device's page: pairs of a name and a text."""
    state: DeviceState | None = getattr(device, "state", None)
    return {
        "status": DeviceStatus(state.status) if state else DeviceStatus.UNKNOWN,
        "state": state,
        "facts": [
            *_state_facts(request, device, state),
            *_tracker_facts(device),
            *_other_facts(request, device, state),
        ],
    }


def _state_facts(request: HttpRequest, device: Device, state: DeviceState | None) -> list[tuple[str, Any]]:
    if state is None or state.fix_time is None or state.latitude is None or state.longitude is None:
        return [(_("Last position"), _("None yet: it has sent nothing."))]
    units = units_of(request)
    driver = state.attributes.get(DRIVER)
    return [
        (_("Last position"), exact_time_with_zone(state.fix_time)),
        (_("Place"), place_or_nearest(device, state.latitude, state.longitude, units)),
        (_("Speed"), format_speed(state.speed_kph, units) if state.is_moving else _("Standing")),
        (_("Ignition"), MISSING if state.ignition is None else _("On") if state.ignition else _("Off")),
        (_("Odometer"), format_distance(state.odometer_meters, units)),
        *([(_("Driver"), str(driver))] if driver else []),
    ]


def _tracker_facts(device: Device) -> list[tuple[str, Any]]:
    """Return whether a tracker is connected to the gateway; nothing of devices that never were, and while Redis is away."""
    access: DeviceAccess | None = getattr(device, "access", None)
    if access is None or access.last_connected_at is None:
        return []
    try:
        session = session_of(device.unique_id)
    except RedisError:
        return []
    if session is None:
        at = exact_time_with_zone(access.last_connected_at)
        return [(_("Connection"), format_html(_("Not connected; last connected {}"), at))]
    label = PROTOCOLS[session.protocol].label if session.protocol in PROTOCOLS else session.protocol
    at = exact_time_with_zone(session.since)
    return [(_("Connection"), format_html(_("Connected by {} since {}"), label, at))]


def _other_facts(request: HttpRequest, device: Device, state: DeviceState | None) -> list[tuple[str, Any]]:
    facts = []
    if has_right(request.user, device.fleet, VIEW_EVENTS):
        facts.append((_("Last event"), _last_event(request, device)))
    if has_right(request.user, device.fleet, VIEW_PLANS):
        facts.append((_("Next maintenance"), _next_maintenance(device, state, units_of(request))))
    return facts


def _last_event(request: HttpRequest, device: Device) -> str:
    event = last_event(device)
    if event is None:
        return MISSING
    details = event_details(event.data, units_of(request))
    name = event.geofence_name or ", ".join(details[:1])
    text = f"{event.get_kind_display()}: {name}" if name else event.get_kind_display()
    return f"{text} ({date_format(timezone.localtime(event.occurred_at), 'SHORT_DATETIME_FORMAT')})"


def _next_maintenance(device: Device, state: DeviceState | None, units: Units) -> str:
    """Return the plan that is used up most, with what is left of it."""
    plans = MaintenancePlan.objects.filter(device=device, is_active=True)
    state, now = state or DeviceState(device=device), timezone.now()
    found = [(plan, maintenance_due(plan, state, now=now)) for plan in plans]
    if not found:
        return MISSING
    plan, due = max(found, key=lambda pair: pair[1].share)
    return f"{plan.name}: {remaining_text(due.remaining, units)}"
