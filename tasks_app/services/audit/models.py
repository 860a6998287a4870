"""The models of this package, and of Django and its packages, whose rows people change."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt
from django.contrib.auth.models import Group, User
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_q.models import Schedule
from knox.models import get_token_model

from tasks_app.models import (
    Device,
    DeviceAccess,
    FilterSettings,
    Fleet,
    FleetMembership,
    Geofence,
    MaintenancePlan,
    MaintenanceRecord,
    PositionUpload,
    RetentionSettings,
    SavedCommand,
    SavedJobView,
    ScheduleState,
    TokenDetails,
)
from tasks_app.services.audit.recording import Subject
from tasks_app.services.audit.values import Values
from tasks_app.services.audit.watching import subject_of_row, watch

# Their secret, and what a log-in notes.
_OF_SECOND_FACTORS = {
    "key", "drift", "last_t", "last_used_at", "throttling_failure_timestamp", "throttling_failure_count",
}  # fmt: skip


def watch_models() -> None:
    """Audit them from now on."""
    for model in (Fleet, FleetMembership, Geofence, FilterSettings, RetentionSettings, SavedJobView, Group):
        watch(model)
    watch(Device)
    # What gateways see of a device.
    watch(DeviceAccess, ignored={"last_connected_at"})
    watch(SavedCommand)
    # Figures and marks that the system keeps.
    watch(MaintenancePlan, ignored={"status"})
    watch(MaintenanceRecord)
    watch(PositionUpload, ignored={"counts", "state", "error", "started_at", "finished_at"})
    watch(User, ignored={"last_login"}, verb=_verb_of_user)
    watch(get_token_model(), ignored={"digest"}, subject=_token_subject)
    watch(TokenDetails, ignored={"token", "last_used_at"}, subject=lambda details: _token_subject(details.token))
    for factor in (TOTPDevice, StaticDevice):
        watch(factor, ignored=_OF_SECOND_FACTORS)
    watch(Schedule, ignored={"task", "next_run", "repeats"})
    watch(
        ScheduleState, ignored={"last_run_at", "last_job_id", "last_error", "anchor_at", "schedule"}, subject=_schedule
    )
    watch(AccessAttempt, ignored={"get_data", "post_data", "http_accept", "failures_since_start", "attempt_time"})


def _verb_of_user(changes: Values) -> str:
    return "password" if "password" in changes else "change"


def _token_subject(token: Any) -> Subject:
    """Neither the digest, which is the row's key, nor the text of the row, which holds it, but the beginning of the token."""
    return Subject(token._meta.label_lower, token.token_key, f"{token.user.get_username()} · {token.token_key}")


def _schedule(state: ScheduleState) -> Subject:
    return subject_of_row(state.schedule)
