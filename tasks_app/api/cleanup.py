"""Starting clean-up jobs. For staff who may delete the rows concerned; those without a model are for superusers."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _
from django.views import View
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.enqueueing import EnqueuedSerializer, start
from tasks_app.api.fields import (
    FiniteFloatField,
    IdField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
)
from tasks_app.api.schema import describe
from tasks_app.engine import get_task
from tasks_app.models import Device, Scope
from tasks_app.models.retention import MAX_DAYS
from tasks_app.queries.access import Right
from tasks_app.services.argument_bounds import MAX_AGE_HOURS, MAX_PATTERN_LENGTH, PATTERN
from tasks_app.services.cleanup import CLEANUPS, MAX_WINDOW_SECONDS, Cleanup


class CleanupBody(StrictSerializer):
    """Parameters of every clean-up."""

    dry_run = StrictBooleanField(default=False, help_text="Only count what would go.")
    max_seconds = FiniteFloatField(
        min_value=1,
        max_value=MAX_WINDOW_SECONDS,
        required=False,
        help_text="It stops by itself after this long; the next run goes on.",
    )


class RetentionBody(CleanupBody):
    """How much history stays; the retention settings decide when not said."""

    days_to_keep = StrictIntegerField(min_value=1, max_value=MAX_DAYS, required=False)


class DeviceBody(CleanupBody):
    """Of which device; of all when not said."""

    device_id = IdField(required=False, help_text="The number of one device; all when not said.")

    def validate_device_id(self, value: int) -> int:
        if not Device.objects.filter(pk=value).exists():
            raise serializers.ValidationError(_("There is no device %(id)s.") % {"id": value})
        return value


class PositionsBody(DeviceBody, RetentionBody):
    """How many days of positions stay where neither device nor fleet says otherwise, and of which device."""


class OptimizeBody(CleanupBody):
    """When the database is optimized."""

    force = StrictBooleanField(default=False, help_text="Also in business hours.")


class JobHistoryBody(CleanupBody):
    """How long finished jobs stay."""

    succeeded_days = StrictIntegerField(min_value=1, max_value=MAX_DAYS, required=False)
    failed_days = StrictIntegerField(min_value=1, max_value=MAX_DAYS, required=False)


class CacheBody(CleanupBody):
    """Which cache entries go."""

    pattern = StrictCharField(max_length=MAX_PATTERN_LENGTH, required=False)
    max_age_hours = FiniteFloatField(min_value=0, max_value=MAX_AGE_HOURS, required=False)

    def validate_pattern(self, value: str) -> str:
        if not re.fullmatch(PATTERN, value):
            raise serializers.ValidationError(_("A pattern has 1 to 200 characters and at most 4 asterisks."))
        return value


# Clean-ups of this app that take more than the days to keep.
BODIES: dict[str, type[CleanupBody]] = {
    "positions": PositionsBody,
    "cache": CacheBody,
    "duplicates": DeviceBody,
    "jobs": JobHistoryBody,
    "optimize": OptimizeBody,
}


class CleanupView(ApiView):
    """Starts one clean-up."""

    scopes_to_change = (Scope.OPERATE,)

    cleanup: Cleanup
    body_class: type[CleanupBody]

    def post(self, request: Request) -> Response:
        return start(request, self.cleanup.task, **self.body(self.body_class))


def cleanup_view(kind: str) -> Any:
    """The view of one clean-up, described under its own name."""
    cleanup = CLEANUPS[kind]
    body = BODIES.get(kind, RetentionBody if cleanup.takes_days else CleanupBody)
    permission = get_task(cleanup.task).permission
    members = {
        "cleanup": cleanup,
        "body_class": body,
        "rights": {"POST": Right(None, permission)},
        "__doc__": f"Starts {cleanup.task}.",
    }
    view: type[View] = type(f"Cleanup{kind.title()}View", (CleanupView,), members)
    described = describe(
        f"Start {cleanup.task}",
        name=f"cleanup_{kind}",
        tag="cleanup",
        request=body,
        answers={202: EnqueuedSerializer},
        description=f"Staff with the permission {permission}." if permission else "Superusers.",
    )
    return extend_schema_view(post=described)(view).as_view()
