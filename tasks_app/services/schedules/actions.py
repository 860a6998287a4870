"""Schedules: the tick that enqueues what is due, and what staff do to a schedule. The rows are django-q2's own.

A row that cannot run (unknown task, wrong arguments, a cron that never comes) is switched off with its reason in
`ScheduleState.last_error`; it never holds up another. During an upgrade a task may be unknown to the schedulers of one
version only: they leave its row for an hour, and a scheduler that knows the task runs it, also where it was switched off for
this. A run's job id is derived from the row and the due time: two schedulers, or a crash between enqueueing and the commit,
make one job.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django_q.models import Schedule

from tasks_app.engine import (
    EngineError,
    InvalidArguments,
    QueueFull,
    QueueUnavailable,
    UnknownTask,
    registered_tasks,
)
from tasks_app.engine.database import is_servers_fault
from tasks_app.engine.job_ids import new_job_id
from tasks_app.engine.recurrence import (
    CRON,
    MINUTES,
    ONCE,
    InvalidRecurrence,
    next_run,
    pointless_values,
    validate_cron,
)
from tasks_app.engine.storable import class_name, storable_text
from tasks_app.models import JobAction, ScheduleState
from tasks_app.queries.task_rights import check_may_start
from tasks_app.services.arguments import call_problems
from tasks_app.services.audit import job_subject, record
from tasks_app.services.rows import hold_row
from tasks_app.services.schedules.arguments import InvalidSchedule, parse_args, parse_kwargs
from tasks_app.services.schedules.calls import (
    ScheduledCall,
    due_times,
    recurrence_of,
    resolve_call,
    schedulable_task,
    schedule_zone,
)
from tasks_app.services.schedules.clock_ahead import bring_back, ran_ahead
from tasks_app.signals import schedule_switched_off

logger = logging.getLogger(__name__)

_JOB_IDS = UUID("6f0b1f4e-53c5-4b57-9a1c-0d6f2a8f1e11")
_MAX_RUNS_PER_TICK = 1000
# With Q_CLUSTER["catch_up"], runs missed within this time are made up for, one a tick; without, one stands for all.
_CATCH_UP = timedelta(hours=24)
# The workers of another version may know the task that is not known here.
_UNKNOWN_FOR = timedelta(hours=1)
_CANNOT_RUN = (EngineError, InvalidSchedule, InvalidRecurrence)


def run_due_schedules(now: datetime) -> int:
    """Enqueue every schedule that is due at `now`, each in its own transaction; return how many jobs were made.

    While the queue server is away the rows stay due for the next tick.
    """
    enqueued = 0
    for schedule_id, due in _rows(now):
        try:
            if due > now:
                bring_back(schedule_id, now)
            else:
                enqueued += _run_if_due(schedule_id, now)
        except QueueFull as error:
            logger.warning("Schedule %s stays due: %s", schedule_id, error)
        except QueueUnavailable as error:
            logger.warning("Schedules stay due: %s; trying again", error)
            break
        except Exception as error:
            if is_servers_fault(error):
                raise
            _note_error(schedule_id, error)
    return enqueued


def job_id_of(schedule_id: int, due: datetime) -> UUID:
    """Return the id of the job of one due time: the same from every process, however often it is enqueued."""
    return uuid5(_JOB_IDS, f"{schedule_id}:{due.astimezone(UTC).isoformat()}")


def _is_due(now: datetime) -> Q:
    # Named as `get_task` takes them.
    known = [
        name
        for task in registered_tasks()
        for name in (task.name, f"{task.function.__module__}.{task.function.__name__}")
    ]
    was_unknown = Q(state__last_error__startswith=UnknownTask.NOT_REGISTERED, func__in=known)
    enabled = Q(state__isnull=True) | Q(state__is_enabled=True) | was_unknown
    return enabled & Q(next_run__lte=now) & ~Q(repeats=0)


def _rows(now: datetime) -> list[tuple[int, datetime]]:
    """Return id and due time of the rows that are due, and of those that a wrong clock had run."""
    rows = Schedule.objects.filter(_is_due(now) | ran_ahead(now)).order_by("next_run", "pk")
    return list(rows.values_list("pk", "next_run")[:_MAX_RUNS_PER_TICK])


@transaction.atomic
def _run_if_due(schedule_id: int, now: datetime) -> bool:
    """Run one row unless another scheduler holds it or has run it meanwhile."""
    rows = Schedule.objects.filter(_is_due(now), pk=schedule_id)
    schedule = rows.select_for_update(skip_locked=True, of=("self",)).first()
    if schedule is None or schedule.next_run is None:
        return False
    due = schedule.next_run
    state = _state_of(schedule)
    try:
        call = resolve_call(schedule, due, state.time_zone)
        following = _following_run(schedule, state, now)
        job_id = _enqueue(schedule, call, job_id_of(schedule.pk, due))
    except (QueueFull, QueueUnavailable):
        raise
    except _CANNOT_RUN as error:
        if isinstance(error, UnknownTask) and now - due < _UNKNOWN_FOR:
            raise
        _switch_off(schedule, state, error)
        return False
    _record_run(schedule, state, job_id, now)
    _advance(schedule, following)
    return True


def lock_schedule(schedule: Schedule) -> None:
    """Lock the row until the transaction ends. A change of both locks it before its state, as a tick does: the other way
    round the two would wait for each other."""
    Schedule.objects.select_for_update().filter(pk=schedule.pk).values_list("pk").first()


def _time_zone_of(schedule: Schedule) -> str:
    return ScheduleState.objects.filter(schedule=schedule).values_list("time_zone", flat=True).first() or ""


def _state_of(schedule: Schedule) -> ScheduleState:
    return ScheduleState.objects.get_or_create(schedule=schedule)[0]


def _following_run(schedule: Schedule, state: ScheduleState, now: datetime) -> datetime | None:
    """The due time after this one (none for a row that runs once); remembers the series it belongs to."""
    due = schedule.next_run
    if schedule.schedule_type == ONCE:
        return None
    zone = schedule_zone(state.time_zone)
    recurrence = recurrence_of(schedule, due, state.anchor_at, zone)
    state.anchor_at = recurrence.anchor
    made_up_for = _CATCH_UP if settings.Q_CLUSTER.get("catch_up") else timedelta(0)
    return next_run(recurrence, max(due, now - made_up_for), zone)


def _enqueue(schedule: Schedule, call: ScheduledCall, job_id: UUID, requested_by: Any = None) -> UUID:
    return call.task.apply_async(
        call.args, call.kwargs, job_id=job_id, schedule_id=schedule.pk, requested_by=requested_by
    )


def _note_error(schedule_id: int, error: Exception) -> None:
    """Show on the row why it did not run. It stays on and due: nobody foresaw this, so it may be no fault of the row."""
    text = storable_text(error) or class_name(error)
    state, _created = ScheduleState.objects.get_or_create(schedule_id=schedule_id)
    if state.last_error != text:
        logger.error("Schedule %s does not run", schedule_id, exc_info=error)
        state.last_error = text
        state.save(update_fields=["last_error"])


def _switch_off(schedule: Schedule, state: ScheduleState, error: Exception) -> None:
    state.is_enabled = False
    state.last_error = storable_text(error) or class_name(error)
    logger.error("Schedule %s (%s) is switched off: %s", schedule.pk, schedule.name or schedule.func, state.last_error)
    state.save()
    schedule_switched_off.send(sender=Schedule, name=schedule.name or schedule.func, error=state.last_error)


def _record_run(schedule: Schedule, state: ScheduleState, job_id: UUID, now: datetime) -> None:
    state.is_enabled |= state.last_error.startswith(UnknownTask.NOT_REGISTERED)
    state.last_run_at, state.last_job_id, state.last_error = now, job_id, ""
    state.save()
    schedule.task = job_id.hex


def _advance(schedule: Schedule, following: datetime | None) -> None:
    """Count the run down and set the next; a row that runs once goes, or stays at rest when it had a count."""
    if following is None and schedule.repeats < 0:
        schedule.delete()
        return
    if following is None:
        schedule.repeats = 0
    else:
        schedule.next_run = following
        schedule.repeats = schedule.repeats - 1 if schedule.repeats > 0 else -1
    schedule.save(update_fields=["next_run", "repeats", "task"])


def run_now(schedule: Schedule, user: Any) -> UUID:
    """Enqueue the schedule's call at once, leaving its times alone; return the job id.

    Raises RowGone, UnknownTask, InvalidArguments, InvalidSchedule, TaskNotPermitted, QueueFull, QueueUnavailable.
    """
    now = timezone.now()
    with transaction.atomic():
        # The row before its state, as a tick locks them.
        hold_row(schedule)
        call = permitted_call(schedule, user, now, _time_zone_of(schedule))
        job_id = new_job_id()
        JobAction.objects.create(
            job_id=job_id, task=call.task.name, verb=JobAction.Verb.START, user_id=user.pk, reason=_("Schedule run now")
        )
        Schedule.objects.filter(pk=schedule.pk).update(task=job_id.hex)
        ScheduleState.objects.update_or_create(
            schedule=schedule, defaults={"last_run_at": now, "last_job_id": job_id, "last_error": ""}
        )
        record("start", job_subject(job_id, call.task.name), user=user, given={"schedule_id": schedule.pk})
        return _enqueue(schedule, call, job_id, requested_by=user)


@transaction.atomic
def enable(schedule: Schedule, user: Any) -> None:
    """Switch a schedule on; what it missed meanwhile is not made up for. One that is on and due stays due.

    Raises ValidationError if it cannot run, RowGone, TaskNotPermitted.
    """
    hold_row(schedule)
    now = timezone.now()
    state = _state_of(schedule)
    validate_schedule(schedule, time_zone=state.time_zone)
    permitted_call(schedule, user, now, state.time_zone)
    is_missed = not state.is_enabled and schedule.next_run is not None and schedule.next_run <= now
    if schedule.schedule_type != ONCE and (schedule.next_run is None or is_missed):
        schedule.next_run = schedule.next_run or now
        schedule.next_run = _following_run(schedule, state, now)
        schedule.save(update_fields=["next_run"])
    state.is_enabled, state.last_error = True, ""
    state.save()
    _audit(schedule, user, _("Enabled"))


@transaction.atomic
def disable(schedule: Schedule, user: Any) -> None:
    """Switch a schedule off; the job it made last goes on. Raises RowGone."""
    hold_row(schedule)
    ScheduleState.objects.update_or_create(schedule=schedule, defaults={"is_enabled": False, "last_error": ""})
    _audit(schedule, user, _("Disabled"))


@transaction.atomic
def duplicate(schedule: Schedule, user: Any) -> Schedule:
    """Make a copy of the row that is switched off; return it. Raises TaskNotPermitted, and as `resolve_call`."""
    time_zone = _time_zone_of(schedule)
    permitted_call(schedule, user, timezone.now(), time_zone)
    copied = {field.name: getattr(schedule, field.name) for field in schedule._meta.concrete_fields}
    name = _("Copy of %(name)s") % {"name": schedule.name or schedule.func}
    copy = Schedule.objects.create(**{**copied, "id": None, "task": None, "name": name[:100]})
    ScheduleState.objects.update_or_create(schedule=copy, defaults={"time_zone": time_zone, "is_enabled": False})
    _audit(copy, user, _("Copied"))
    return copy


def permitted_call(schedule: Schedule, user: Any, now: datetime, time_zone: str) -> ScheduledCall:
    """Return the call of a run at `now`, once `user` may make it. Raises TaskNotPermitted, and as `resolve_call`."""
    call = resolve_call(schedule, now, time_zone)
    check_may_start(user, call.task, call.args, call.kwargs)
    return call


def _audit(schedule: Schedule, user: Any, message: str) -> None:
    if user.pk is not None:
        LogEntry.objects.log_actions(user.pk, [schedule], CHANGE, message, single_object=True)


@transaction.atomic
def save_schedule(schedule: Schedule, *, user: Any, time_zone: str = "", now: datetime | None = None) -> Schedule:
    """Check and save a new or edited row with its time zone. The next run of a new cron is computed in that zone; one that
    stays as it was keeps its next run, which may be due and waiting.

    Raises ValidationError with an error per field, TaskNotPermitted.
    """
    now = now or timezone.now()
    validate_schedule(schedule, time_zone=time_zone)
    permitted_call(schedule, user, now, time_zone)
    is_as_before = schedule.next_run is not None and _has_series(schedule, time_zone)
    schedule.save()
    if schedule.schedule_type == CRON and not is_as_before:
        recurrence = recurrence_of(schedule, now, None, schedule_zone(time_zone))
        schedule.next_run = next_run(recurrence, now, schedule_zone(time_zone))
        schedule.save(update_fields=["next_run"])
    ScheduleState.objects.update_or_create(schedule=schedule, defaults={"time_zone": time_zone, "last_error": ""})
    return schedule


def _has_series(schedule: Schedule, time_zone: str) -> bool:
    """Whether the row is stored with this recurrence, in this zone."""
    stored = Schedule.objects.filter(pk=schedule.pk, schedule_type=schedule.schedule_type, cron=schedule.cron)
    return stored.exists() and _time_zone_of(schedule) == time_zone


def validate_schedule(schedule: Schedule, *, time_zone: str = "") -> None:
    """Check that the row can run. Raises ValidationError with an error per field; `time_zone` is ScheduleState's."""
    errors: dict[str, str] = {}
    checks = {
        "func": lambda: schedulable_task(schedule.func or ""),
        "args": lambda: parse_args(schedule.args),
        "kwargs": lambda: parse_kwargs(schedule.kwargs),
        "time_zone": lambda: schedule_zone(time_zone),
        "cron": lambda: validate_cron(schedule.cron) if schedule.schedule_type == CRON else None,
    }
    for field, check in checks.items():
        try:
            check()
        except _CANNOT_RUN as error:
            errors[field] = str(error)
    errors.update(_field_errors(schedule))
    if not errors:
        errors.update(_call_errors(schedule, time_zone))
    if errors:
        raise ValidationError(errors)


def _field_errors(schedule: Schedule) -> dict[str, str]:
    kind, minutes, cron = schedule.schedule_type, schedule.minutes, schedule.cron
    errors = pointless_values(kind, minutes=minutes, cron=cron, repeats=schedule.repeats)
    if kind not in dict(Schedule.TYPE):
        errors["schedule_type"] = _("There is no such type of schedule.")
    if kind == MINUTES and minutes is not None and minutes < 1:
        errors["minutes"] = _("Give at least 1 minute.")
    if schedule.hook:
        errors["hook"] = _("Hooks are not supported: let the task call what is to follow.")
    if schedule.intended_date_kwarg and not schedule.intended_date_kwarg.isidentifier():
        errors["intended_date_kwarg"] = _("This is not the name of an argument.")
    return errors


def _call_errors(schedule: Schedule, time_zone: str) -> dict[str, str]:
    """Errors that only the whole row shows: the arguments against the task and the rows they name, and the queue."""
    field = "kwargs" if schedule.kwargs else "args"
    now = timezone.now()
    try:
        call = resolve_call(schedule, now, time_zone)
    except (InvalidArguments, InvalidSchedule, UnknownTask) as error:
        return {field: str(error)}
    problems = call_problems(call.task, call.args, call.kwargs, at=now, zone=schedule_zone(time_zone))
    for name, problem in problems.items():
        return {field: f"{name}: {problem}" if name else problem}
    if schedule.cluster and schedule.cluster != call.task.queue:
        return {"cluster": _("This task runs in the queue %(queue)s.") % {"queue": call.task.queue}}
    return {}


def upcoming_runs(schedule: Schedule, count: int = 3, *, now: datetime | None = None) -> list[datetime]:
    """The next due times, in UTC; none for a row that is switched off, used up, or cannot run."""
    state = ScheduleState.objects.filter(schedule=schedule).first()
    if state is not None and not state.is_enabled:
        return []
    time_zone, anchor = (state.time_zone, state.anchor_at) if state else ("", None)
    try:
        return due_times(schedule, time_zone=time_zone, anchor=anchor, now=now or timezone.now(), count=count)
    except (InvalidRecurrence, InvalidSchedule):
        return []


@transaction.atomic
def store_schedule(schedule: Schedule, *, user: User, time_zone: str, now: datetime) -> Schedule:
    """Check and save a new or edited row. Raises ValidationError with an error per field, TaskNotPermitted."""
    is_new = schedule.pk is None
    saved = save_schedule(schedule, user=user, time_zone=time_zone, now=now)
    LogEntry.objects.log_actions(
        user.pk, [saved], ADDITION if is_new else CHANGE, _("Through the API"), single_object=True
    )
    return saved


@transaction.atomic
def delete_schedule(schedule: Schedule, *, user: User) -> None:
    """Delete the row; the job it made last goes on. Raises RowGone."""
    hold_row(schedule)
    LogEntry.objects.log_actions(user.pk, [schedule], DELETION, _("Through the API"), single_object=True)
    schedule.delete()
