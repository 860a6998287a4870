"""Cancelling and retrying many jobs as one job. Staff with the permission of the verb."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.enqueueing import EnqueuedSerializer, accepted
from tasks_app.api.fields import (
    IdField,
    ReasonBody,
    StateField,
    StrictBooleanField,
    StrictCharField,
    StrictSerializer,
    StrictUUIDField,
    TimestampField,
)
from tasks_app.api.jobs.views import SEARCH_HELP
from tasks_app.api.schema import describe
from tasks_app.models import BulkAction, Scope
from tasks_app.queries.bulk_counts import StateCount, count_chosen, count_matching
from tasks_app.queries.job_rights import CANCEL_JOBS, RETRY_JOBS, RUN_JOBS_NOW
from tasks_app.queries.jobs import InvalidSearch, JobFilters
from tasks_app.services.jobs import CHANGE_TASK, MAX_CHOSEN, ask_for_bulk_action, reason_text
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
    parent_id = StrictUUIDField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError(_("Give at least one field to filter by."))
        return attrs


class BulkBody(ReasonBody):
    """The jobs, by id or by filter, and why. With `dry_run` they are counted only."""

    ids = serializers.ListField(child=StrictUUIDField(), min_length=1, max_length=MAX_CHOSEN, required=False)
    filter = JobFilterBody(required=False)
    dry_run = StrictBooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError(_("Give ids or filter, one of them."))
        return attrs


class StateCountSerializer(serializers.Serializer[Any]):
    """A number of jobs of one state."""

    state = serializers.CharField(allow_null=True, help_text="Null for ids of no job.")
    count = serializers.IntegerField()
    more = serializers.BooleanField(help_text="At least so many: not all jobs were looked at.")


class LeftCountSerializer(StateCountSerializer):
    """A number of jobs that would be left as they are, and why."""

    code = serializers.CharField(help_text="For machines.")
    reason = serializers.CharField(help_text="A sentence for people.")


class BulkCountsSerializer(serializers.Serializer[Any]):
    """Effect that the action would have."""

    changed = StateCountSerializer(many=True)
    skipped = LeftCountSerializer(many=True)


class BulkView(ApiView):
    """Base of the bulk endpoints."""

    scopes_to_change = (Scope.OPERATE,)

    verb: ClassVar[BulkAction.Verb]

    def change(self, request: Request) -> Response:
        """Count the selected jobs, or make the job that cancels or retries them."""
        body = self.body(BulkBody)
        filters = _filters(body["filter"]) if "filter" in body else None
        try:
            if body["dry_run"]:
                return Response(BulkCountsSerializer(self._counts(request.user, body.get("ids"), filters)).data)
            job = ask_for_bulk_action(
                verb=self.verb, user=request.user, job_ids=body.get("ids"), filters=filters, reason=body["reason"]
            )
        except InvalidSearch as error:
            raise serializers.ValidationError({"filter": {"search": [str(error)]}}) from error
        return accepted(request, job, CHANGE_TASK, queue=job.queue)

    def _counts(self, user: Any, ids: Any, filters: JobFilters | None) -> dict[str, Any]:
        if filters is None:
            counts = count_chosen(user=user, job_ids=ids, verb=self.verb)
        else:
            counts = count_matching(user=user, filters=filters, verb=self.verb)
        return {
            "changed": [_count(each) for each in counts if not each.code],
            "skipped": [_count(each) for each in counts if each.code],
        }


def _filters(wanted: dict[str, Any]) -> JobFilters:
    values = dict(wanted)
    if "requested_by" in values:
        values["requested_by_id"] = values.pop("requested_by")
    return JobFilters(**values)


def _count(each: StateCount) -> dict[str, Any]:
    reason = reason_text(each.code) if each.code else ""
    return {**asdict(each), "count": each.count.number, "more": each.count.is_more, "reason": reason}


RESULT_HELP = (
    "One job does it, which can be cancelled half way: its `progress` says how far it is, its `result` how many jobs were "
    "`changed`, how many were `skipped` for which reason, and, in `skipped_ids`, the first of those. It acts as the user of "
    "the request, on jobs that match when it is asked. `dry_run` answers 200 with the numbers, and changes nothing."
)


def bulk(summary: str, name: str, *, without_state: str) -> Callable[[Any], Any]:
    """Describe a bulk endpoint; `without_state` are the jobs that a filter without a state means."""
    return describe(
        f"{summary} (staff)",
        name=name,
        tag="jobs",
        request=BulkBody,
        answers={200: BulkCountsSerializer, 202: EnqueuedSerializer},
        description=f"{RESULT_HELP} A filter without a state means {without_state}.",
    )


class BulkCancelView(BulkView):
    """Cancel many jobs."""

    verb = BulkAction.Verb.CANCEL
    rights = {"POST": CANCEL_JOBS}

    @bulk("Cancel many jobs", "tasks_cancel", without_state="the jobs that have not ended")
    def post(self, request: Request) -> Response:
        return self.change(request)


class BulkRetryView(BulkView):
    """Retry many jobs: each becomes a new job."""

    verb = BulkAction.Verb.RETRY
    rights = {"POST": RETRY_JOBS}

    @bulk("Retry many jobs", "tasks_retry", without_state="failed jobs")
    def post(self, request: Request) -> Response:
        return self.change(request)


class BulkRunNowView(BulkView):
    """Run many waiting jobs now."""

    verb = BulkAction.Verb.RUN_NOW
    rights = {"POST": RUN_JOBS_NOW}

    @bulk(
        "Run many scheduled or retrying jobs now", "tasks_run_now", without_state="the jobs that wait for a later time"
    )
    def post(self, request: Request) -> Response:
        return self.change(request)
