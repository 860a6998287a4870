"""Times for people: in the reader's time zone, in the one format of their language (trackerproject/formats)."""

from __future__ import annotations

from datetime import datetime, time, tzinfo

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString


def seven_o_clock() -> time:
    """Return 07:00, a default. As a plain value Django's checks take it, around seven, for a clock that was read once."""
    return time(7)


def exact_time(at: datetime) -> str:
    """Return the time to the second: "29 Nov 2026, 23:05:09"."""
    return date_format(timezone.localtime(at), "DATETIME_FORMAT")


def exact_time_in(at: datetime, zone: tzinfo) -> str:
    """Return the time in another zone with its offset: "29 Nov 2026, 23:05:09 UTC−3"."""
    with timezone.override(zone):
        return f"{exact_time(at)} {zone_offset(at)}"


def exact_day(at: datetime, zone: tzinfo | None = None) -> str:
    """Return the day of a time, in the reader's zone or another one: "29 Nov 2026"."""
    return date_format(timezone.localtime(at, zone), "DATE_FORMAT")


def zone_offset(at: datetime | None = None) -> str:
    """Return the offset of the reader's zone at a time (now by default): "UTC", "UTC−3", "UTC+5:30"."""
    offset = timezone.localtime(at).utcoffset()
    minutes = round(offset.total_seconds() / 60) if offset else 0
    hours, rest = divmod(abs(minutes), 60)
    if minutes == 0:
        return "UTC"
    return f"UTC{'−' if minutes < 0 else '+'}{hours}{f':{rest:02d}' if rest else ''}"


def exact_time_with_zone(at: datetime) -> SafeString:
    """Return the time as an element with its zone behind it, which is spelled out as the title."""
    return format_html(
        '<time class="tk-nowrap" datetime="{}" title="{}">{} <small class="tk-zone">{}</small></time>',
        at.isoformat(),
        timezone.get_current_timezone_name(),
        exact_time(at),
        zone_offset(at),
    )
