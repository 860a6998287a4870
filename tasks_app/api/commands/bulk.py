"""One command to each of many devices, with a dry run."""

from __future__ import annotations

from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.commands.fields import CommandBulkBody, CommandBulkSerializer
from tasks_app.api.commands.saved import asked_of
from tasks_app.api.permissions import devices_for
from tasks_app.api.schema import describe
from tasks_app.models import Scope
from tasks_app.queries.access import SEND_COMMANDS
from tasks_app.services.commands import GroupResult, GroupRow, request_commands


class CommandBulkView(ApiView):
    """Commands to many devices."""

    budget = "commands"
    scopes_to_change = (Scope.OPERATE,)
    rights = {"POST": SEND_COMMANDS}

    @describe(
        "Send a command to many devices",
        name="commands_bulk",
        tag="commands",
        request=CommandBulkBody,
        answers={200: CommandBulkSerializer, 201: CommandBulkSerializer},
        errors=(404, 409),
        description="Each device gets a command of its own or the reason why not; what is wrong with the request itself is a "
        "400. `dry_run` answers 200 with the same and asks for nothing. COMMANDS_MAX_DEVICES (500) at once.",
    )
    def post(self, request: Request) -> Response:
        body = self.body(CommandBulkBody)
        dry_run = body["dry_run"]
        devices = devices_for(request.user, body.pop("device_ids"), self.asked)
        asked = asked_of(request.user, body, {device.fleet_id for device in devices})
        result = request_commands(devices, user=request.user, **asked)
        code = status.HTTP_200_OK if dry_run else status.HTTP_201_CREATED
        return Response(_shown(result, dry_run=dry_run), status=code)


def _shown(result: GroupResult, *, dry_run: bool) -> dict[str, object]:
    return {
        "batch": None if dry_run else str(result.batch),
        "accepted": result.accepted,
        "refused": len(result.rows) - result.accepted,
        "refused_by_code": dict(result.refused),
        "results": [_row(row) for row in result.rows],
    }


def _row(row: GroupRow) -> dict[str, object]:
    return {
        "device_id": row.device.pk,
        "command_id": row.command.pk if row.command else None,
        "code": row.refusal.code if row.refusal else "",
        "detail": row.refusal.sentence if row.refusal else "",
    }
