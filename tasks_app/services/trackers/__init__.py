"""Trackers that are connected to a gateway."""

from tasks_app.services.trackers.metrics import (
    ACKNOWLEDGED,
    ACKNOWLEDGEMENT_SECONDS,
    BYTES,
    CLOSED,
    CONNECTIONS,
    FRAMES,
    OPENED,
    REFUSED,
    UNACKNOWLEDGED,
)

__all__ = [
    "ACKNOWLEDGED",
    "ACKNOWLEDGEMENT_SECONDS",
    "BYTES",
    "CLOSED",
    "CONNECTIONS",
    "FRAMES",
    "OPENED",
    "REFUSED",
    "UNACKNOWLEDGED",
]
