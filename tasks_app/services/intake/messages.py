"""Messages of devices that may send: good fixes and alarms are buffered, bad ones quarantined; all are signs of life."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.message import DeviceMessage
from tasks_app.models import Device, FixSource
from tasks_app.services.devices import hear_from
from tasks_app.services.intake.buffer import add_to_buffer
from tasks_app.services.intake.quarantine import QuarantineEntry, quarantine_entries
from tasks_app.services.positions import count_received, count_unknown


def take_in(
    message: DeviceMessage, *, device: Device, source: FixSource, body: bytes | str, received_at: datetime
) -> None:
    """Take in one message of an authenticated sender for `device`; `body` is the raw message.

    Raises BufferFull, redis.RedisError: the sender must try again.
    """
    take_in_all([message], [body], device=device, source=source, received_at=received_at)


def take_in_all(
    messages: Sequence[DeviceMessage],
    bodies: Sequence[bytes | str],
    *,
    device: Device,
    source: FixSource,
    received_at: datetime,
) -> None:
    """Take in several messages of one device, as `take_in` does; `bodies` are the messages as they came."""
    fixes = [one.content for one in messages if isinstance(one.content, Fix)]
    unlocated = [one.unlocated for one in messages if one.unlocated is not None]
    entries = [
        QuarantineEntry(one.content.code, one.content.detail, body, device.unique_id)
        for one, body in zip(messages, bodies, strict=True)
        if isinstance(one.content, RejectedFix)
    ]
    add_to_buffer(fixes, unlocated, received_at=received_at)
    count_received(source, len(fixes) + len(unlocated) + len(entries))
    count_unknown(fixes, source)
    if entries:
        quarantine_messages(entries, device=device, source=source, received_at=received_at)
    elif not fixes and not unlocated and any(one.is_from_device for one in messages):
        hear_from(device_pk=device.pk, now=received_at)


def quarantine_messages(
    entries: list[QuarantineEntry], *, device: Device, source: FixSource, received_at: datetime
) -> None:
    """Quarantine messages of a known device, and note that it was heard from."""
    quarantine_entries(entries, source=source, device_pk=device.pk, received_at=received_at)
    hear_from(device_pk=device.pk, now=received_at)
