"""Report schedules: list, create, change, run now, switch on and off, list of runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError as InvalidRow
from django.db import transaction
from django.db.models import Q
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from reports_app.api.schedule_data import (
    ROW_FIELDS,
    ReportScheduleBody,
    ReportScheduleRunSerializer,
    ReportScheduleSerializer,
)
from reports_app.models import ReportSchedule, RunState, SchedulePeriod
from reports_app.queries import (
    ADD_SCHEDULES,
    CHANGE_SCHEDULES,
    DELETE_SCHEDULES,
    VIEW_REPORTS,
    VIEW_SCHEDULES,
    may_change_schedule,
    visible_report_schedules,
)
from reports_app.services.schedules import run_now, save_report_schedule, switch
from tasks_app.api.base import ApiView
from tasks_app.api.lists import BY_ID, Filters, RowList, by_choice, by_flag, by_id
from tasks_app.api.permissions import fleet_for
from tasks_app.api.rows import deleted
from tasks_app.api.schema import describe
from tasks_app.api.sparse import fields_query
from tasks_app.models import Fleet, FleetRole, Scope
from tasks_app.queries.access import Right, everywhere_among, owned
from tasks_app.services.rows import hold_row


class ReportScheduleFilters(Filters):
    """Filters of the list."""

    fleet = by_id("fleet_id")
    owner = by_id("owner_id")
    is_active = by_flag("is_active")


class ReportScheduleRunFilters(Filters):
    """Filters of the list of runs."""

    state = by_choice(RunState.choices, "state")


REPORT_SCHEDULES = RowList(
    ReportScheduleSerializer, filters=ReportScheduleFilters, orderings={**BY_ID, "name": ("name", "id")}
)
RUNS = RowList(ReportScheduleRunSerializer, filters=ReportScheduleRunFilters, orderings={"due_at": ("due_at", "id")})


class ReportScheduleListView(ApiView):
    """Report schedules of the caller's fleets."""

    rights = {"GET": VIEW_SCHEDULES, "POST": ADD_SCHEDULES}

    @describe(
        "List report schedules",
        name="report_schedules_list",
        tag="reports",
        parameters=REPORT_SCHEDULES.parameters,
        answers={200: REPORT_SCHEDULES.page_serializer("ReportSchedulePage")},
    )
    def get(self, request: Request) -> Response:
        return REPORT_SCHEDULES.answer(request, visible_report_schedules(request.user))

    @describe(
        "Make a report schedule",
        name="report_schedules_create",
        tag="reports",
        request=ReportScheduleBody,
        answers={201: ReportScheduleSerializer},
        errors=(404,),
        description="For operators of the fleet; only managers may name addresses of people without an account.",
    )
    def post(self, request: Request) -> Response:
        values = self.body(ReportScheduleBody)
        fleet = fleet_for(request.user, values["fleet_id"], self.asked)
        user: Any = request.user
        schedule = ReportSchedule(owner=user, fleet=fleet, time_zone=fleet.time_zone)
        return Response(_stored(user, schedule, values), status=status.HTTP_201_CREATED)


class ReportScheduleView(ApiView):
    """One report schedule."""

    rights = {"GET": VIEW_SCHEDULES, "PATCH": owned(CHANGE_SCHEDULES), "DELETE": owned(DELETE_SCHEDULES)}

    @describe(
        "A report schedule",
        name="report_schedules_retrieve",
        tag="reports",
        parameters=[fields_query(ReportScheduleSerializer)],
        answers={200: ReportScheduleSerializer},
        errors=(404,),
    )
    def get(self, request: Request, schedule_id: int) -> Response:
        return Response(self.shown(ReportScheduleSerializer, _schedule_for(request.user, schedule_id)))

    @describe(
        "Change a report schedule",
        name="report_schedules_update",
        tag="reports",
        request=ReportScheduleBody(partial=True),
        answers={200: ReportScheduleSerializer},
        errors=(404,),
    )
    def patch(self, request: Request, schedule_id: int) -> Response:
        schedule = _changeable(request.user, schedule_id, self.asked)
        shown = ReportScheduleSerializer(schedule).data
        values = self.body(ReportScheduleBody, changing=schedule, shown=shown)
        if "fleet_id" in values:
            right = replace(self.asked, role=FleetRole.OPERATOR)
            values["fleet"] = fleet_for(request.user, values["fleet_id"], right)
        return Response(_stored(request.user, schedule, values))

    @describe(
        "Delete a report schedule", name="report_schedules_delete", tag="reports", answers={204: None}, errors=(404,)
    )
    def delete(self, request: Request, schedule_id: int) -> Response:
        return deleted(_changeable(request.user, schedule_id, self.asked))


class ReportScheduleRunsView(ApiView):
    """The runs of a schedule."""

    rights = {"GET": VIEW_SCHEDULES}

    @describe(
        "List the runs of a report schedule",
        name="report_schedule_runs_list",
        tag="reports",
        parameters=RUNS.parameters,
        answers={200: RUNS.page_serializer("ReportScheduleRunPage")},
        errors=(404,),
    )
    def get(self, request: Request, schedule_id: int) -> Response:
        runs = _schedule_for(request.user, schedule_id).runs.prefetch_related(
            "reports", "notifications__deliveries__notification"
        )
        return RUNS.answer(request, runs)


class ReportScheduleRunNowView(ApiView):
    """Runs a schedule at once."""

    scopes_to_change = (Scope.OPERATE,)

    budget = "reports"
    rights = {"POST": owned(CHANGE_SCHEDULES)}

    @describe(
        "Run a report schedule now",
        name="report_schedule_run_now",
        tag="reports",
        answers={202: ReportScheduleRunSerializer},
        errors=(404,),
        description="The run covers the last whole period. The due times of the schedule do not change.",
    )
    def post(self, request: Request, schedule_id: int) -> Response:
        run = run_now(_changeable(request.user, schedule_id, self.asked), now=timezone.now())
        return Response(ReportScheduleRunSerializer(run).data, status=status.HTTP_202_ACCEPTED)


class ReportScheduleEnableView(ApiView):
    """Switches a schedule on."""

    scopes_to_change = (Scope.OPERATE,)

    rights = {"POST": owned(CHANGE_SCHEDULES)}

    @describe(
        "Enable a report schedule",
        name="report_schedule_enable",
        tag="reports",
        answers={200: ReportScheduleSerializer},
        errors=(404,),
        description="Runs missed meanwhile are not made up for.",
    )
    def post(self, request: Request, schedule_id: int) -> Response:
        return _switched(request, schedule_id, self.asked, on=True)


class ReportScheduleDisableView(ApiView):
    """Switches a schedule off."""

    scopes_to_change = (Scope.OPERATE,)

    rights = {"POST": owned(CHANGE_SCHEDULES)}

    @describe(
        "Disable a report schedule",
        name="report_schedule_disable",
        tag="reports",
        answers={200: ReportScheduleSerializer},
        errors=(404,),
    )
    def post(self, request: Request, schedule_id: int) -> Response:
        return _switched(request, schedule_id, self.asked, on=False)


def _schedule_for(user: Any, schedule_id: int) -> ReportSchedule:
    schedule = visible_report_schedules(user).filter(pk=schedule_id).first()
    if schedule is None:
        raise Http404
    return schedule


def _changeable(user: Any, schedule_id: int, right: Right) -> ReportSchedule:
    schedule = _schedule_for(user, schedule_id)
    if not may_change_schedule(user, schedule, right):
        raise PermissionDenied
    return schedule


def _switched(request: Request, schedule_id: int, right: Right, *, on: bool) -> Response:
    schedule = _changeable(request.user, schedule_id, right)
    switch(schedule, on=on, now=timezone.now())
    return Response(ReportScheduleSerializer(schedule).data)


@transaction.atomic
def _stored(user: Any, schedule: ReportSchedule, values: dict[str, Any]) -> Any:
    """Store these values and return the schedule. Raises ValidationError with the API's names of fields, and RowGone."""
    is_new = schedule.pk is None
    if not is_new:
        hold_row(schedule)
    _check_day(schedule, values)
    for name in ("fleet", *ROW_FIELDS):
        if name in values:
            setattr(schedule, name, values[name])
    devices = [] if is_new else list(schedule.devices.all())
    recipients = [] if is_new else list(schedule.recipients.all())
    if "device_ids" in values:
        devices = _chosen(schedule.fleet.devices.all(), values["device_ids"], "device_ids")
    if "recipient_ids" in values:
        recipients = _chosen(_people_of(schedule.fleet), values["recipient_ids"], "recipient_ids")
    try:
        save_report_schedule(schedule, devices=devices, recipients=recipients, editor=user, now=timezone.now())
    except InvalidRow as error:
        raise serializers.ValidationError(_api_names(error)) from error
    return ReportScheduleSerializer(schedule).data


def _check_day(schedule: ReportSchedule, values: dict[str, Any]) -> None:
    """Refuse another day than the row has where no run would heed it. Raises ValidationError."""
    period = values.get("period", schedule.period)
    heeded = {"weekday": SchedulePeriod.WEEKLY, "month_day": SchedulePeriod.MONTHLY}
    for name, of in heeded.items():
        if period != of and values.get(name, getattr(schedule, name)) != getattr(schedule, name):
            sentence = _("Only a schedule of the period %(period)s has this.") % {"period": of.value}
            raise serializers.ValidationError({name: [sentence]})


def _people_of(fleet: Fleet) -> Any:
    """Return the users who can be recipients; others are unknown to the caller."""
    users = get_user_model()._default_manager
    everywhere = everywhere_among(users.filter(is_staff=True, is_active=True), VIEW_REPORTS)
    return users.filter(Q(memberships__fleet=fleet) | Q(pk__in=everywhere)).distinct()


def _chosen(rows: Any, ids: list[int], field: str) -> list[Any]:
    found = list(rows.filter(pk__in=ids))
    if unknown := set(ids) - {row.pk for row in found}:
        text = ", ".join(map(str, sorted(unknown)[:10]))
        raise serializers.ValidationError({field: [_("Unknown: %(ids)s.") % {"ids": text}]})
    return found


def _api_names(error: InvalidRow) -> dict[str, Any]:
    names = {"fleet": "fleet_id", "devices": "device_ids", "recipients": "recipient_ids", "__all__": "non_field_errors"}
    return {names.get(name, name): texts for name, texts in error.message_dict.items()}
