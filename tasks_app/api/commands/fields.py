"""Commands and their attempts as JSON, and the bodies that ask for them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from tasks_app.api.fields import (
    IdField,
    StorableJSONField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
    TimestampField,
)
from tasks_app.ingest.trackers.command_types import COMMAND_TYPES
from tasks_app.models import Command, CommandAttempt, CommandWay
from tasks_app.models.commands import MAX_REASON_CHARACTERS, command_type_choices
from tasks_app.queries.access import SEND_COMMANDS, AnyUser, has_right
from tasks_app.queries.commands import reason_text

MAX_EXPIRY_SECONDS = max(kind.max_expiry_seconds for kind in COMMAND_TYPES.values())
MAX_NAME_CHARACTERS = 200
# COMMANDS_MAX_DEVICES may be less.
MAX_LISTED_DEVICES = 5000


class CommandAttemptSerializer(serializers.ModelSerializer[CommandAttempt]):
    """One attempt to tell a device a command. The address is for those who may send commands to the device."""

    way = serializers.CharField()
    started_at = TimestampField()
    sent_at = TimestampField(allow_null=True)
    answered_at = TimestampField(allow_null=True)
    data_hex = serializers.SerializerMethodField(help_text="The bytes, in hexadecimal digits.")
    address = serializers.SerializerMethodField(help_text="The connection, server or number it went to.")

    class Meta:
        model = CommandAttempt
        fields = [
            "number",
            "way",
            "started_at",
            "sent_at",
            "answered_at",
            "token",
            "name",
            "data_hex",
            "text",
            "address",
            "answer",
            "error",
        ]
        read_only_fields = fields

    def get_data_hex(self, attempt: CommandAttempt) -> str:
        return bytes(attempt.data).hex()

    def get_address(self, attempt: CommandAttempt) -> str:
        return attempt.address if self.context.get("with_addresses") else ""


class CommandSerializer(serializers.ModelSerializer[Command]):
    """A command. `sent` says that the bytes left, and no more; only `done` says that the device did it."""

    expires_at = TimestampField()
    created_at = TimestampField()
    not_before = TimestampField(allow_null=True)
    confirmed_at = TimestampField(allow_null=True)
    sent_at = TimestampField(allow_null=True)
    acknowledged_at = TimestampField(allow_null=True)
    ended_at = TimestampField(allow_null=True)
    parameters = serializers.DictField(child=serializers.JSONField())
    way = serializers.ChoiceField(choices=CommandWay.choices, allow_blank=True, help_text="Empty: the device's chain.")
    state_text = serializers.SerializerMethodField(help_text="Why it ended, or why it waits, for people.")

    class Meta:
        model = Command
        fields = [
            "id",
            "device_id",
            "type",
            "parameters",
            "state",
            "state_reason",
            "state_text",
            "way",
            "priority",
            "not_before",
            "expires_at",
            "idempotency_key",
            "requested_by_id",
            "reason",
            "is_override",
            "batch",
            "confirmed_by_id",
            "confirmed_at",
            "created_at",
            "sent_at",
            "acknowledged_at",
            "ended_at",
            "answer",
        ]
        read_only_fields = fields

    def get_state_text(self, command: Command) -> str:
        return reason_text(command.state_reason)


class CommandDetailSerializer(CommandSerializer):
    """A command with its attempts."""

    attempts = CommandAttemptSerializer(many=True)

    class Meta(CommandSerializer.Meta):
        fields = [*CommandSerializer.Meta.fields, "attempts"]
        read_only_fields = fields


class AskedCommand(StrictSerializer):
    """A request for a command: a type with its parameters, or a saved command."""

    type = serializers.ChoiceField(choices=command_type_choices(), required=False)
    parameters = StorableJSONField(required=False, help_text="By name; those of the type.")
    saved_command_id = IdField(required=False, help_text="In place of a type and parameters.")
    way = serializers.ChoiceField(
        choices=CommandWay.choices, required=False, help_text="One way only, in place of the device's chain."
    )
    priority = StrictIntegerField(
        min_value=-100, max_value=100, default=0, help_text="Of commands that wait, the highest one goes first."
    )
    not_before = TimestampField(required=False)
    expires_in_seconds = StrictIntegerField(
        min_value=1, max_value=MAX_EXPIRY_SECONDS, required=False, help_text="By the type, with bounds of its own."
    )
    reason = StrictCharField(max_length=MAX_REASON_CHARACTERS, required=False, allow_blank=True, default="")
    is_override = StrictBooleanField(default=False, help_text="Against the rules of safety; it needs a reason.")

    def validate_parameters(self, value: Any) -> dict[str, Any]:
        """Refuse anything but an object."""
        if not isinstance(value, dict):
            raise serializers.ValidationError(_("An object is required."))
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require a type or a saved command, not both."""
        if ("type" in attrs) == ("saved_command_id" in attrs):
            raise serializers.ValidationError({"type": [_("Give a type, or a saved command.")]})
        if "parameters" in attrs and "type" not in attrs:
            raise serializers.ValidationError({"parameters": [_("A saved command has its own.")]})
        return attrs


class NewCommandBody(AskedCommand):
    """A command to a device."""

    device_id = IdField(help_text="The device's row number.")
    typed_name = StrictCharField(
        max_length=MAX_NAME_CHARACTERS, allow_blank=True, default="", help_text="Of dangerous types: the device's name."
    )
    idempotency_key = StrictCharField(
        max_length=64,
        allow_blank=True,
        default="",
        help_text="One key makes one command, for ever; of one's own choice.",
    )


class CommandBulkBody(AskedCommand):
    """A command to many devices."""

    device_ids = serializers.ListField(child=IdField(), min_length=1, max_length=MAX_LISTED_DEVICES)
    dry_run = StrictBooleanField(default=False, help_text="Say what would become of each device; ask for nothing.")
    typed_name = StrictCharField(
        max_length=MAX_NAME_CHARACTERS, allow_blank=True, default="", help_text="Of dangerous types: how many devices."
    )
    idempotency_key = StrictCharField(
        max_length=64, allow_blank=True, default="", help_text="One key makes one batch, for ever; of one's own choice."
    )


class BulkRowSerializer(serializers.Serializer[Any]):
    """One device of a group: its command, or why there is none."""

    device_id = serializers.IntegerField()
    command_id = serializers.IntegerField(allow_null=True)
    code = serializers.CharField(help_text="Why there is no command; empty where there is, or would be.")
    detail = serializers.CharField(help_text="The same for people.")


class CommandBulkSerializer(serializers.Serializer[Any]):
    """The outcome for each device, or what it would be."""

    batch = serializers.UUIDField(allow_null=True, help_text="Filters the list of commands; null for a dry run.")
    accepted = serializers.IntegerField()
    refused = serializers.IntegerField()
    refused_by_code = serializers.DictField(child=serializers.IntegerField())
    results = BulkRowSerializer(many=True)


def may_see_addresses(user: AnyUser, command: Command) -> bool:
    """Whether numbers and servers are shown: a number of a SIM card is a way to the tracker that asks for no right."""
    return has_right(user, command.device.fleet, SEND_COMMANDS)
