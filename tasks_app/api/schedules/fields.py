"""How a schedule looks in JSON, and how that is read from and written to django-q2's row."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django_q.models import Schedule
from rest_framework import serializers

from tasks_app.api.fields import LineField, StrictCharField, StrictIntegerField, StrictSerializer, TimestampField
from tasks_app.api.lists import Filters, by_choice, by_flag, by_text
from tasks_app.engine import UnknownTask, get_task
from tasks_app.models import ScheduleState
from tasks_app.services.schedules import InvalidSchedule, parse_args, parse_kwargs

TYPES = {
    "once": Schedule.ONCE,
    "minutes": Schedule.MINUTES,
    "hourly": Schedule.HOURLY,
    "daily": Schedule.DAILY,
    "weekly": Schedule.WEEKLY,
    "biweekly": Schedule.BIWEEKLY,
    "monthly": Schedule.MONTHLY,
    "bimonthly": Schedule.BIMONTHLY,
    "quarterly": Schedule.QUARTERLY,
    "yearly": Schedule.YEARLY,
    "cron": Schedule.CRON,
}
NAME_OF_TYPE = {code: name for name, code in TYPES.items()}
MAX_SMALL = 32_767


class ScheduleBody(StrictSerializer):
    """A schedule: its task, arguments and recurrence."""

    name = LineField(max_length=100, allow_blank=True, default="")
    task = StrictCharField(max_length=256)
    args = serializers.ListField(child=serializers.JSONField(), max_length=100, default=list)
    kwargs = serializers.DictField(
        child=serializers.JSONField(),
        default=dict,
        help_text="Times of a range and days may be relative: yesterday, last week, this month so far, last 7 days.",
    )
    type = serializers.ChoiceField(choices=list(TYPES))
    minutes = StrictIntegerField(
        min_value=1, max_value=MAX_SMALL, allow_null=True, default=None, help_text="For the type minutes."
    )
    cron = StrictCharField(
        max_length=100,
        allow_null=True,
        default=None,
        help_text="For the type cron: five fields, or six with seconds last.",
    )
    repeats = StrictIntegerField(
        min_value=-1, max_value=2**31 - 1, default=-1, help_text="How often, from 1; -1: for ever."
    )
    next_run = TimestampField(required=False, help_text="Now unless said; not for the type cron, which computes it.")
    time_zone = StrictCharField(max_length=64, allow_blank=True, default="", help_text="Empty: the server's.")


class ScheduleSerializer(serializers.Serializer[Any]):
    """One schedule."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    task = serializers.CharField()
    args = serializers.ListField(child=serializers.JSONField(), allow_null=True, help_text="null: not readable")
    kwargs = serializers.DictField(child=serializers.JSONField(), allow_null=True, help_text="null: not readable")
    type = serializers.CharField()
    minutes = serializers.IntegerField(allow_null=True)
    cron = serializers.CharField(allow_null=True)
    repeats = serializers.IntegerField()
    next_run = TimestampField(allow_null=True)
    time_zone = serializers.CharField()
    is_enabled = serializers.BooleanField()
    last_run_at = TimestampField(allow_null=True)
    last_task_id = serializers.UUIDField(allow_null=True)
    last_error = serializers.CharField(help_text="Reason for its being switched off; else empty.")


class ScheduleFilters(Filters):
    """Filters of the list of schedules."""

    task = by_text(max_length=256, method="of_task")
    type = by_choice(list(TYPES), method="of_type")
    name = by_text("name", max_length=100, lookup="icontains", help_text="A part of it.")
    is_enabled = by_flag(method="that_are_enabled")

    def of_task(self, rows: QuerySet[Schedule], name: str, value: str) -> QuerySet[Schedule]:
        """Find a task by its short name and its dotted path alike: rows hold either."""
        try:
            task = get_task(value)
        except UnknownTask:
            return rows.filter(func=value)
        return rows.filter(Q(func=task.name) | Q(func=f"{task.function.__module__}.{task.function.__name__}"))

    def of_type(self, rows: QuerySet[Schedule], name: str, value: str) -> QuerySet[Schedule]:
        """Translate the name into django-q2's letter."""
        return rows.filter(schedule_type=TYPES[value])

    def that_are_enabled(self, rows: QuerySet[Schedule], name: str, value: bool) -> QuerySet[Schedule]:
        """Count a schedule without a state as enabled, as the scheduler does."""
        switched_off = Q(state__is_enabled=False)
        return rows.exclude(switched_off) if value else rows.filter(switched_off)


class ScheduleDetailSerializer(ScheduleSerializer):
    """One schedule and when it runs next."""

    upcoming = serializers.ListField(child=TimestampField(), help_text="The next three runs.")


def registered_name(name: str) -> str:
    """A dotted path means the same task as its short name; an unknown one is left to the validation."""
    try:
        return get_task(name).name
    except UnknownTask:
        return name


def schedule_values(schedule: Schedule) -> dict[str, Any]:
    """Return the fields of a row for ScheduleSerializer."""
    state: ScheduleState | None = getattr(schedule, "state", None)
    return {
        "id": schedule.pk,
        "name": schedule.name or "",
        "task": registered_name(schedule.func or ""),
        "args": _readable(parse_args, schedule.args),
        "kwargs": _readable(parse_kwargs, schedule.kwargs),
        "type": NAME_OF_TYPE.get(schedule.schedule_type, schedule.schedule_type),
        "minutes": schedule.minutes,
        "cron": schedule.cron,
        "repeats": schedule.repeats,
        "next_run": schedule.next_run,
        "time_zone": state.time_zone if state else "",
        "is_enabled": state.is_enabled if state else True,
        "last_run_at": state.last_run_at if state else None,
        "last_task_id": state.last_job_id if state else None,
        "last_error": state.last_error if state else "",
    }


def _readable(parse: Any, text: str | None) -> Any:
    try:
        return parse(text)
    except InvalidSchedule:
        return None
