"""Saved commands: kept by managers of a fleet, sent by its operators."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import IdField, StorableJSONField, StrictModelSerializer
from tasks_app.api.lists import BY_ID, Filters, RowList, by_choice, by_id, by_text
from tasks_app.api.permissions import fleet_for, refusal
from tasks_app.api.rows import deleted, saved
from tasks_app.api.schema import describe
from tasks_app.models import Fleet, FleetRole, SavedCommand
from tasks_app.models.commands import command_type_choices
from tasks_app.queries.access import (
    CHANGE_SAVED_COMMANDS,
    SEND_DANGEROUS_COMMANDS,
    VIEW_SAVED_COMMANDS,
    Right,
    has_right,
)
from tasks_app.queries.commands import may_save, visible_saved_commands

ADD_SAVED_COMMANDS = Right(FleetRole.MANAGER, "tasks_app.add_savedcommand")
DELETE_SAVED_COMMANDS = Right(FleetRole.MANAGER, "tasks_app.delete_savedcommand")


class SavedCommandSerializer(StrictModelSerializer):
    """A saved command. Without a fleet it is one of all fleets, which only staff make."""

    fleet_id = IdField(allow_null=True, required=False)
    type = serializers.ChoiceField(choices=command_type_choices())
    parameters = StorableJSONField(
        required=False, help_text="By name; texts may hold {name} and {unique_id} of the device."
    )

    class Meta:
        model = SavedCommand
        fields = ["id", "fleet_id", "name", "type", "parameters"]
        read_only_fields = ["id"]


class SavedCommandFilters(Filters):
    """Filters of the list of saved commands."""

    fleet = by_id("fleet_id")
    type = by_choice(command_type_choices(), "type")
    name = by_text("name", max_length=100, lookup="icontains", help_text="A part of it.")


SAVED = RowList(SavedCommandSerializer, filters=SavedCommandFilters, orderings={**BY_ID, "name": ("name", "id")})


class SavedCommandListView(ApiView):
    """The saved commands of the caller's fleets, and those of all fleets."""

    rights = {"GET": VIEW_SAVED_COMMANDS, "POST": ADD_SAVED_COMMANDS}

    @describe(
        "List saved commands",
        name="saved_commands_list",
        tag="commands",
        parameters=SAVED.parameters,
        answers={200: SAVED.page_serializer("SavedCommandPage")},
    )
    def get(self, request: Request) -> Response:
        return SAVED.answer(request, visible_saved_commands(request.user))

    @describe(
        "Save a command",
        name="saved_commands_create",
        tag="commands",
        request=SavedCommandSerializer,
        answers={201: SavedCommandSerializer},
        errors=(404,),
        description="For managers of its fleet.",
    )
    def post(self, request: Request) -> Response:
        values = self.body(SavedCommandSerializer)
        _check_fleet(request.user, values.get("fleet_id"), self.asked)
        _check_type(request.user, values.get("fleet_id"), values["type"])
        row = saved(SavedCommand(), values)
        return Response(SavedCommandSerializer(row).data, status=status.HTTP_201_CREATED)


class SavedCommandView(ApiView):
    """One saved command."""

    rights = {"GET": VIEW_SAVED_COMMANDS, "PATCH": CHANGE_SAVED_COMMANDS, "DELETE": DELETE_SAVED_COMMANDS}
    # Rules, people and programs send it by its number or name: another content is another command of theirs. A new one is sent
    # by nobody before who may operate chose it, and of a deleted one nothing is sent.
    commanding = ("PATCH",)

    @describe(
        "A saved command",
        name="saved_commands_retrieve",
        tag="commands",
        answers={200: SavedCommandSerializer},
        errors=(404,),
    )
    def get(self, request: Request, saved_id: int) -> Response:
        return Response(SavedCommandSerializer(saved_command_for(request.user, saved_id, self.asked)).data)

    @describe(
        "Change a saved command",
        name="saved_commands_update",
        tag="commands",
        request=SavedCommandSerializer(partial=True),
        answers={200: SavedCommandSerializer},
        errors=(404,),
        description="For managers of its fleet; to move it, also of the fleet it comes into. As it changes what rules and "
        "people send, it takes the scope `operate` of an API token.",
    )
    def patch(self, request: Request, saved_id: int) -> Response:
        row = saved_command_for(request.user, saved_id, self.asked)
        self.check_commanding()
        values = self.body(SavedCommandSerializer, changing=row)
        if values.get("fleet_id", row.fleet_id) != row.fleet_id:
            _check_fleet(request.user, values["fleet_id"], self.asked)
        _check_type(request.user, values.get("fleet_id", row.fleet_id), values.get("type", row.type))
        return Response(SavedCommandSerializer(saved(row, values)).data)

    @describe(
        "Delete a saved command", name="saved_commands_delete", tag="commands", answers={204: None}, errors=(404, 409)
    )
    def delete(self, request: Request, saved_id: int) -> Response:
        return deleted(saved_command_for(request.user, saved_id, self.asked))


def saved_command_for(user: Any, saved_id: int, right: Right) -> SavedCommand:
    """Return the saved command, for a user with this right. Raises Http404, PermissionDenied."""
    row = SavedCommand.objects.select_related("fleet").filter(pk=saved_id).first()
    is_seen = visible_saved_commands(user).filter(pk=saved_id).exists()
    if row is not None and (has_right(user, row.fleet, right) or (is_seen and right == VIEW_SAVED_COMMANDS)):
        return row
    if not is_seen:
        raise Http404
    raise refusal(right)


def asked_of(user: Any, body: dict[str, Any], fleets: set[int]) -> dict[str, Any]:
    """Return the arguments of a request to devices of these fleets: the body's, or those of the saved command in it."""
    asked = {**body}
    saved_id = asked.pop("saved_command_id", None)
    if saved_id is None:
        return {**asked, "parameters": asked.get("parameters", {})}
    row = visible_saved_commands(user).filter(pk=saved_id).first()
    if row is None or (row.fleet_id is not None and fleets != {row.fleet_id}):
        raise serializers.ValidationError({"saved_command_id": [_("There is no such saved command of this fleet.")]})
    return {**asked, "type": row.type, "parameters": row.parameters, "is_template": True}


def _check_fleet(user: Any, fleet_id: int | None, right: Right) -> None:
    """Raise as `fleet_for`; PermissionDenied where one of all fleets is not for this user."""
    if fleet_id is not None:
        fleet_for(user, fleet_id, right)
    elif not has_right(user, None, right):
        raise refusal(right)


def _check_type(user: Any, fleet_id: int | None, type_name: str) -> None:
    """Raise PermissionDenied where this user may not keep a command of this type for the fleet."""
    fleet = None if fleet_id is None else Fleet.objects.filter(pk=fleet_id).first()
    if not may_save(user, fleet, type_name):
        raise refusal(SEND_DANGEROUS_COMMANDS)
