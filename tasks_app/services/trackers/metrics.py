"""The metrics of the gateway. Reasons and outcomes are words of the code, protocols those of the registry: all are bounded."""

from __future__ import annotations

from tasks_app.engine.metrics import SECONDS_OF_REQUESTS, Counter, Gauge, Histogram

# Of UDP a sender that was heard lately counts as a connection.
CONNECTIONS = Gauge("tracker_gateway_connections", "Connections of trackers that named themselves", ("protocol",))
OPENED = Counter(
    "tracker_gateway_opened_total",
    "Connections that were accepted, before anything was read",
    ("protocol", "transport"),
)
CLOSED = Counter(
    "tracker_gateway_closed_total", "Connections that ended, by reason", ("protocol", "reason"), most_series=200
)
REFUSED = Counter(
    "tracker_gateway_refused_total",
    "Connections and trackers that were refused, by reason",
    ("protocol", "reason"),
    most_series=200,
)
# Outcomes: login, heartbeat, position, alarm, answer, other, as the protocol says, or the code of what is wrong with the frame.
FRAMES = Counter(
    "tracker_gateway_frames_total",
    "Frames by what they are, or by what is wrong with them",
    ("protocol", "outcome"),
    most_series=300,
)
BYTES = Counter("tracker_gateway_bytes_total", "Bytes from trackers (in) and to them (out)", ("protocol", "direction"))
ACKNOWLEDGED = Counter(
    "tracker_gateway_acknowledged_total",
    "Frames that were taken in, their fixes being in Redis, and acknowledged where the protocol does",
    ("protocol",),
)
ACKNOWLEDGEMENT_SECONDS = Histogram.of_seconds(
    "tracker_gateway_acknowledgement_seconds",
    "From the arrival of a frame to its acknowledgement",
    ("protocol",),
    SECONDS_OF_REQUESTS,
)
UNACKNOWLEDGED = Counter(
    "tracker_gateway_unacknowledged_total",
    "Frames that were not taken in yet, or cannot be right, and so were not acknowledged, by reason",
    ("protocol", "reason"),
    most_series=200,
)
