"""Fleets: looked at by their members, changed by their managers, made and deleted by staff."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import StrictModelSerializer, editable_fields
from tasks_app.api.lists import BY_ID, Filters, RowList, by_text
from tasks_app.api.permissions import RowDecides, fleet_for
from tasks_app.api.rows import deleted, saved
from tasks_app.api.schema import describe
from tasks_app.api.scopes import allows_more
from tasks_app.api.sparse import fields_query
from tasks_app.models import Fleet, FleetRole
from tasks_app.queries.access import VIEW_FLEETS, Right, visible_fleets
from tasks_app.services.rows import hold_row

SCOPE_TEXT = "To allow more `rule_commands` takes the scope `operate` of an API token."


class FleetSerializer(StrictModelSerializer):
    """A fleet."""

    class Meta:
        model = Fleet
        fields = ["id", *editable_fields(Fleet), "created_at"]
        read_only_fields = ["id", "created_at"]


class FleetFilters(Filters):
    """Filters of the fleet list."""

    name = by_text("name", max_length=100, lookup="icontains", help_text="A part of it.")


FLEETS = RowList(
    FleetSerializer,
    filters=FleetFilters,
    orderings={**BY_ID, "name": ("name",), "created_at": ("created_at", "id")},
)


class FleetListView(ApiView):
    """The fleets the caller is a member of."""

    rights = {"GET": VIEW_FLEETS, "POST": Right(None, "tasks_app.add_fleet")}
    # Rules about every fleet send their commands to this one, too.
    commanding = ("POST",)

    @describe(
        "List fleets",
        name="fleets_list",
        tag="fleet",
        parameters=FLEETS.parameters,
        answers={200: FLEETS.page_serializer("FleetPage")},
    )
    def get(self, request: Request) -> Response:
        return FLEETS.answer(request, visible_fleets(request.user))

    @describe(
        "Make a fleet",
        name="fleets_create",
        tag="fleet",
        request=FleetSerializer,
        answers={201: FleetSerializer},
        description=SCOPE_TEXT,
    )
    def post(self, request: Request) -> Response:
        values = self.body(FleetSerializer)
        self.check_commanding(_allows_more(Fleet(), values))
        fleet = saved(Fleet(), values)
        return Response(FleetSerializer(fleet).data, status=status.HTTP_201_CREATED)


class FleetView(ApiView):
    """One fleet."""

    permission_classes = [RowDecides]
    rights = {
        "GET": VIEW_FLEETS,
        "PATCH": Right(FleetRole.MANAGER, "tasks_app.change_fleet"),
        "DELETE": Right(None, "tasks_app.delete_fleet"),
    }
    commanding = ("PATCH",)

    @describe(
        "A fleet",
        name="fleets_retrieve",
        tag="fleet",
        parameters=[fields_query(FleetSerializer)],
        answers={200: FleetSerializer},
        errors=(404,),
    )
    def get(self, request: Request, fleet_id: int) -> Response:
        return Response(self.shown(FleetSerializer, fleet_for(request.user, fleet_id, self.asked)))

    @describe(
        "Change a fleet",
        name="fleets_update",
        tag="fleet",
        request=FleetSerializer(partial=True),
        answers={200: FleetSerializer},
        errors=(404,),
        description=SCOPE_TEXT,
    )
    def patch(self, request: Request, fleet_id: int) -> Response:
        fleet = fleet_for(request.user, fleet_id, self.asked)
        values = self.body(FleetSerializer, changing=fleet)
        with transaction.atomic():
            hold_row(fleet)
            self.check_commanding(_allows_more(fleet, values))
            saved(fleet, values)
        return Response(FleetSerializer(fleet).data)

    @describe(
        "Delete a fleet",
        name="fleets_delete",
        tag="fleet",
        answers={204: None},
        errors=(404, 409),
        description="A fleet that still has devices is not deleted.",
    )
    def delete(self, request: Request, fleet_id: int) -> Response:
        return deleted(fleet_for(request.user, fleet_id, self.asked))


def _allows_more(fleet: Fleet, values: dict[str, Any]) -> bool:
    """Whether a fleet with these values allows more commands to rules than it does now."""
    return allows_more(fleet.rule_commands, values.get("rule_commands", fleet.rule_commands))
