"""Cancelling and retrying many jobs in one request. Staff with the permission to change jobs."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import IdField, ReasonBody, StateField, StrictCharField, StrictSerializer, TimestampField
from tasks_app.api.jobs.views import CHANGE_JOBS, SEARCH_HELP
from tasks_app.api.schema import describe
from tasks_app.queries.jobs import InvalidSearch, JobFilters
from tasks_app.services.jobs import MAX_JOBS, BulkResult, cancel_jobs, matching_jobs, retry_jobs
from tasks_app.utils.search_language import MAX_LENGTH


class JobFilterBody(StrictSerializer):
    """Which jobs; at least one of these."""

    state = StateField(required=False)
    queue = StrictCharField(max_length=32, required=False)
    task = StrictCharField(max_length=100, required=False)
    worker = StrictCharField(max_length=255, required=False)
    requested_by = IdField(required=False)
    created_after = TimestampField(required=False)
    search = StrictCharField(max_length=MAX_LENGTH, required=False, help_text=SEARCH_HELP)
    parent_id = serializers.UUIDField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError(_("Give at least one field to filter by."))
        return attrs


class BulkBody(ReasonBody):
    """The jobs, by id or by filter, and why."""

    ids = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=MAX_JOBS, required=False)
    filter = JobFilterBody(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError(_("Give ids or filter, one of them."))
        return attrs


class SkippedSerializer(serializers.Serializer[Any]):
    """A job that was left as it is."""

    id = serializers.UUIDField()
    code = serializers.CharField(help_text="For machines.")
    reason = serializers.CharField(help_text="A sentence for people.")


class BulkSerializer(serializers.Serializer[Any]):
    """Number of changed jobs, and the skipped ones with their reasons."""

    changed = serializers.IntegerField()
    skipped = SkippedSerializer(many=True)
    more = serializers.BooleanField(help_text=f"More than {MAX_JOBS} jobs match the filter: send it again.")


class BulkView(ApiView):
    """Base of the bulk endpoints."""

    rights = {"POST": CHANGE_JOBS}
    is_cancel: ClassVar[bool]

    def change(self, request: Request) -> Response:
        """Cancel or retry the selected jobs, at most MAX_JOBS of them."""
        body = self.body(BulkBody)
        ids, more = self._selected(body)
        act = cancel_jobs if self.is_cancel else retry_jobs
        result: BulkResult = act(job_ids=ids, user=request.user, reason=body["reason"])
        return Response(BulkSerializer({"changed": result.changed, "skipped": result.skipped, "more": more}).data)

    def _selected(self, body: dict[str, Any]) -> tuple[list[UUID], bool]:
        """The ids of the selected jobs, and whether more jobs match than are changed at once."""
        if "ids" in body:
            return body["ids"], False
        wanted = dict(body["filter"])
        if "requested_by" in wanted:
            wanted["requested_by_id"] = wanted.pop("requested_by")
        filters, limit = JobFilters(**wanted), MAX_JOBS + 1
        try:
            found = matching_jobs(user=self.request.user, filters=filters, for_cancel=self.is_cancel, limit=limit)
        except InvalidSearch as error:
            raise serializers.ValidationError({"filter": {"search": [str(error)]}}) from error
        return found[:MAX_JOBS], len(found) > MAX_JOBS


class BulkCancelView(BulkView):
    """Cancel many jobs."""

    is_cancel = True

    @describe(
        "Cancel many jobs (staff)",
        name="tasks_cancel",
        tag="jobs",
        request=BulkBody,
        answers={200: BulkSerializer},
        description=f"At most {MAX_JOBS} at once. A filter without a state means the jobs that have not ended.",
    )
    def post(self, request: Request) -> Response:
        return self.change(request)


class BulkRetryView(BulkView):
    """Retry many jobs: each becomes a new job."""

    is_cancel = False

    @describe(
        "Retry many jobs (staff)",
        name="tasks_retry",
        tag="jobs",
        request=BulkBody,
        answers={200: BulkSerializer},
        description=f"At most {MAX_JOBS} at once. A filter without a state means failed jobs.",
    )
    def post(self, request: Request) -> Response:
        return self.change(request)
