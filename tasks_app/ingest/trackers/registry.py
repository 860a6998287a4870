"""The protocols of trackers: one line each."""

from __future__ import annotations

from tasks_app.ingest.trackers import coban, gt06, h02, jt808, queclink, suntech, teltonika
from tasks_app.ingest.trackers.base import TrackerProtocol

_ALL: tuple[TrackerProtocol, ...] = (
    teltonika.PROTOCOL,
    gt06.PROTOCOL,
    suntech.PROTOCOL,
    queclink.PROTOCOL,
    h02.PROTOCOL,
    coban.PROTOCOL,
    jt808.PROTOCOL,
)

PROTOCOLS: dict[str, TrackerProtocol] = {protocol.name: protocol for protocol in _ALL}
