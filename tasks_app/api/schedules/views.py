"""Schedules, for staff with the model permissions; only tasks that may be scheduled."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from django_q.models import Schedule
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.enqueueing import EnqueuedSerializer, accepted
from tasks_app.api.fields import TimestampField
from tasks_app.api.lists import BY_ID, RowList
from tasks_app.api.schedules.fields import (
    TYPES,
    ScheduleBody,
    ScheduleDetailSerializer,
    ScheduleFilters,
    ScheduleSerializer,
    registered_name,
    schedule_values,
)
from tasks_app.api.schema import describe
from tasks_app.api.scopes import runs_by_operate
from tasks_app.api.sparse import fields_query
from tasks_app.models import ScheduleState, Scope
from tasks_app.queries.access import Right
from tasks_app.services.rows import hold_row
from tasks_app.services.schedules import (
    InvalidSchedule,
    delete_schedule,
    disable,
    enable,
    format_args,
    format_kwargs,
    run_now,
    store_schedule,
    upcoming_runs,
)

# Our names of the row's fields, where they differ.
FIELD_NAMES = {"func": "task", "schedule_type": "type"}
CHANGE_SCHEDULES = Right(None, "django_q.change_schedule")
SCOPE_TEXT = (
    "Of a task that sends commands, cleans up or keeps the system going it takes the scope `operate` of an API token."
)


class ScheduleApiView(ApiView):
    """Base of the schedule endpoints."""

    rights = {
        "GET": Right(None, "django_q.view_schedule"),
        "POST": Right(None, "django_q.add_schedule"),
        "PUT": CHANGE_SCHEDULES,
        "PATCH": CHANGE_SCHEDULES,
        "DELETE": Right(None, "django_q.delete_schedule"),
    }

    @property
    def user(self) -> Any:
        """Staff, as the permissions have made sure."""
        return self.request.user

    @transaction.atomic
    def stored(self, schedule: Schedule, body: dict[str, Any]) -> Schedule:
        """Write the body's values into the row and save it. Raises serializers.ValidationError, RowGone, PermissionDenied.

        Once it runs a task of `operate`, each change of it is one of what is run, and when: so by the task that it has then.
        """
        if schedule.pk is not None:
            hold_row(schedule)
            if body.get("next_run") == schedule.next_run:
                # It came as it was read, and cron expressions compute it.
                body.pop("next_run", None)
        _set_values(schedule, body)
        self.check_commanding(runs_by_operate(schedule.func or ""))
        return _saved(self.user, schedule, body)


SCHEDULES = RowList(ScheduleSerializer, filters=ScheduleFilters, orderings=BY_ID)


class ScheduleListView(ScheduleApiView):
    """All of them, newest first, and making one."""

    commanding = ("POST",)

    @describe(
        "List schedules (staff)",
        name="schedules_list",
        tag="schedules",
        parameters=SCHEDULES.parameters,
        answers={200: SCHEDULES.page_serializer("SchedulePage")},
    )
    def get(self, request: Request) -> Response:
        schedules = Schedule.objects.select_related("state")
        return SCHEDULES.answer(request, schedules, prepare=lambda page: list(map(schedule_values, page)))

    @describe(
        "Create a schedule (staff)",
        name="schedules_create",
        tag="schedules",
        request=ScheduleBody,
        answers={201: ScheduleDetailSerializer},
        description=f"Only tasks that are marked as schedulable; the arguments are checked against the task. {SCOPE_TEXT}",
    )
    def post(self, request: Request) -> Response:
        schedule = self.stored(Schedule(), self.body(ScheduleBody))
        return Response(_detail(schedule), status=status.HTTP_201_CREATED)


class ValidScheduleSerializer(serializers.Serializer[Any]):
    """A schedule that could be made."""

    task = serializers.CharField()
    next_run = TimestampField(allow_null=True)
    upcoming = serializers.ListField(child=TimestampField(), help_text="The next three runs.")


class ScheduleValidateView(ScheduleApiView):
    """A schedule, tried out."""

    rights = {"POST": Right(None, "django_q.add_schedule")}
    commanding = ("POST",)

    @describe(
        "Check a schedule without making it (staff)",
        name="schedules_validate",
        tag="schedules",
        request=ScheduleBody,
        answers={200: ValidScheduleSerializer},
        description="Checks all that making it checks, the task's own permission and the token's scope included; a 400 names "
        "what is wrong.",
    )
    def post(self, request: Request) -> Response:
        body = self.body(ScheduleBody)
        with transaction.atomic():
            schedule = self.stored(Schedule(), body)
            answer = ValidScheduleSerializer(_detail_values(schedule)).data
            transaction.set_rollback(True)
        return Response(answer)


class ScheduleView(ScheduleApiView):
    """One of them."""

    # Not DELETE: of a schedule that is gone less is run.
    commanding = ("PUT", "PATCH")

    @describe(
        "One schedule, with its next three runs (staff)",
        name="schedules_read",
        tag="schedules",
        parameters=[fields_query(ScheduleDetailSerializer)],
        answers={200: ScheduleDetailSerializer},
        errors=(404,),
    )
    def get(self, request: Request, schedule_id: int) -> Response:
        return Response(self.shown(ScheduleDetailSerializer, _detail_values(_schedule(schedule_id))))

    @describe(
        "Replace a schedule (staff)",
        name="schedules_replace",
        tag="schedules",
        request=ScheduleBody,
        answers={200: ScheduleDetailSerializer},
        errors=(404,),
        description=SCOPE_TEXT,
    )
    def put(self, request: Request, schedule_id: int) -> Response:
        schedule = _schedule(schedule_id)
        return Response(_detail(self.stored(schedule, self.body(ScheduleBody, shown=_detail(schedule)))))

    @describe(
        "Change a schedule (staff)",
        name="schedules_change",
        tag="schedules",
        request=ScheduleBody(partial=True),
        answers={200: ScheduleDetailSerializer},
        errors=(404,),
        description=SCOPE_TEXT,
    )
    def patch(self, request: Request, schedule_id: int) -> Response:
        schedule = _schedule(schedule_id)
        body = self.body(ScheduleBody, changing=schedule, shown=_detail(schedule))
        return Response(_detail(self.stored(schedule, body)))

    @describe("Delete a schedule (staff)", name="schedules_delete", tag="schedules", answers={204: None}, errors=(404,))
    def delete(self, request: Request, schedule_id: int) -> Response:
        delete_schedule(_schedule(schedule_id), user=self.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ScheduleStepView(ScheduleApiView):
    """A step on an existing schedule: a change of it."""

    scopes_to_change = (Scope.OPERATE,)

    rights = {"POST": CHANGE_SCHEDULES}


class ScheduleRunNowView(ScheduleStepView):
    """Runs it once, now."""

    @describe(
        "Run a schedule now (staff)",
        name="schedules_run_now",
        tag="schedules",
        request=None,
        answers={202: EnqueuedSerializer},
        errors=(400, 404),
        description="Its own times stay as they are.",
    )
    def post(self, request: Request, schedule_id: int) -> Response:
        schedule = _schedule(schedule_id)
        try:
            job_id = run_now(schedule, self.user)
        except InvalidSchedule as error:
            raise serializers.ValidationError({"non_field_errors": [str(error)]}) from error
        return accepted(request, job_id, registered_name(schedule.func))


class ScheduleEnableView(ScheduleStepView):
    """Switches it on."""

    @describe(
        "Enable a schedule (staff)",
        name="schedules_enable",
        tag="schedules",
        request=None,
        answers={200: ScheduleDetailSerializer},
        errors=(400, 404),
        description="Runs missed meanwhile are not made up for. A schedule that cannot run is a 400 with the reason.",
    )
    def post(self, request: Request, schedule_id: int) -> Response:
        schedule = _schedule(schedule_id)
        try:
            enable(schedule, self.user)
        except ValidationError as error:
            raise _as_api_error(error) from error
        return Response(_detail(_schedule(schedule_id)))


class ScheduleDisableView(ScheduleStepView):
    """Switches it off."""

    @describe(
        "Disable a schedule (staff)",
        name="schedules_disable",
        tag="schedules",
        request=None,
        answers={200: ScheduleDetailSerializer},
        errors=(404,),
    )
    def post(self, request: Request, schedule_id: int) -> Response:
        disable(_schedule(schedule_id), self.user)
        return Response(_detail(_schedule(schedule_id)))


def _schedule(schedule_id: int) -> Schedule:
    found = Schedule.objects.select_related("state").filter(pk=min(schedule_id, 2**31 - 1)).first()
    if found is None:
        raise Http404
    return found


def _set_values(schedule: Schedule, body: dict[str, Any]) -> None:
    readers: dict[str, Any] = {
        "args": format_args,
        "kwargs": format_kwargs,
        "type": TYPES.__getitem__,
        "task": registered_name,
    }
    column = {ours: theirs for theirs, ours in FIELD_NAMES.items()}
    for name, value in body.items():
        if name != "time_zone":
            setattr(schedule, column.get(name, name), readers[name](value) if name in readers else value)
    # What a former type needed goes with it.
    for name, kind in (("minutes", Schedule.MINUTES), ("cron", Schedule.CRON)):
        if name not in body and schedule.schedule_type != kind:
            setattr(schedule, name, None)


def _saved(user: Any, schedule: Schedule, body: dict[str, Any]) -> Schedule:
    """Save the row that has the body's values. Raises serializers.ValidationError."""
    if schedule.schedule_type == Schedule.CRON and "next_run" in body:
        raise serializers.ValidationError({"next_run": [_("The cron expression computes it.")]})
    if schedule.schedule_type == Schedule.MINUTES and schedule.minutes is None:
        raise serializers.ValidationError({"minutes": [_("The type minutes needs it.")]})
    state: ScheduleState | None = getattr(schedule, "state", None)
    time_zone = body.get("time_zone", state.time_zone if state else "")
    try:
        saved = store_schedule(schedule, user=user, time_zone=time_zone, now=timezone.now())
    except ValidationError as error:
        raise _as_api_error(error) from error
    return _schedule(saved.pk)


def _as_api_error(error: ValidationError) -> serializers.ValidationError:
    return serializers.ValidationError(
        {FIELD_NAMES.get(name, name): texts for name, texts in error.message_dict.items()}
    )


def _detail(schedule: Schedule) -> Any:
    return ScheduleDetailSerializer(_detail_values(schedule)).data


def _detail_values(schedule: Schedule) -> dict[str, Any]:
    return {**schedule_values(schedule), "upcoming": upcoming_runs(schedule)}
