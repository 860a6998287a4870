"""Connected trackers, unknown ones, counters and frames as rows of their pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import pgettext_lazy

from tasks_app.admin.common import format_bytes, format_time
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.models import Device
from tasks_app.queries.tracker_counters import ProtocolCounters
from tasks_app.queries.trackers import ConnectedTracker, RawFrame, UnknownTracker

# What a frame is, or why it cannot be read, as gateways count them (`Decoded.kind`, `BadFrame.code`).
FRAME_NOTES: dict[str, Any] = {
    "login": pgettext_lazy("frame", "login"),
    "heartbeat": pgettext_lazy("frame", "heartbeat"),
    "position": pgettext_lazy("frame", "position"),
    "alarm": pgettext_lazy("frame", "alarm"),
    "answer": pgettext_lazy("frame", "answer to a command"),
    "command": pgettext_lazy("frame", "command"),
    "other": pgettext_lazy("frame", "other"),
    "hex_mode": pgettext_lazy("frame", "unreadable: HEX mode"),
    "wrong_part": pgettext_lazy("frame", "unreadable: wrong part of a message"),
    "encrypted": pgettext_lazy("frame", "unreadable: encrypted"),
    "missing_device_id": pgettext_lazy("frame", "unreadable: no identifier"),
    "no_identifier": pgettext_lazy("frame", "unreadable: no identifier"),
    "not_logged_in": pgettext_lazy("frame", "unreadable: before the login"),
    "too_short": pgettext_lazy("frame", "unreadable: too short"),
    "unknown_codec": pgettext_lazy("frame", "unreadable: unknown codec"),
    "unknown_layout": pgettext_lazy("frame", "unreadable: unknown layout"),
    "unknown_type": pgettext_lazy("frame", "unreadable: unknown type"),
    "wrong_checksum": pgettext_lazy("frame", "unreadable: wrong checksum"),
    "wrong_count": pgettext_lazy("frame", "unreadable: wrong number of records"),
    "wrong_length": pgettext_lazy("frame", "unreadable: wrong length"),
}


def matching(connected: list[ConnectedTracker], *, search: str, protocol: str) -> list[ConnectedTracker]:
    """Return the trackers of a protocol whose device, by name or identifier, or address holds the text."""
    if protocol:
        connected = [one for one in connected if one.protocol == protocol]
    if not search:
        return connected
    named = Device.objects.filter(Q(name__icontains=search) | Q(unique_id__icontains=search))
    wanted = set(named.values_list("pk", flat=True))
    return [one for one in connected if one.device_pk in wanted or search in one.address]


def tracker_rows(shown: list[ConnectedTracker], *, with_frames: bool) -> list[dict[str, Any]]:
    """Return the rows of connected trackers; one query names their devices."""
    devices = Device.objects.select_related("fleet").in_bulk([one.device_pk for one in shown])
    return [_tracker_row(one, devices.get(one.device_pk), with_frames=with_frames) for one in shown]


def _tracker_row(one: ConnectedTracker, device: Device | None, *, with_frames: bool) -> dict[str, Any]:
    return {
        "tracker": one,
        "name": device.name if device else one.device_id,
        "fleet": device.fleet.name if device else "",
        "url": reverse("admin:tasks_app_device_change", args=[device.pk]) if device else "",
        "frames_url": reverse("tracker_frames", args=[device.pk]) if device and with_frames else "",
        "protocol": protocol_label(one.protocol),
        "since": format_time(one.since),
        "last_seen": format_time(one.last_seen_at),
        "received": format_bytes(one.bytes_received),
        "sent": format_bytes(one.bytes_sent),
        "frames": number_format(one.frames, force_grouping=True),
    }


def without_device(unknown: list[UnknownTracker]) -> list[UnknownTracker]:
    """Leave out those for which a device was added since they tried to connect."""
    named = Device.objects.filter(unique_id__in=[one.identifier for one in unknown])
    added = set(named.values_list("unique_id", flat=True))
    return [one for one in unknown if one.identifier not in added]


def unknown_rows(unknown: list[UnknownTracker]) -> list[dict[str, Any]]:
    """Return the rows of trackers that no device has, with the address of a form to add one."""
    form = reverse("admin:tasks_app_device_add")
    return [
        {
            "tracker": one,
            "protocol": protocol_label(one.protocol),
            "first_seen": format_time(one.first_seen_at),
            "last_seen": format_time(one.last_seen_at),
            "count": number_format(one.count, force_grouping=True),
            "url": f"{form}?{urlencode({'unique_id': one.identifier, 'name': one.identifier})}",
        }
        for one in unknown
    ]


def counter_rows(counters: list[ProtocolCounters], connected: list[ConnectedTracker]) -> list[dict[str, Any]]:
    """Return the figures of each protocol, with how many of its trackers are connected."""
    now: dict[str, int] = {}
    for one in connected:
        now[one.protocol] = now.get(one.protocol, 0) + 1
    silent = [ProtocolCounters(name) for name in sorted(now.keys() - {one.protocol for one in counters})]
    return [
        {
            "protocol": protocol_label(one.protocol),
            "connected": number_format(now.get(one.protocol, 0), force_grouping=True),
            "numbers": [
                number_format(number, force_grouping=True)
                for number in (one.frames, one.bad_frames, one.acknowledged, one.unacknowledged, one.refused)
            ],
            "received": format_bytes(one.bytes_received),
            "sent": format_bytes(one.bytes_sent),
        }
        for one in (*counters, *silent)
    ]


def frame_rows(frames: list[RawFrame]) -> list[dict[str, Any]]:
    """Return the last frames of a device, newest first, as hexadecimal bytes and as the text in them."""
    return [
        {
            "at": frame.at,
            "is_received": frame.direction == "in",
            "size": format_bytes(len(frame.data)),
            "hex": frame.data.hex(" "),
            "text": readable(frame.data),
            "note": FRAME_NOTES.get(frame.note, frame.note),
        }
        for frame in reversed(frames)
    ]


def readable(data: bytes) -> str:
    """Return the text of a frame of text; "" for binary data."""
    text = data.decode("ascii", errors="replace").strip()
    return text if text and text.isprintable() and "\N{REPLACEMENT CHARACTER}" not in text else ""


def protocol_label(name: str) -> str:
    """Return the name of a protocol for people; one that this version does not have keeps its own."""
    protocol = PROTOCOLS.get(name)
    return protocol.label if protocol else name
