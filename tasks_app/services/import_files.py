"""Reading files of fixes into the position table: history, so nobody is alerted and no device counts as seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from itertools import islice
from pathlib import Path

from tasks_app.ingest.files import opened, plain_name
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.registry import parser_for
from tasks_app.models import Device, Fleet
from tasks_app.services.positions import store_fixes
from tasks_app.services.unknown_quantities import FILE, count_unknown

FIXES_PER_TRANSACTION = 5000
_READ_BYTES = 1 << 20
# What stands once for each fix, to know how many there will be.
_MARKERS = {"gpx": b"<trkpt", "json": b'"timestamp"', "geojson": b'"Feature"'}

Item = Fix | RejectedFix


@dataclass(slots=True)
class ImportSummary:
    """What became of a file: `read` = stored + doubled + all of `rejected` and of `filtered`, which count by reason."""

    read: int = 0
    stored: int = 0
    doubled: int = 0
    events: int = 0
    devices_created: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    filtered: Counter[str] = field(default_factory=Counter)
    # Quantities that could not be right, of fixes that are good without them.
    unknown_quantities: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def reject(self, reason: RejectedFix) -> None:
        self.rejected[reason.code] += 1
        self.examples.setdefault(reason.code, reason.detail)


def import_file(
    path: Path,
    summary: ImportSummary,
    *,
    now: datetime,
    device_id: str | None = None,
    create_in_fleet: Fleet | None = None,
    on_progress: Callable[[int], None] = lambda count: None,
    format_name: str | None = None,
    zone: tzinfo | None = None,
    user_id: int | None = None,
    skip: int = 0,
) -> None:
    """Store the fixes of one file, 5 000 to a transaction, adding up in `summary` so that a break keeps what was done.

    `device_id` stands for the one in the file; with `create_in_fleet` unknown devices are made there. `on_progress` gets
    the number of fixes since its last call. The format is found out unless `format_name` says it; `zone` is that of times
    which state none. With `user_id` only devices this user may operate are accepted. `skip` leaves out fixes an earlier
    call has read. Raises BodyError and OSError when the file cannot be read. Running it again stores nothing twice.
    """
    parse = parser_for(path, format_name)
    for items in _chunks(islice(parse(path, device_id, now=now, zone=zone), skip, None)):
        fixes = [item for item in items if isinstance(item, Fix)]
        if create_in_fleet is not None:
            summary.devices_created += _create_devices(fixes, create_in_fleet)
        result = store_fixes(fixes, now, announce=False, user_id=user_id)
        summary.read += len(items)
        summary.stored += result.stored
        summary.doubled += result.doubled
        summary.events += result.events
        summary.filtered.update(result.filtered)
        summary.unknown_quantities.update(count_unknown(fixes, FILE))
        for item in (*items, *result.rejected):
            if isinstance(item, RejectedFix):
                summary.reject(item)
        on_progress(len(items))


def estimate_fixes(path: Path) -> int:
    """About how many fixes a file holds, by counting lines or the marks between fixes: for a progress bar."""
    marker = _MARKERS.get(plain_name(path).rpartition(".")[2], b"\n")
    count, rest = 0, b""
    with opened(path) as stream:
        while chunk := stream.read(_READ_BYTES):
            text = rest + chunk
            count += text.count(marker)
            rest = text[max(0, len(text) - len(marker) + 1) :] if len(marker) > 1 else b""
    return count


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    chunk: list[Item] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == FIXES_PER_TRANSACTION:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _create_devices(fixes: list[Fix], fleet: Fleet) -> int:
    wanted = {fix.device_id for fix in fixes}
    known = set(Device.objects.filter(unique_id__in=wanted).values_list("unique_id", flat=True))
    missing = sorted(wanted - known)
    Device.objects.bulk_create(
        [Device(fleet=fleet, unique_id=unique_id, name=unique_id[:100]) for unique_id in missing], ignore_conflicts=True
    )
    return len(missing)
