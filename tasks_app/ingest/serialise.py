"""A Fix or an unlocated alarm as the JSON position the ingest API accepts: the inverse of `json_batch.parse_batch`."""

from __future__ import annotations

from typing import Any

from tasks_app.ingest.fix import Fix
from tasks_app.ingest.unlocated_alarms import UnlocatedAlarm
from tasks_app.utils.iso_times import iso_utc


def fix_to_item(fix: Fix) -> dict[str, Any]:
    """JSON-ready position (degrees, km/h, meters, ISO-8601 UTC); what is not known is left out."""
    item: dict[str, Any] = {
        "device_id": fix.device_id,
        "timestamp": iso_utc(fix.fix_time),
        "latitude": fix.latitude,
        "longitude": fix.longitude,
    }
    optional = {
        "speed": fix.speed_kph,
        "course": fix.course_degrees,
        "altitude": fix.altitude_meters,
        "accuracy": fix.accuracy_meters,
        "attributes": fix.attributes or None,
        "unknown": list(fix.unknown) or None,
    }
    return item | {key: value for key, value in optional.items() if value is not None}


def alarm_to_item(unlocated: UnlocatedAlarm) -> dict[str, Any]:
    """JSON-ready position without a place."""
    values = {"alarm": list(unlocated.alarms), "result": unlocated.result}
    attributes = {name: value for name, value in values.items() if value}
    return {"device_id": unlocated.device_id, "timestamp": iso_utc(unlocated.sent_at), "attributes": attributes}
