"""Descriptions of report schedules in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.utils.formats import time_format
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from reports_app.exporters import EXPORTERS
from reports_app.models import ReportKind, ReportSchedule, SchedulePeriod, Weekday

NAMES_SHOWN = 5


def describe_schedule(schedule: ReportSchedule) -> str:
    """Return a text such as "Every Monday 07:00 (America/Sao_Paulo): trips and stops of Depot North as XLSX to Ana,
    Bruno"."""
    return _("%(when)s (%(zone)s): %(kinds)s of %(subject)s as %(formats)s to %(recipients)s") % {
        "when": when(schedule),
        "zone": schedule.time_zone,
        "kinds": _list([str(ReportKind(kind).label).lower() for kind in schedule.kinds if kind in ReportKind.values]),
        "subject": _subject(schedule),
        "formats": _list([EXPORTERS[format].label for format in schedule.formats if format in EXPORTERS]),
        "recipients": _names([*_sorted(map(_name, schedule.recipients.all())), *schedule.extra_emails]),
    }


def when(schedule: ReportSchedule) -> str:
    """Return a text such as "Every Monday 07:00"."""
    clock = time_format(schedule.local_time, "H:i")
    if schedule.period == SchedulePeriod.WEEKLY:
        return _("Every %(weekday)s %(time)s") % {"weekday": Weekday(schedule.weekday).label, "time": clock}
    if schedule.period == SchedulePeriod.MONTHLY:
        if schedule.month_day == 31:
            return _("Every month on its last day, %(time)s") % {"time": clock}
        values = {"day": schedule.month_day, "time": clock}
        return pgettext("day of the month", "Every month on day %(day)s, %(time)s") % values
    return _("Every day %(time)s") % {"time": clock}


def _subject(schedule: ReportSchedule) -> str:
    devices = _sorted(device.name for device in schedule.devices.all())
    return _names(devices) if devices else schedule.fleet.name


def _name(user: Any) -> str:
    return user.get_full_name() or user.get_username()


def _sorted(names: Iterable[str]) -> list[str]:
    """Return the names in a fixed order: rows of a many-to-many relation have none."""
    return sorted(names, key=str.casefold)


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN])
    more = len(names) - NAMES_SHOWN
    return _("%(names)s and %(more)s more") % {"names": shown, "more": more} if more > 0 else shown


def _list(words: Iterable[str]) -> str:
    return get_text_list(list(words), _("and"))
