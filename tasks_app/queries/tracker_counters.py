"""Counts of gateways by protocol: the same figures that /metrics has."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tasks_app.engine.metrics import read_metrics

# Of `tracker_gateway_frames_total`: what a frame is. Every other outcome is the code of what is wrong with it.
KINDS_OF_FRAMES = frozenset({"login", "heartbeat", "position", "alarm", "answer", "other"})
_PREFIX = "tracker_gateway_"


@dataclass(slots=True)
class ProtocolCounters:
    """Figures of one protocol since Redis began to count."""

    protocol: str
    frames: int = 0
    bad_frames: int = 0
    acknowledged: int = 0
    unacknowledged: int = 0
    refused: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0

    @property
    def is_empty(self) -> bool:
        """Return whether nothing was counted."""
        return not any(getattr(self, field.name) for field in fields(self) if field.name != "protocol")


def protocol_counters() -> list[ProtocolCounters]:
    """Return the counters of each protocol that spoke or was refused, by name. Raises redis.RedisError."""
    found: dict[str, ProtocolCounters] = {}
    for reading in read_metrics():
        if reading.metric.name.startswith(_PREFIX):
            for (protocol, *labels), number in reading.series.items():
                if isinstance(number, int):
                    counters = found.setdefault(protocol, ProtocolCounters(protocol))
                    _add(counters, reading.metric.name.removeprefix(_PREFIX), labels, number)
    return sorted((one for one in found.values() if not one.is_empty), key=lambda one: one.protocol)


def _add(counters: ProtocolCounters, name: str, labels: list[str], number: int) -> None:
    if name == "frames_total":
        counters.frames += number
        counters.bad_frames += number if labels[0] not in KINDS_OF_FRAMES else 0
    elif name == "bytes_total" and labels[0] == "in":
        counters.bytes_received += number
    elif name == "bytes_total":
        counters.bytes_sent += number
    elif name in ("acknowledged_total", "unacknowledged_total", "refused_total"):
        field = name.removesuffix("_total")
        setattr(counters, field, getattr(counters, field) + number)
