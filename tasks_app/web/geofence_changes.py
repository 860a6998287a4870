"""The history of a geofence as text: who changed what, and when."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tasks_app.models import Geofence
from tasks_app.models.geofences import AREA_KINDS
from tasks_app.queries.geofences import log_of
from tasks_app.services.geofences import field_label
from tasks_app.web.quantities import MISSING, format_number


@dataclass(frozen=True, slots=True)
class Change:
    """One record of the history; `texts` are sentences such as "Name: Gate → Main gate"."""

    user: str
    at: datetime
    texts: list[str]


def changes_of(geofence: Geofence, most: int) -> list[Change]:
    """Return the newest changes of a geofence."""
    return [Change(str(entry.user), entry.action_time, _texts(entry)) for entry in log_of(geofence, most)]


def _texts(entry: LogEntry) -> list[str]:
    values = [part for change in _parts(entry) for part in (change.get("values") or {}).items()]
    texts = [_text(name, *pair) for name, pair in values if isinstance(pair, list) and len(pair) == 2]
    return texts or [entry.get_change_message() or entry.get_action_flag_display()]


def _parts(entry: LogEntry) -> list[dict[str, Any]]:
    """Return the parts of a message, none of one that is mere text."""
    try:
        found = json.loads(entry.change_message)
    except ValueError:
        return []
    return [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []


def _text(name: str, before: Any, after: Any) -> str:
    label = field_label(name)
    old, new = _value(name, before), _value(name, after)
    if old == new:
        return _("%(name)s: changed (%(value)s)") % {"name": label, "value": new}
    return f"{label}: {old} → {new}"


def _value(name: str, value: Any) -> str:
    if value is None or value == "":
        return MISSING
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if name == "windows":
        return ngettext("%(number)s window", "%(number)s windows", value) % {"number": value}
    if isinstance(value, dict):
        return _area(value)
    return format_number(value, 1 if value % 1 else 0) if isinstance(value, int | float) else str(value)


def _area(kept: dict[str, Any]) -> str:
    points = kept.get("points") or 0
    parts = [str(AREA_KINDS.get(str(kept.get("type")), MISSING))]
    if kept.get("type") != "Circle":
        parts.append(ngettext("%(number)s point", "%(number)s points", points) % {"number": format_number(points)})
    if kept.get("size_meters") is not None:
        parts.append(f"{format_number(kept['size_meters'])} m")
    return ", ".join(parts)
