"""Import of files of fixes: history, so no alert is sent and no device counts as seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from itertools import islice
from pathlib import Path

from django.contrib.auth.models import User
from django.db import transaction

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.files import opened, pieces, plain_name
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.registry import parser_for
from tasks_app.ingest.text_files import remarks_about
from tasks_app.models import Device, Fleet
from tasks_app.services.audit import Subject, record
from tasks_app.services.positions import FILE, count_received, count_rejected, count_unknown, store_fixes

FIXES_PER_TRANSACTION = 5000
# What stands once for each fix, to know how many there will be.
_MARKERS = {"gpx": b"<trkpt", "json": b'"timestamp"', "geojson": b'"Feature"'}

Item = Fix | RejectedFix


@dataclass(slots=True)
class ImportSummary:
    """Counts of an import: `read` = stored + duplicates + all of `rejected` and of `filtered`, which count by reason.

    `remarks` are sentences about how the file was understood.
    """

    read: int = 0
    stored: int = 0
    duplicates: int = 0
    events: int = 0
    devices_created: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    filtered: Counter[str] = field(default_factory=Counter)
    # Quantities that could not be right, of fixes that are good without them.
    unknown_quantities: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

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
    """Store the fixes of one file, 5 000 to a transaction, counted in `summary`; an interruption keeps the finished part.

    `device_id` stands for the one in the file; with `create_in_fleet` unknown devices are made there. `on_progress` gets
    the number of fixes since its last call. The format is found out unless `format_name` says it; `zone` is that of times
    which state none. With `user_id` only devices this user may operate are accepted. `skip` leaves out fixes an earlier
    call has read. Raises BodyError and OSError where the file cannot be read (any further), after what could be is stored,
    and for one that holds no positions. Running it again stores nothing twice.
    """
    summary.remarks = remarks_about(path)
    parse = parser_for(path, format_name)
    for items in _chunks(islice(parse(path, device_id, now=now, zone=zone), skip, None)):
        fixes = [item for item in items if isinstance(item, Fix)]
        if create_in_fleet is not None:
            summary.devices_created += _create_devices(fixes, create_in_fleet, user_id)
        result = store_fixes(fixes, now, announce=False, user_id=user_id)
        summary.read += len(items)
        summary.stored += result.stored
        summary.duplicates += result.duplicates
        summary.events += result.events
        summary.filtered.update(result.filtered)
        summary.unknown_quantities.update(count_unknown(fixes, FILE))
        rejected = [item for item in (*items, *result.rejected) if isinstance(item, RejectedFix)]
        for item in rejected:
            summary.reject(item)
        count_received(FILE, len(items))
        count_rejected(FILE, [item.code for item in rejected])
        on_progress(len(items))


def estimate_fixes(path: Path) -> int:
    """About how many fixes a file holds, by counting lines or the marks between fixes: for a progress bar.

    Of a damaged file those before the damage. Raises OSError when it cannot be opened.
    """
    marker = _MARKERS.get(plain_name(path).rpartition(".")[2], b"\n")
    count, rest = 0, b""
    with suppress(BodyError), opened(path) as stream:
        for piece in pieces(stream):
            text = rest + piece
            count += text.count(marker)
            rest = text[max(0, len(text) - len(marker) + 1) :] if len(marker) > 1 else b""
    return count


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """The items in lists to store at once; where reading them breaks, those before that come first."""
    chunk: list[Item] = []
    try:
        for item in items:
            chunk.append(item)
            if len(chunk) == FIXES_PER_TRANSACTION:
                yield chunk
                chunk = []
    except (BodyError, OSError):
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def _create_devices(fixes: list[Fix], fleet: Fleet, user_id: int | None) -> int:
    wanted = {fix.device_id for fix in fixes}
    known = set(Device.objects.filter(unique_id__in=wanted).values_list("unique_id", flat=True))
    missing = sorted(wanted - known)
    if not missing:
        return 0
    devices = [Device(fleet=fleet, unique_id=unique_id, name=unique_id[:100]) for unique_id in missing]
    with transaction.atomic():
        Device.objects.bulk_create(devices, ignore_conflicts=True)
        user = User.objects.filter(pk=user_id).first() if user_id else None
        subject = Subject(Device._meta.label_lower, None, str(Device._meta.verbose_name_plural))
        record("add", subject, user=user, given={"unique_ids": missing, "fleet": fleet.name})
    return len(missing)
