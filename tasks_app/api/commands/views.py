"""Commands: asked for, looked at, cancelled and confirmed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.http import Http404
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.commands.fields import (
    CommandDetailSerializer,
    CommandSerializer,
    NewCommandBody,
    may_see_addresses,
)
from tasks_app.api.commands.saved import asked_of
from tasks_app.api.fields import ReasonBody, TimestampField
from tasks_app.api.lists import BY_ID, Filters, Parameter, RowList, by_choice, by_id, by_uuid
from tasks_app.api.permissions import device_for, refusal
from tasks_app.api.schema import describe
from tasks_app.models import Command, CommandState, Scope
from tasks_app.models.commands import command_type_choices
from tasks_app.queries.access import (
    CANCEL_COMMANDS,
    CONFIRM_COMMANDS,
    SEND_COMMANDS,
    VIEW_COMMANDS,
    Right,
    visible_commands,
)
from tasks_app.services.commands import CommandRefused, cancel_command, confirm_command, request_command


class CommandFilters(Filters):
    """Filters of the list of commands."""

    device = by_id("device_id")
    fleet = by_id("device__fleet_id")
    type = by_choice(command_type_choices(), "type")
    state = by_choice(CommandState.choices, "state")
    requested_by = by_id("requested_by_id")
    batch = by_uuid("batch", help_text="Those of one request for many devices.")
    created_after = Parameter(TimestampField(), "created_at", "gt")


COMMANDS = RowList(CommandSerializer, filters=CommandFilters, orderings={"created_at": ("created_at", "id"), **BY_ID})


class CommandListView(ApiView):
    """The commands of the devices the caller sees, newest first."""

    budget = "commands"
    scopes_to_change = (Scope.OPERATE,)
    rights = {"GET": VIEW_COMMANDS, "POST": SEND_COMMANDS}

    @describe(
        "List commands",
        name="commands_list",
        tag="commands",
        parameters=COMMANDS.parameters,
        answers={200: COMMANDS.page_serializer("CommandPage")},
    )
    def get(self, request: Request) -> Response:
        return COMMANDS.answer(request, visible_commands(request.user))

    @describe(
        "Send a command",
        name="commands_create",
        tag="commands",
        request=NewCommandBody,
        answers={200: CommandSerializer, 201: CommandSerializer},
        errors=(404, 409),
        description="For operators of the device's fleet, of dangerous types for managers. The command is queued, and sent "
        "before `expires_at` or never; its `state` says what became of it. 200 where the `idempotency_key` made it before. 409 "
        "`unsafe` where a vehicle must not be stopped as it drives now.",
    )
    def post(self, request: Request) -> Response:
        body = self.body(NewCommandBody)
        device = device_for(request.user, body.pop("device_id"), self.asked)
        known = _known_command(request.user, body["idempotency_key"])
        command = request_command(device=device, user=request.user, **asked_of(request.user, body, {device.fleet_id}))
        code = status.HTTP_200_OK if command.pk == known else status.HTTP_201_CREATED
        return Response(CommandSerializer(command).data, status=code)


class CommandView(ApiView):
    """One command."""

    rights = {"GET": VIEW_COMMANDS}

    @describe(
        "A command",
        name="commands_retrieve",
        tag="commands",
        answers={200: CommandDetailSerializer},
        errors=(404,),
        description="With its attempts, each with the bytes that were sent and the answer.",
    )
    def get(self, request: Request, command_id: int) -> Response:
        command = command_for(request.user, command_id, self.asked)
        context = {"with_addresses": may_see_addresses(request.user, command)}
        return Response(CommandDetailSerializer(command, context=context).data)


class _StepView(ApiView):
    """A step of one command, which its state may not allow any more."""

    budget = "commands"
    scopes_to_change = (Scope.OPERATE,)

    def _answer(self, request: Request, command_id: int, act: Callable[[Command], Command]) -> Response:
        command = command_for(request.user, command_id, self.asked)
        with naming_state_of(command):
            return Response(CommandSerializer(act(command)).data)


class CommandCancelView(_StepView):
    """Cancelling."""

    rights = {"POST": CANCEL_COMMANDS}

    @describe(
        "Cancel a command",
        name="commands_cancel",
        tag="commands",
        request=ReasonBody,
        answers={200: CommandSerializer},
        errors=(404, 409),
        description="For operators of the device's fleet. 409 `too_late` once it was sent or has ended.",
    )
    def post(self, request: Request, command_id: int) -> Response:
        reason = self.body(ReasonBody)["reason"]
        return self._answer(request, command_id, lambda command: cancel_command(command, request.user, reason))


class CommandConfirmView(_StepView):
    """Confirming."""

    rights = {"POST": CONFIRM_COMMANDS}

    @describe(
        "Confirm a command of another person",
        name="commands_confirm",
        tag="commands",
        answers={200: CommandSerializer},
        errors=(404, 409),
        description="For managers of the device's fleet, where dangerous commands await a second person. 403 for one's own, "
        "409 `too_late` where it awaits nothing any more.",
    )
    def post(self, request: Request, command_id: int) -> Response:
        return self._answer(request, command_id, lambda command: confirm_command(command, request.user))


@contextmanager
def naming_state_of(command: Command) -> Iterator[None]:
    """Give a refusal because of the command's state this state."""
    try:
        yield
    except CommandRefused as error:
        command.refresh_from_db(fields=["state"])
        error.state = command.state  # type: ignore[attr-defined]
        raise


def command_for(user: Any, command_id: int, right: Right) -> Command:
    """Return the command, for a user with this right in its device's fleet. Raises Http404, PermissionDenied."""
    rows = visible_commands(user, right).select_related("device__fleet").prefetch_related("attempts")
    command: Command | None = rows.filter(pk=command_id).first()
    if command is not None:
        return command
    if not visible_commands(user).filter(pk=command_id).exists():
        raise Http404
    raise refusal(right)


def _known_command(user: Any, key: str) -> int | None:
    """Return the number of the command that a key of the user made."""
    if not key:
        return None
    return Command.objects.filter(requested_by=user, idempotency_key=key).values_list("pk", flat=True).first()
