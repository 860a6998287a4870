"""How large everything is, noted once a day; and a warning before it is too large."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.formats import number_format
from django.utils.functional import lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks_app.models import StorageSample
from tasks_app.queries.retention import GIGABYTE, storage_alert_days
from tasks_app.queries.storage import storage_forecast, table_sizes
from tasks_app.queries.storage_forecast import StorageForecast
from tasks_app.signals import system_trouble

CRITICAL_DAYS = 7
_SOON, _REACHED = gettext_lazy("The storage budget will be reached"), gettext_lazy("The storage budget is reached")


def sample_storage(*, now: datetime) -> dict[str, Any]:
    """Note the tables' sizes of today (again, if that was done), and warn where the budget will soon be reached.

    Returns {"tables", "size_bytes", "bytes_per_day", "days_left", "warned"}.
    """
    rows = [
        StorageSample(day=size.day, table=size.table, rows=size.rows, size_bytes=size.size_bytes)
        for size in table_sizes(now.date())
    ]
    StorageSample.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["day", "table"], update_fields=["rows", "size_bytes"]
    )
    found = storage_forecast(now=now)
    return {
        "tables": len(rows),
        "size_bytes": found.size_bytes,
        "bytes_per_day": found.bytes_per_day,
        "days_left": found.days_left,
        "warned": _warn(found, now),
    }


def _warn(found: StorageForecast, now: datetime) -> bool:
    """Once a week while it lasts, and once more when it becomes critical."""
    if found.days_left is None or found.days_left > storage_alert_days():
        return False
    level = "critical" if found.days_left <= CRITICAL_DAYS else "warning"
    year, week, _day = now.isocalendar()
    system_trouble.send(
        sender="tasks_app",
        subject=_SOON if found.days_left else _REACHED,
        message=lazy(_message, str)(found),
        level=level,
        key=f"storage:{level}:{year}-{week}",
        now=now,
    )
    return True


def _message(found: StorageForecast) -> str:
    sizes = {"size": _gigabytes(found.size_bytes), "budget": _gigabytes(found.budget_bytes)}
    if not found.days_left:
        return _("The database takes %(size)s GB of the %(budget)s GB it may take.") % sizes
    return _(
        "The database takes %(size)s GB and grows by %(growth)s GB a day: the %(budget)s GB it may take are reached in"
        " about %(days)d days. Shorten the retention or give it more space."
    ) % {**sizes, "growth": number_format((found.bytes_per_day or 0) / GIGABYTE, 3), "days": found.days_left}


def _gigabytes(size_bytes: int) -> str:
    return number_format(size_bytes / GIGABYTE, 2)
