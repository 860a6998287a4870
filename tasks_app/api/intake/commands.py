"""`/ingest/commands`, where devices ask for their commands and say what became of them; and commands in other answers."""

from __future__ import annotations

import logging
from typing import Any

import redis
from django.db import DatabaseError, InterfaceError
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.errors import ApiError
from tasks_app.api.ingest_limits import count_device
from tasks_app.api.intake.base import DEVICE_AUTH, IngestView
from tasks_app.api.intake.senders import proven_holder
from tasks_app.api.parsers import JSON_MEDIA_TYPE
from tasks_app.api.schema import describe
from tasks_app.ingest.trackers.command_types import COMMAND_TYPES
from tasks_app.models import CommandState, Device
from tasks_app.models.commands import MAX_ANSWER_CHARACTERS
from tasks_app.services.commands import Form, acknowledge_fetched, fetch_command, may_wait

logger = logging.getLogger(__name__)


class FetchedCommand(serializers.Serializer[Any]):
    """A command that the device now has: it is sent once, unless repeating it does no harm."""

    id = serializers.CharField(help_text="Of this sending; send it back with the outcome.")
    type = serializers.ChoiceField(choices=[(name, name) for name in COMMAND_TYPES])
    parameters = serializers.DictField(child=serializers.JSONField())
    expires_at = serializers.DateTimeField(help_text="It must not be carried out later.")


class FetchedCommands(serializers.Serializer[Any]):
    """None or one: the next one waits for the outcome of this."""

    commands = FetchedCommand(many=True)


class AcknowledgementBody(serializers.Serializer[Any]):
    """The outcome of a command."""

    id = serializers.CharField(max_length=64)
    state = serializers.ChoiceField(choices=["done", "failed"])
    text = serializers.CharField(
        max_length=MAX_ANSWER_CHARACTERS, required=False, allow_blank=True, default="", help_text="For people."
    )


class AcknowledgedCommand(serializers.Serializer[Any]):
    id = serializers.CharField()
    state = serializers.ChoiceField(
        choices=CommandState.choices, help_text="Of the command; `acknowledged` until its effect is seen in positions."
    )


class IngestCommandsView(IngestView):
    """Commands of the device whose key is sent."""

    @describe(
        "Ask for the next command",
        name="ingest_commands",
        tag="ingest",
        answers={200: FetchedCommands},
        description="For devices that ask by HTTP. The command counts as sent with this answer: carry it out before "
        "`expires_at`, then send its outcome. A device that has asked here gets no commands in answers to positions.",
        auth=DEVICE_AUTH,
    )
    def get(self, request: Request) -> HttpResponse:
        device = _counted(request)
        found = fetch_command(device, "json")
        answer = HttpResponse(b'{"commands":[' + (found or b"") + b"]}", JSON_MEDIA_TYPE)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @describe(
        "Say what became of a command",
        name="ingest_commands_outcome",
        tag="ingest",
        request=AcknowledgementBody,
        answers={200: AcknowledgedCommand},
        errors=(404, 413),
        description="Saying it again changes nothing.",
        auth=DEVICE_AUTH,
    )
    def post(self, request: Request) -> Response:
        device = _counted(request)
        sent = self.body(AcknowledgementBody)
        state = acknowledge_fetched(
            device, sent["id"], is_success=sent["state"] == "done", text=sent["text"], now=timezone.now()
        )
        if state is None:
            detail = _("The device was sent no command with this id.")
            raise ApiError(status.HTTP_404_NOT_FOUND, "unknown_command", detail)
        return Response({"id": sent["id"], "state": state})


def _counted(request: Request) -> Device:
    device = proven_holder(request)
    count_device(device)
    return device


def command_for(device: Device | None, form: Form) -> bytes | None:
    """Take the command that waits for a device whose message was taken in, for the answer; None without one.

    `device` is None for a sender that did not prove who it is. The message is stored: a failure in here is no reason to have
    it sent again.
    """
    if device is None or not may_wait(device.pk):
        return None
    try:
        return fetch_command(device, form)
    except (redis.RedisError, DatabaseError, InterfaceError) as error:
        logger.warning("The command that waits for device %d was not sent: %s", device.pk, error)
        return None
