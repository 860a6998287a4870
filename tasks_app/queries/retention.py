"""Retention settings: the row edited in the admin where it has a value, the environment otherwise."""

from __future__ import annotations

import math
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings

from tasks_app.models import RetentionSettings
from tasks_app.utils.business_hours import BusinessHours, parse_business_hours

GIGABYTE = 1_000_000_000


def retention_settings() -> RetentionSettings:
    """The one row, or an empty one that is not stored."""
    return RetentionSettings.objects.filter(pk=1).first() or RetentionSettings(pk=1)


def days_to_keep(kind: str) -> int:
    """How many days this kind (a key of settings.RETENTION_DAYS) is kept."""
    days: int | None = getattr(retention_settings(), f"{kind}_days")
    return settings.RETENTION_DAYS[kind] if days is None else days


def archives_positions() -> bool:
    """Whether positions are written to a file before they go."""
    wanted = retention_settings().archive_positions
    return settings.ARCHIVE_POSITIONS if wanted is None else wanted


def storage_budget_bytes() -> int:
    """How large the database may become, 0 for any size."""
    gigabytes = retention_settings().storage_budget_gigabytes
    return settings.STORAGE_BUDGET_BYTES if gigabytes is None else int(gigabytes * GIGABYTE)


def storage_alert_days() -> int:
    """Return how many days before the budget is reached administrators are notified."""
    days = retention_settings().storage_alert_days
    return settings.STORAGE_ALERT_DAYS if days is None else days


def is_business_time(now: datetime) -> bool:
    """Whether people work now, in TIME_ZONE."""
    hours = _business_hours()
    return hours is not None and hours.contain(_local(now))


def seconds_until_business(now: datetime) -> float:
    """How long it is until people next begin to work, infinite where no hours are set."""
    hours = _business_hours()
    return math.inf if hours is None else hours.seconds_until(_local(now))


def _business_hours() -> BusinessHours | None:
    return parse_business_hours(retention_settings().business_hours or settings.BUSINESS_HOURS)


def _local(now: datetime) -> datetime:
    return now.astimezone(ZoneInfo(settings.TIME_ZONE))
