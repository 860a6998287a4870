"""The metrics of WebSockets."""

from __future__ import annotations

from tasks_app.engine.metrics import Counter, Gauge

SOCKETS_OPEN = Gauge("tracker_sockets_open", "WebSockets whose users are authenticated")
SOCKETS_OPENED = Counter("tracker_sockets_opened_total", "WebSockets that were opened, by what they show", ("kind",))
SOCKETS_ENDED = Counter(
    "tracker_sockets_ended_total", "WebSockets that the server ended, by its close code", ("code",), most_series=50
)
