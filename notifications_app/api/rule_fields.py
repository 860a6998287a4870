"""Rules and dry runs as JSON."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from notifications_app.messages.rule_description import REASONS, rule_sentence
from notifications_app.models import Rule
from notifications_app.models.kinds import channel_choices, rule_kind_choices
from notifications_app.models.rules import MAX_MINUTES
from notifications_app.services.rules import MAX_NAMED, MAX_STEPS
from tasks_app.api.fields import (
    ClockField,
    FiniteFloatField,
    IdField,
    StrictCharField,
    StrictIntegerField,
    StrictModelSerializer,
    StrictSerializer,
    TimestampField,
    WindowsField,
    editable_fields,
)
from tasks_app.models import EventKind, FleetRole


class IdsField(serializers.ListField):
    """Row numbers; each counts once."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=IdField(), max_length=MAX_NAMED, **kwargs)

    def to_representation(self, data: Any) -> list[int]:
        return sorted(row.pk for row in data.all())


class ChoicesField(serializers.ListField):
    """A list of choices, each at most once."""

    def __init__(self, *, choices: Any, **kwargs: Any) -> None:
        super().__init__(child=serializers.ChoiceField(choices=choices), max_length=len(choices), **kwargs)


class EscalationStepSerializer(StrictSerializer):
    """The people to notify if the alert is not acknowledged in time."""

    after_minutes = StrictIntegerField(min_value=1, max_value=MAX_MINUTES)
    user_ids = IdsField(source="users", min_length=1)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        values = super().to_internal_value(data)
        return {"after_minutes": values["after_minutes"], "user_ids": values["users"]}


class RuleSerializer(StrictModelSerializer):
    """A rule. Empty fields do not restrict it; `sentence` describes it in words."""

    fleet_id = IdField(required=False, allow_null=True, help_text="null: every fleet, for staff.")
    event_kinds = ChoicesField(choices=rule_kind_choices())
    channels = ChoicesField(choices=channel_choices())
    roles = ChoicesField(choices=FleetRole.choices, required=False)
    alarms = serializers.ListField(child=StrictCharField(max_length=40), max_length=50, required=False)
    min_speed_kph = FiniteFloatField(min_value=0, max_value=500, required=False, allow_null=True)
    min_duration_minutes = FiniteFloatField(min_value=0, max_value=MAX_MINUTES, required=False, allow_null=True)
    windows = WindowsField()
    digest_daily_at = ClockField(required=False, allow_null=True)
    user_ids = IdsField(source="users", required=False)
    device_ids = IdsField(source="devices", required=False)
    geofence_ids = IdsField(source="geofences", required=False)
    within_geofence_ids = IdsField(source="within_geofences", required=False)
    command_id = IdField(
        required=False,
        allow_null=True,
        help_text="A saved command, sent to the event's device where its fleet allows it.",
    )
    escalation_steps = EscalationStepSerializer(many=True, required=False, max_length=MAX_STEPS)  # type: ignore[call-arg]
    sentence = serializers.SerializerMethodField()

    class Meta:
        model = Rule
        fields = [
            "id",
            "fleet_id",
            *editable_fields(Rule),
            "user_ids",
            "device_ids",
            "geofence_ids",
            "within_geofence_ids",
            "command_id",
            "escalation_steps",
            "sentence",
        ]
        read_only_fields = ["id"]

    def get_sentence(self, rule: Rule) -> str:
        return rule_sentence(rule)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """The values under the names of the API, as services.rules takes them."""
        values = super().to_internal_value(data)
        names = {"users": "user_ids", "devices": "device_ids", "geofences": "geofence_ids"}
        names["within_geofences"] = "within_geofence_ids"
        return {names.get(name, name): value for name, value in values.items()}


class DryRunBody(StrictSerializer):
    """A stored event, or the description of one; `occurred_at` is now by default."""

    event_id = IdField(required=False)
    device_id = IdField(required=False)
    kind = serializers.ChoiceField(choices=EventKind.choices, required=False)
    occurred_at = TimestampField(required=False)
    geofence_id = IdField(required=False)
    latitude = FiniteFloatField(min_value=-90, max_value=90, required=False)
    longitude = FiniteFloatField(min_value=-180, max_value=180, required=False)
    speed_kph = FiniteFloatField(min_value=0, max_value=2000, required=False)
    alarm = StrictCharField(max_length=40, required=False)
    offline_minutes = FiniteFloatField(min_value=0, max_value=MAX_MINUTES, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "event_id" in attrs and len(attrs) > 1:
            raise serializers.ValidationError({"event_id": [_("Give an event, or the description of one, not both.")]})
        missing = [name for name in ("device_id", "kind") if name not in attrs]
        if "event_id" not in attrs and missing:
            raise serializers.ValidationError({name: [_("This field is required.")] for name in missing})
        if ("latitude" in attrs) != ("longitude" in attrs):
            raise serializers.ValidationError({"latitude": [_("Give both coordinates, or none.")]})
        return attrs


class VerdictSerializer(serializers.Serializer[Any]):
    """The decision of one rule for one person."""

    rule_id = serializers.IntegerField(allow_null=True, help_text="null: no rule names this person.")
    rule = serializers.CharField()
    user_id = serializers.IntegerField(allow_null=True, help_text="null: the rule does not match, for any person.")
    user = serializers.CharField()
    outcome = serializers.CharField(help_text="notify, hold (later, with others), wait (until it has lasted), no")
    reason = serializers.CharField(help_text="The reason as a code.")
    detail = serializers.SerializerMethodField()
    channels = serializers.ListField(child=serializers.CharField())
    due_at = TimestampField(allow_null=True)

    @extend_schema_field({"type": "string", "description": "The reason in words."})
    def get_detail(self, verdict: Any) -> str:
        return str(REASONS[verdict.reason])


class DryRunSerializer(serializers.Serializer[Any]):
    """The decisions, those that notify first."""

    results = VerdictSerializer(many=True)
