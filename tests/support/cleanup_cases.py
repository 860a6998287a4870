"""Each cleanup task with something to remove, for what all of them promise."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import redis
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone
from knox.models import AuthToken

from notifications_app.models import Delivery, Notification
from reports_app.models import Report, ReportChunk, ReportFile
from tasks_app.models import Event, Job, Position, QuarantinedFix
from tests.support.retention import set_state, store

_KEYS = [f"entry:{number}" for number in range(40)]
_FOLDER = "position-uploads"


@dataclass(frozen=True, slots=True)
class Case:
    """`make(make_device, user)` stores `going` things that this task removes and `kept` that it must not; `count()` all."""

    lock: str
    make: Callable[[Callable, User], None]
    count: Callable[[], int]
    going: int
    kept: int


def ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def make_positions(make_device, user) -> None:
    device, silent = make_device(), make_device()
    for days in (40, 41, 42):
        store(device, *[ago(days) + timedelta(seconds=second) for second in range(4)])
    last = ago(41)
    store(silent, last)
    set_state(silent, last)
    store(device, ago(1))


def make_duplicates(make_device, user) -> None:
    for device in (make_device(), make_device()):
        store(device, *[ago(1) + timedelta(seconds=second) for second in (0, 0.2, 0.4, 5, 5.3)])


def make_orphans(make_device, user) -> None:
    gone, device = make_device(), make_device()
    store(gone, *[ago(2) + timedelta(seconds=second) for second in range(5)])
    store(device, ago(2))
    gone.delete()
    for hours in (3, 0):
        name = default_storage.save(f"{_FOLDER}/a.csv", ContentFile(b"12345"))
        os.utime(default_storage.path(name), (timezone.now().timestamp() - hours * 3600,) * 2)


def count_positions_and_files() -> int:
    return Position.objects.count() + len(default_storage.listdir(_FOLDER)[1])


def make_events(make_device, user) -> None:
    device = make_device()
    Event.objects.bulk_create(
        [Event(device=device, kind="overspeed", occurred_at=ago(days)) for days in (91, 92, 93, 94, 89)]
    )


def make_sessions(make_device, user) -> None:
    for number, days in enumerate((1, 2, 3, -1)):
        Session.objects.create(session_key=f"s{number}", session_data="", expire_date=ago(days))
    for seconds in (-60, -120, 3600):
        AuthToken.objects.create(user=user, expiry=timedelta(seconds=seconds))


def make_jobs(make_device, user) -> None:
    for state, days in (("succeeded", 8), ("succeeded", 9), ("failed", 31), ("cancelled", 32), ("failed", 8)):
        at = ago(days)
        Job.objects.create(
            id=uuid4(), task="t", queue="cleanup", state=state, created_at=at, finished_at=at, attempts=[]
        )


def make_quarantine(make_device, user) -> None:
    device = make_device()
    QuarantinedFix.objects.bulk_create(
        [QuarantinedFix(device=device, source="osmand", code="x", received_at=ago(days)) for days in (31, 32, 33, 29)]
    )


def make_notifications(make_device, user) -> None:
    for number, (days, state) in enumerate([(91, "sent"), (92, "failed"), (93, "sent"), (94, "pending"), (1, "sent")]):
        made = Notification.objects.create(user=user, kind="speed", dedupe_key=str(number), subject="s", body_text="t")
        Delivery.objects.create(notification=made, channel="email", state=state)
        Notification.objects.filter(pk=made.pk).update(created_at=ago(days))
        Delivery.objects.filter(notification=made).update(created_at=ago(days))


def make_report(device, user, state: str, days: float, expires_in: float = 30) -> Report:
    """A report of that state, asked for so many days ago, whose content may stay so many days more."""
    end = ago(days)
    span = {"range_start": end - timedelta(days=1), "range_end": end}
    expires_at = timezone.now() + timedelta(days=expires_in)
    made = Report.objects.create(
        kind="trips", device=device, requested_by=user, state=state, expires_at=expires_at, **span
    )
    Report.objects.filter(pk=made.pk).update(created_at=end)
    return made


def make_old_reports(make_device, user) -> None:
    device = make_device()
    for state in ("expired", "failed", "cancelled", "ready", "running", "pending"):
        make_report(device, user, state, days=401)
    make_report(device, user, "failed", days=399)


def make_expiring_reports(make_device, user) -> None:
    device = make_device()
    for state, expires_in in (("ready", -1), ("ready", -2), ("ready", -3), ("ready", 1)):
        report = make_report(device, user, state, days=40, expires_in=expires_in)
        ReportChunk.objects.create(report=report, section=0, number=0, row_count=1, data=b"1234")
        name = default_storage.save("reports/a.csv", ContentFile(b"12345678"))
        ReportFile.objects.create(report=report, format="csv", file=name, size_bytes=8)


def count_content() -> int:
    return Report.objects.filter(state="ready").count() + ReportChunk.objects.count() + ReportFile.objects.count()


def make_cache(make_device, user) -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as server:
        for number, key in enumerate(_KEYS):
            cache.set(key, number, timeout=None)
            name = cache.make_key(key)
            server.restore(name, 0, server.dump(name), replace=True, idletime=(30 if number < 30 else 20) * 3600)


def count_cached() -> int:
    """Looking without touching: a key that is read is in use."""
    with redis.Redis.from_url(settings.REDIS_URL) as server:
        return int(server.exists(*map(cache.make_key, _KEYS)))


CASES = {
    "cleanup_old_positions": Case("old_positions", make_positions, Position.objects.count, 12, 2),
    "cleanup_old_events": Case("old_events", make_events, Event.objects.count, 4, 1),
    "cleanup_expired_sessions": Case(
        "expired_sessions", make_sessions, lambda: Session.objects.count() + AuthToken.objects.count(), 5, 2
    ),
    "cleanup_cache": Case("cache", make_cache, count_cached, 30, 10),
    "cleanup_duplicate_positions": Case("duplicate_positions", make_duplicates, Position.objects.count, 6, 4),
    "cleanup_orphaned_data": Case("orphaned_data", make_orphans, count_positions_and_files, 6, 2),
    "cleanup_job_history": Case("job_history", make_jobs, Job.objects.count, 4, 1),
    "cleanup_history": Case("old_history", make_quarantine, QuarantinedFix.objects.count, 3, 1),
    "cleanup_notifications": Case("old_notifications", make_notifications, Notification.objects.count, 3, 2),
    "cleanup_reports": Case("old_reports", make_old_reports, Report.objects.count, 3, 4),
    # Of each report its state, a chunk and a file.
    "expire_reports": Case("expired_reports", make_expiring_reports, count_content, 9, 3),
}
