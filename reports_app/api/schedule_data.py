"""Serializers of report schedules and their runs."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from notifications_app.models import Delivery
from reports_app.models import ReportSchedule, ReportScheduleRun, RunState, ScheduleDelivery, SchedulePeriod
from reports_app.services.requests import MAX_DEVICES
from reports_app.services.schedules import MAX_RECIPIENTS, describe_schedule
from tasks_app.api.fields import (
    ClockField,
    IdField,
    LineField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
    TimestampField,
)

ROW_FIELDS = (
    "name",
    "kinds",
    "formats",
    "period",
    "local_time",
    "weekday",
    "month_day",
    "time_zone",
    "extra_emails",
    "delivery",
    "is_active",
)


class ReportScheduleBody(StrictSerializer):
    """The body that creates or changes a report schedule."""

    name = LineField(max_length=100)
    fleet_id = IdField()
    device_ids = serializers.ListField(
        child=IdField(), max_length=MAX_DEVICES, required=False, help_text="None: every device of the fleet."
    )
    kinds = serializers.ListField(child=StrictCharField(max_length=16), min_length=1, max_length=20)
    formats = serializers.ListField(child=StrictCharField(max_length=8), min_length=1, max_length=10)
    period = serializers.ChoiceField(choices=SchedulePeriod.choices, required=False)
    local_time = ClockField(required=False, help_text="In `time_zone`.")
    weekday = StrictIntegerField(
        min_value=0, max_value=6, required=False, help_text="0 is Monday; for weekly schedules."
    )
    month_day = StrictIntegerField(min_value=1, max_value=31, required=False, help_text="For monthly schedules.")
    time_zone = StrictCharField(max_length=64, required=False, help_text="The fleet's by default.")
    recipient_ids = serializers.ListField(
        child=IdField(), max_length=MAX_RECIPIENTS, required=False, help_text="Members of the fleet, or staff."
    )
    extra_emails = serializers.ListField(
        child=serializers.EmailField(max_length=254), max_length=MAX_RECIPIENTS, required=False
    )
    delivery = serializers.ChoiceField(choices=ScheduleDelivery.choices, required=False)
    is_active = StrictBooleanField(required=False)


class ReportScheduleSerializer(serializers.ModelSerializer[ReportSchedule]):
    """A report schedule."""

    device_ids = serializers.SerializerMethodField()
    recipient_ids = serializers.SerializerMethodField()
    kinds = serializers.ListField(child=serializers.CharField())
    formats = serializers.ListField(child=serializers.CharField())
    period = serializers.CharField()
    delivery = serializers.CharField()
    weekday = serializers.IntegerField()
    local_time = ClockField()
    extra_emails = serializers.ListField(child=serializers.EmailField())
    description = serializers.SerializerMethodField()
    next_run_at = TimestampField(source="next_due_at", allow_null=True)
    created_at = TimestampField()

    class Meta:
        model = ReportSchedule
        fields = [
            "id",
            *ROW_FIELDS,
            "fleet_id",
            "device_ids",
            "recipient_ids",
            "owner_id",
            "description",
            "next_run_at",
            "failure_count",
            "last_error",
            "created_at",
        ]
        read_only_fields = fields

    def get_device_ids(self, schedule: ReportSchedule) -> list[int]:
        """None: every device of the fleet."""
        return [device.pk for device in schedule.devices.all()]

    def get_recipient_ids(self, schedule: ReportSchedule) -> list[int]:
        """Users."""
        return [user.pk for user in schedule.recipients.all()]

    def get_description(self, schedule: ReportSchedule) -> str:
        """The description of the schedule in a sentence."""
        return describe_schedule(schedule)


class RunDeliverySerializer(serializers.ModelSerializer[Delivery]):
    """One message of a run."""

    user_id = serializers.IntegerField(source="notification.user_id")
    channel = serializers.CharField()
    state = serializers.CharField()
    sent_at = TimestampField(allow_null=True)

    class Meta:
        model = Delivery
        fields = ["user_id", "channel", "state", "sent_at", "last_error"]
        read_only_fields = fields


class ReportScheduleRunSerializer(serializers.ModelSerializer[ReportScheduleRun]):
    """One run of a schedule."""

    due_at = TimestampField()
    range_start = TimestampField()
    range_end = TimestampField()
    started_at = TimestampField()
    finished_at = TimestampField(allow_null=True)
    state = serializers.CharField(help_text=", ".join(RunState.values))
    report_ids = serializers.SerializerMethodField()
    deliveries = serializers.SerializerMethodField()

    class Meta:
        model = ReportScheduleRun
        fields = [
            "id",
            "due_at",
            "range_start",
            "range_end",
            "state",
            "error",
            "report_ids",
            "deliveries",
            "started_at",
            "finished_at",
        ]
        read_only_fields = fields

    def get_report_ids(self, run: ReportScheduleRun) -> list[int]:
        """Its reports."""
        return [report.pk for report in run.reports.all()]

    @extend_schema_field(RunDeliverySerializer(many=True))
    def get_deliveries(self, run: ReportScheduleRun) -> Any:
        """The deliveries to its recipients."""
        found = [delivery for notification in run.notifications.all() for delivery in notification.deliveries.all()]
        return RunDeliverySerializer(found, many=True).data
