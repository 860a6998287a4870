"""Texts for lists that are empty: what belongs there, and how it comes. Apps above add theirs."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_hints: dict[str, str | Promise] = {
    "tasks_app.device": _(
        "Vehicles, phones and trackers that send positions. Add one, import a spreadsheet of them, or send positions of a "
        "new one with registration switched on."
    ),
    "tasks_app.fleet": _(
        "Fleets hold devices, geofences and rules, and the people who may see them. Add the first one."
    ),
    "tasks_app.geofence": _(
        "Areas in which entering and leaving is recorded. Add one, or import a GeoJSON or WKT file."
    ),
    "tasks_app.event": _(
        "What positions tell: geofences entered and left, overspeed, ignition, alarms, trips. Events come by themselves "
        "once devices send positions."
    ),
    "tasks_app.command": _(
        "What was asked of devices: positions, intervals, outputs, engines. Send one from the page of a device, or from here."
    ),
    "tasks_app.savedcommand": _("Commands under a name, ready to send to any device of a fleet. Save the first one."),
    "tasks_app.quarantinedfix": _(
        "Positions that cannot be right, or whose device is unknown. None: that is as it should be."
    ),
    "tasks_app.filteredfix": _(
        "Positions left out by the filters of a fleet or device. They come with positions, if any."
    ),
    "tasks_app.filtercount": _("How many positions the filters left out, by day. Counts come with positions, if any."),
    "tasks_app.maintenanceplan": _(
        "Servicing by distance, engine hours or days. Add a plan, and reminders come in time."
    ),
    "tasks_app.positionupload": _("Files of positions that were read in. Import one to see it here."),
    "tasks_app.positionarchive": _(
        "Files of days whose positions retention removed. They come once archiving is switched on under Retention."
    ),
    "django_q.schedule": _("Tasks that run by themselves, by the clock. Add one, or ask for reports on a schedule."),
    "knox.authtoken": _(
        "Tokens by which programs use the API. `manage.py api_token` and POST /api/auth/login make one."
    ),
    "axes.accessattempt": _("Log-ins that failed lately. None: that is as it should be."),
    "axes.accesslog": _("Log-ins and log-outs of people. They come by themselves."),
    "tasks_app.auditentry": _("What people changed, and when, where and why. Entries come by themselves."),
    "auth.group": _("Groups give their members permissions. Add one."),
}


def register_empty_hints(hints: Mapping[str, str | Promise]) -> None:
    """Add the hints of an app above, by model ("app_label.model")."""
    _hints.update(hints)


def empty_hint(model: str) -> str:
    """Return the text for an empty list of this model, or nothing."""
    return str(_hints.get(model, ""))
