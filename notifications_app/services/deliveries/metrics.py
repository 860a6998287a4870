"""The metrics of deliveries."""

from __future__ import annotations

from tasks_app.engine.metrics import SECONDS_OF_REQUESTS, Counter, Histogram

DELIVERIES = Counter(
    "tracker_deliveries_total",
    "Attempts at deliveries by outcome: sent, retry, failed; and deliveries merged into a digest",
    ("channel", "outcome"),
)
SEND_SECONDS = Histogram.of_seconds(
    "tracker_delivery_send_seconds",
    "Time that a receiver or server takes for a message",
    ("channel",),
    (*SECONDS_OF_REQUESTS, 30, 60),
)
