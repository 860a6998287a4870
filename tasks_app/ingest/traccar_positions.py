"""Positions in the JSON of a Traccar server (`/api/positions`, `/api/reports/route`): knots, times with an offset.

The device is Traccar's own number, `deviceId`: the answers have no other.
"""

from __future__ import annotations

from typing import Any

from tasks_app.ingest.message import to_kph
from tasks_app.ingest.traccar_forward import attributes_of, known_accuracy


def in_own_form(item: dict[str, Any]) -> dict[str, Any]:
    """A position of Traccar as one of `json_batch`; any other as it is."""
    if "fixTime" not in item or "timestamp" in item:
        return item
    device = item.get("deviceId")
    return {
        **item,
        "device_id": str(device) if isinstance(device, int) and not isinstance(device, bool) else device,
        "timestamp": item["fixTime"],
        "speed": to_kph(item.get("speed"), "knots"),
        "accuracy": known_accuracy(item.get("accuracy")),
        "attributes": attributes_of(item),
    }
