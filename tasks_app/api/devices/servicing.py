"""Maintenance plans: looked at by the members of the fleet, kept by its managers, marked as done by its operators."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import (
    FiniteFloatField,
    IdField,
    StrictCharField,
    StrictModelSerializer,
    StrictSerializer,
    TimestampField,
    editable_fields,
)
from tasks_app.api.lists import BY_ID, Filters, RowList, by_choice, by_id
from tasks_app.api.permissions import device_for, refusal
from tasks_app.api.rows import deleted, saved
from tasks_app.api.schema import describe
from tasks_app.api.sparse import fields_query
from tasks_app.models import DeviceState, FleetRole, MaintenancePlan, MaintenanceRecord, MaintenanceStatus
from tasks_app.models.maintenance import MAX_METERS, MAX_SECONDS
from tasks_app.queries.access import Right, to_view, visible_fleets
from tasks_app.queries.servicing import with_status_now
from tasks_app.services.devices import MaintenanceDue, maintenance_due, mark_done, new_plan

VIEW_PLANS = to_view("maintenanceplan")


class MaintenanceSerializer(StrictModelSerializer):
    """A plan, how it stands now, and what is left of its intervals (negative: by how much they are exceeded)."""

    device_id = IdField()
    last_done_at = TimestampField(required=False)
    status = serializers.SerializerMethodField()
    remaining = serializers.SerializerMethodField()

    class Meta:
        model = MaintenancePlan
        fields = ["id", "device_id", *editable_fields(MaintenancePlan), "status", "remaining"]
        read_only_fields = ["id"]

    def get_status(self, plan: MaintenancePlan) -> str:
        return _due(plan).status.value

    def get_remaining(self, plan: MaintenancePlan) -> dict[str, float]:
        return _due(plan).remaining


def _due(plan: MaintenancePlan) -> MaintenanceDue:
    state = getattr(plan.device, "state", None) or DeviceState()
    return maintenance_due(plan, state, now=timezone.now())


class MaintenanceFilters(Filters):
    """Filters of the list."""

    fleet = by_id("device__fleet_id")
    device = by_id("device_id")
    status = by_choice(MaintenanceStatus.choices, "status_now")


PLANS = RowList(
    MaintenanceSerializer,
    filters=MaintenanceFilters,
    orderings={**BY_ID, "name": ("name", "id"), "last_done_at": ("last_done_at", "id")},
)


class DoneBody(StrictSerializer):
    """The work was done: now, at the vehicle's present figures, unless said otherwise."""

    done_at = TimestampField(required=False)
    odometer_meters = FiniteFloatField(min_value=0, max_value=MAX_METERS, required=False)
    engine_seconds = FiniteFloatField(min_value=0, max_value=MAX_SECONDS, required=False)
    note = StrictCharField(max_length=500, required=False, allow_blank=True)

    def validate_done_at(self, value: Any) -> Any:
        """Refuse times in the future."""
        if value > timezone.now():
            raise serializers.ValidationError(_("This is in the future."))
        return value


class RecordSerializer(serializers.ModelSerializer[MaintenanceRecord]):
    """One time the work was done."""

    done_at = TimestampField()

    class Meta:
        model = MaintenanceRecord
        fields = ["id", "done_at", "odometer_meters", "engine_seconds", "note", "marked_by_id"]
        read_only_fields = fields


RECORDS = RowList(RecordSerializer, orderings={"done_at": ("done_at", "id")})


class MaintenanceListView(ApiView):
    """The maintenance plans of the caller's fleets."""

    rights = {"GET": VIEW_PLANS, "POST": Right(FleetRole.MANAGER, "tasks_app.add_maintenanceplan")}

    @describe(
        "List maintenance plans",
        name="maintenance_list",
        tag="fleet",
        parameters=PLANS.parameters,
        answers={200: PLANS.page_serializer("MaintenancePage")},
    )
    def get(self, request: Request) -> Response:
        return PLANS.answer(request, _visible(request.user))

    @describe(
        "Make a maintenance plan",
        name="maintenance_create",
        tag="fleet",
        request=MaintenanceSerializer,
        answers={201: MaintenanceSerializer},
        errors=(404,),
        description="For managers of the device's fleet. It counts from now on, at the vehicle's present figures, unless "
        "`last_done_at`, `last_done_odometer_meters` or `last_done_engine_seconds` say otherwise.",
    )
    def post(self, request: Request) -> Response:
        values = self.body(MaintenanceSerializer)
        device = device_for(request.user, values["device_id"], self.asked)
        plan = saved(new_plan(device), values)
        return Response(MaintenanceSerializer(plan).data, status=status.HTTP_201_CREATED)


class MaintenanceView(ApiView):
    """One maintenance plan."""

    rights = {
        "GET": VIEW_PLANS,
        "PATCH": Right(FleetRole.MANAGER, "tasks_app.change_maintenanceplan"),
        "DELETE": Right(FleetRole.MANAGER, "tasks_app.delete_maintenanceplan"),
    }

    @describe(
        "A maintenance plan",
        name="maintenance_retrieve",
        tag="fleet",
        parameters=[fields_query(MaintenanceSerializer)],
        answers={200: MaintenanceSerializer},
        errors=(404,),
    )
    def get(self, request: Request, plan_id: int) -> Response:
        return Response(self.shown(MaintenanceSerializer, _plan_for(request.user, plan_id, self.asked)))

    @describe(
        "Change a maintenance plan",
        name="maintenance_update",
        tag="fleet",
        request=MaintenanceSerializer(partial=True),
        answers={200: MaintenanceSerializer},
        errors=(404,),
        description="For managers of the device's fleet; its device cannot be changed.",
    )
    def patch(self, request: Request, plan_id: int) -> Response:
        plan = _plan_for(request.user, plan_id, self.asked)
        values = self.body(MaintenanceSerializer, changing=plan)
        if values.get("device_id", plan.device_id) != plan.device_id:
            raise serializers.ValidationError({"device_id": [_("A plan stays with its device.")]})
        return Response(MaintenanceSerializer(saved(plan, values)).data)

    @describe(
        "Delete a maintenance plan", name="maintenance_delete", tag="fleet", answers={204: None}, errors=(404, 409)
    )
    def delete(self, request: Request, plan_id: int) -> Response:
        return deleted(_plan_for(request.user, plan_id, self.asked))


class MaintenanceDoneView(ApiView):
    """The work of a plan was done."""

    rights = {"POST": Right(FleetRole.OPERATOR, "tasks_app.change_maintenanceplan")}

    @describe(
        "Mark the work of a plan as done",
        name="maintenance_done",
        tag="fleet",
        request=DoneBody,
        answers={201: RecordSerializer},
        errors=(404,),
        description="For operators of the device's fleet. The plan's intervals start anew.",
    )
    def post(self, request: Request, plan_id: int) -> Response:
        plan = _plan_for(request.user, plan_id, self.asked)
        body = self.body(DoneBody)
        record = mark_done(plan, now=body.pop("done_at", timezone.now()), user=request.user, **body)
        return Response(RecordSerializer(record).data, status=status.HTTP_201_CREATED)


class MaintenanceHistoryView(ApiView):
    """When the work of a plan was done."""

    rights = {"GET": VIEW_PLANS}

    @describe(
        "When the work of a plan was done",
        name="maintenance_history",
        tag="fleet",
        parameters=RECORDS.parameters,
        answers={200: RECORDS.page_serializer("MaintenanceRecordPage")},
        errors=(404,),
    )
    def get(self, request: Request, plan_id: int) -> Response:
        return RECORDS.answer(request, _plan_for(request.user, plan_id, self.asked).records.all())


def _visible(user: Any, right: Right = VIEW_PLANS) -> Any:
    plans = MaintenancePlan.objects.filter(device__fleet__in=visible_fleets(user, right))
    return with_status_now(plans, now=timezone.now()).select_related("device__fleet", "device__state")


def _plan_for(user: Any, plan_id: int, right: Right) -> MaintenancePlan:
    plan = _visible(user, right).filter(pk=plan_id).first()
    if plan is not None:
        return plan
    if not _visible(user).filter(pk=plan_id).exists():
        raise Http404
    raise refusal(right)
