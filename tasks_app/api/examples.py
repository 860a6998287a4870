"""Examples of the OpenAPI schema: values as they are in a fleet, by the names of fields and parameters.

Tools make the example of a body from those of its fields. Without them they take a field's bounds, such as 9223372036854775807.
"""

from __future__ import annotations

from typing import Any

JOB_ID = "0a5c1b7e-6f3d-4a52-9d6b-2f4c8e1d7a90"
NUMBERS: dict[str, Any] = {
    "device": 7, "device_id": 7, "fleet": 3, "fleet_id": 3, "geofence": 12, "geofence_id": 12, "plan_id": 5, "rule_id": 4,
    "report_id": 31, "schedule_id": 9, "user_id": 2, "owner": 2, "requested_by": 2, "event_id": 4711, "delivery_id": 58,
    "notification_id": 57, "destination_id": 6, "import_id": 8, "id": 7, "limit": 50, "hours": 24, "rows": 20, "minutes": 15,
    "max_points": 1000, "days_to_keep": 30, "every_days": 180, "repeats": -1, "weekday": 0, "month_day": 1, "lat": -23.55,
    "lon": -46.63, "latitude": -23.5505, "longitude": -46.6333, "speed": 42.0, "speed_kph": 42.0, "course": 90.0,
    "course_degrees": 90.0, "altitude": 760.0, "altitude_meters": 760.0, "accuracy": 5.0, "accuracy_meters": 5.0,
    "speed_limit": 90.0, "speed_limit_kph": 90.0, "odometer_meters": 84_215_300.0, "engine_seconds": 5_400_000.0,
    "every_meters": 10_000_000.0, "every_engine_seconds": 900_000.0, "offline_minutes": 30.0, "after_minutes": 15,
    "max_distance_meters": 5000.0, "min_speed_kph": 100.0, "radius_meters": 400.0, "corridor_width_meters": 50.0,
    "max_age_hours": 24.0, "offline_after_minutes": 15, "command_id": 41, "saved_command_id": 4, "expires_in_seconds": 600,
    "priority": 0, "requested_by_id": 2, "confirmed_by_id": 5, "zone_minutes": -180, "number": 1,
}  # fmt: skip
TEXTS: dict[str, str] = {
    "device_id": "861234567890123", "unique_id": "861234567890123", "name": "Van 03", "username": "ana", "password": "...",
    "time_zone": "America/Sao_Paulo", "reason": "Asked for by the depot", "task": "cleanup_old_positions",
    "task_id": JOB_ID, "queue": "cleanup", "search": "state:failed after:yesterday", "fields": "id,name",
    "cron": "5 0 * * *", "timestamp": "2026-11-23T10:00:00Z", "start": "2026-11-01", "end": "2026-11-08",
    "subject": "Disk almost full", "message": "The disk of the database is 92 % full.", "note": "Oil and filter",
    "url": "https://hooks.example.org/tracker", "typed_name": "Van 03", "phone_number": "+5511999990000",
    "data_hex": "787816801000000001", "answer": "TIMER OK!", "state_text": "The device answered.", "state_reason": "answered",
    "period": "24h", "pattern": "*", "alarm": "sos",
}  # fmt: skip
LISTS: dict[str, list[Any]] = {
    "device_ids": [7, 8], "user_ids": [2], "geofence_ids": [12], "recipient_ids": [2, 5], "ids": [JOB_ID],
    "kinds": ["trips", "stops"], "formats": ["xlsx"], "extra_emails": ["boss@example.org"],
}  # fmt: skip
OTHERS: dict[str, Any] = {
    "area": {"type": "Circle", "coordinates": [-46.63, -23.55], "radius_meters": 400},
    "kwargs": {"days_to_keep": 30},
    "attributes": {"ignition": True},
    "parameters": {"interval_seconds": 30},
}
TIMES = {"date-time": "2026-11-23T10:00:00Z", "date": "2026-11-23"}
# The largest integer that JSON's readers in browsers keep exactly.
MAX_SAFE = 2**53 - 1
OTHER_NUMBER = 1


def add_examples(result: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
    """Give fields and parameters that have none an example (a postprocessing hook of drf-spectacular)."""
    for component in result.get("components", {}).get("schemas", {}).values():
        _add_to(component)
    for methods in result["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                schema = parameter["schema"]
                if "example" not in parameter and (found := example_of(parameter["name"], schema)) is not None:
                    parameter["example"] = found
    return result


def _add_to(schema: dict[str, Any]) -> None:
    for name, field in schema.get("properties", {}).items():
        if "example" not in field and "$ref" not in field and (found := example_of(name, field)) is not None:
            field["example"] = found


def example_of(name: str, schema: dict[str, Any]) -> Any:
    """Return an example of a value of this name; None where the schema makes a good one by itself."""
    if "enum" in schema or "default" in schema or "allOf" in schema or "oneOf" in schema:
        return None
    match schema.get("type"):
        case "integer" | "number":
            found = NUMBERS.get(name)
            is_large = abs(schema.get("maximum", 0)) > MAX_SAFE or abs(schema.get("minimum", 0)) > MAX_SAFE
            return OTHER_NUMBER if found is None and is_large else found
        case "string":
            return TIMES.get(schema.get("format", "")) or _text_of(name, schema)
        case "array":
            return _list_of(name, schema)
    return OTHERS.get(name)


def _text_of(name: str, schema: dict[str, Any]) -> Any:
    found = JOB_ID if schema.get("format") == "uuid" else TEXTS.get(name)
    return found if len(found or "") <= schema.get("maxLength", 10**6) else None


def _list_of(name: str, schema: dict[str, Any]) -> Any:
    found = LISTS.get(name)
    is_of_numbers = schema.get("items", {}).get("type") == "integer"
    if name == "ids" and is_of_numbers:
        return [57, 58]
    if found is None:
        return [7] if is_of_numbers else None
    return found if is_of_numbers == isinstance(found[0], int) else None
