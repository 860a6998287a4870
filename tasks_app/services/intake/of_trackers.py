"""Messages of many trackers, as gateways gather them: one round trip for the buffer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.message import DeviceMessage
from tasks_app.models import FixSource
from tasks_app.services.devices import hear_from_all
from tasks_app.services.intake.buffer import add_of_many
from tasks_app.services.intake.quarantine import QuarantineEntry, quarantine_entries
from tasks_app.services.positions import count_received, count_unknown


@dataclass(frozen=True, slots=True)
class TrackerMessages:
    """The messages of one frame of a registered device, and the frame."""

    device_pk: int
    unique_id: str
    messages: Sequence[DeviceMessage]
    frame: bytes

    @property
    def rejected(self) -> list[RejectedFix]:
        """The fixes among them that cannot be right."""
        return [one.content for one in self.messages if isinstance(one.content, RejectedFix)]


def take_in_of_trackers(sent: Sequence[TrackerMessages], *, received_at: datetime) -> list[bool]:
    """Add the fixes and alarms to the position buffer; return of each frame whether it may be acknowledged.

    Fixes that cannot be right have to be quarantined first. Needs no database. Raises redis.RedisError where nothing could
    be added.
    """
    fixes = [[one.content for one in frame.messages if isinstance(one.content, Fix)] for frame in sent]
    unlocated = [[one.unlocated for one in frame.messages if one.unlocated is not None] for frame in sent]
    names = [frame.unique_id for frame in sent]
    taken = add_of_many(list(zip(names, fixes, unlocated, strict=True)), received_at=received_at)
    accepted = [fix for some, is_in in zip(fixes, taken, strict=True) if is_in for fix in some]
    alarms = sum(len(some) for some, is_in in zip(unlocated, taken, strict=True) if is_in)
    count_received(FixSource.GATEWAY, len(accepted) + alarms)
    count_unknown(accepted, FixSource.GATEWAY)
    return taken


def quarantine_of_trackers(sent: Sequence[TrackerMessages], *, received_at: datetime) -> None:
    """Quarantine the fixes of these frames that cannot be right, and note that their devices were heard from."""
    by_device: dict[int, list[QuarantineEntry]] = defaultdict(list)
    for frame in sent:
        body = frame.frame if _is_text(frame.frame) else frame.frame.hex()
        by_device[frame.device_pk] += [
            QuarantineEntry(one.code, one.detail, body, frame.unique_id) for one in frame.rejected
        ]
    for device_pk, entries in by_device.items():
        count_received(FixSource.GATEWAY, len(entries))
        quarantine_entries(entries, source=FixSource.GATEWAY, device_pk=device_pk, received_at=received_at)
    hear_from_all(device_pks=by_device, now=received_at)


def _is_text(frame: bytes) -> bool:
    return frame.isascii() and frame.decode("ascii").replace("\r", "").replace("\n", "").isprintable()
