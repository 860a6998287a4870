"""Geofences made, changed and deleted, with a record of who did it, when, and from what to what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.db import transaction
from django.utils import translation
from django.utils.text import capfirst

from tasks_app.models import Geofence
from tasks_app.services.rows import delete_row, save_row

FIELDS = ("name", "area", "is_active", "speed_limit_kph", "tolerance_meters", "dwell_seconds", "windows")


class ChangedMeanwhile(Exception):
    """The geofence is no longer as it was when its editor read it."""

    def __init__(self, updated_at: datetime) -> None:
        super().__init__(updated_at)
        self.updated_at = updated_at


def save_geofence(
    geofence: Geofence, values: Mapping[str, Any], *, user: Any, unchanged_since: datetime | None = None
) -> Geofence:
    """Give a geofence, new or not, these values and store it. Raises Django's ValidationError, and ChangedMeanwhile where
    it was changed after `unchanged_since`, its `updated_at` as the caller read it."""
    with transaction.atomic():
        before = snapshot(geofence.pk)
        if before and unchanged_since is not None and before["updated_at"] != unchanged_since:
            raise ChangedMeanwhile(before["updated_at"])
        saved = save_row(geofence, values)
        record_change(saved, before, user=user)
    return saved


def delete_geofence(geofence: Geofence, *, user: Any) -> None:
    """Delete a geofence. Raises RowInUse."""
    with transaction.atomic():
        _log(user, geofence, DELETION, "")
        delete_row(geofence)


def snapshot(geofence_id: Any) -> dict[str, Any] | None:
    """Return the stored values of a geofence, locked until the end of the transaction; None for one that is new."""
    rows = Geofence.objects.select_for_update().filter(pk=geofence_id)
    return rows.values(*FIELDS, "updated_at").first() if geofence_id else None


def record_change(geofence: Geofence, before: Mapping[str, Any] | None, *, user: Any) -> None:
    """Record that `user` made the geofence, or changed it from what `snapshot` returned before."""
    _log(user, geofence, CHANGE if before else ADDITION, change_message(geofence, before))


def change_message(geofence: Geofence, before: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the message as Django's log has it: the names of the fields that changed, and beside them, as `values`, what
    each was and is. Of an area it keeps form and size."""
    if before is None:
        return [{"added": {}}]
    changed = [name for name in FIELDS if name in before and before[name] != getattr(geofence, name)]
    if not changed:
        return []
    with translation.override(None):
        labels = [field_label(name) for name in changed]
    values = {name: [_kept(name, before[name]), _kept(name, getattr(geofence, name))] for name in changed}
    return [{"changed": {"fields": labels}, "values": values}]


def field_label(name: str) -> str:
    """Return the name of a field of a geofence for people, in the language of the thread."""
    field: Any = Geofence._meta.get_field(name)
    return str(capfirst(str(field.verbose_name)))


def _kept(name: str, value: Any) -> Any:
    if name == "windows":
        return len(value or [])
    if name != "area" or not isinstance(value, dict):
        return value
    size = value.get("radius_meters", value.get("width_meters"))
    return {"type": value.get("type"), "points": _point_count(value.get("coordinates")), "size_meters": size}


def _point_count(coordinates: Any) -> int:
    """Return the number of points in lists of lists of points."""
    if not isinstance(coordinates, list) or not coordinates:
        return 0
    if not isinstance(coordinates[0], list):
        return 1
    return sum(map(_point_count, coordinates))


def _log(user: Any, geofence: Geofence, action: int, message: Any) -> None:
    LogEntry.objects.log_actions(user.pk, [geofence], action, change_message=message, single_object=True)
