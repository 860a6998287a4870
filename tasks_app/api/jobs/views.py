"""Jobs: the list, one job, and its actions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.enqueueing import EnqueuedSerializer, accepted
from tasks_app.api.errors import Conflict
from tasks_app.api.fields import ReasonBody, StateField, TimestampField
from tasks_app.api.pagination import PageQuery, page_body
from tasks_app.api.permissions import RowDecides
from tasks_app.api.schema import describe, page_of
from tasks_app.api.sparse import FieldsField, fields_query, pruned
from tasks_app.engine.states import LIVE_STATES
from tasks_app.exceptions import JobNotRepeatable
from tasks_app.models import Scope
from tasks_app.queries.access import has_everywhere, owned
from tasks_app.queries.ended_jobs import BY_END, JOB_ORDERS
from tasks_app.queries.job_rights import CANCEL_JOBS, RETRY_JOBS
from tasks_app.queries.jobs import (
    VIEW_JOBS,
    InvalidCursor,
    InvalidSearch,
    JobFilters,
    JobView,
    find_job,
    list_jobs,
    repeats_of,
)
from tasks_app.services.jobs import cancel_job, retry_job
from tasks_app.utils.search_language import MAX_LENGTH

ORDERING_HELP = (
    "How ended jobs are sorted, -finished_at unless said. Live ones come before them, in an ascending order after them."
)
SEARCH_HELP = (
    'Words and "phrases" look into the task, the arguments, the error and the id; all must be found. Also '
    'task: queue: state: error: args.device_id: device:"Van 03" by: worker: after: before: longer: request: as in '
    "`state:failed error:timeout after:yesterday longer:30s`; a minus before a term excludes."
)


class JobSerializer(serializers.Serializer[Any]):
    """One job, live or finished."""

    task_id = serializers.UUIDField(source="id")
    task = serializers.CharField()
    queue = serializers.CharField()
    state = serializers.CharField()
    args = serializers.ListField(child=serializers.JSONField())
    kwargs = serializers.DictField(child=serializers.JSONField())
    requested_by = serializers.IntegerField(source="requested_by_id", allow_null=True)
    schedule_id = serializers.IntegerField(allow_null=True)
    retry_of = serializers.UUIDField(allow_null=True, help_text="The job that it repeats.")
    request_id = serializers.CharField(
        help_text="X-Request-ID of the request that made it, directly or through other jobs; empty for none."
    )
    kind = serializers.CharField(help_text="task, group or chain.")
    parent_id = serializers.UUIDField(
        allow_null=True, help_text="The group or chain it is a member of, or the job whose callback it is."
    )
    member_index = serializers.IntegerField(allow_null=True, help_text="Which member of its group it is, from 0.")
    created_at = TimestampField()
    due_at = TimestampField(allow_null=True)
    started_at = TimestampField(allow_null=True)
    finished_at = TimestampField(allow_null=True)
    wait_seconds = serializers.FloatField(allow_null=True)
    run_seconds = serializers.FloatField(allow_null=True)
    worker_host = serializers.CharField()
    worker_pid = serializers.IntegerField(allow_null=True)
    attempt_count = serializers.IntegerField()
    progress = serializers.JSONField(allow_null=True)
    error_class = serializers.CharField()
    error_message = serializers.CharField()
    cancel_requested = serializers.BooleanField()
    priority = serializers.CharField(help_text="high, normal or low.")


class JobDetailSerializer(JobSerializer):
    """One job with its result, its attempts and its traceback."""

    result = serializers.JSONField(allow_null=True)
    attempts = serializers.ListField(child=serializers.JSONField())
    traceback = serializers.CharField()
    retried_as = serializers.SerializerMethodField(help_text="Jobs that people made of it, the first one first.")
    logs = serializers.ListField(child=serializers.CharField(), help_text="The last lines of its log.")

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField()))
    def get_retried_as(self, job: JobView) -> list[str]:
        """The ids, from the audit."""
        return [str(job_id) for job_id in repeats_of(job.id)]


class RetriedSerializer(EnqueuedSerializer):
    """The new job, and the one that it repeats."""

    retry_of = serializers.UUIDField()


class JobListQuery(PageQuery):
    """Filters of the job list."""

    state = StateField(required=False)
    queue = serializers.CharField(max_length=32, required=False)
    task = serializers.CharField(max_length=100, required=False)
    worker = serializers.CharField(max_length=255, required=False)
    requested_by = serializers.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    created_after = TimestampField(required=False)
    search = serializers.CharField(max_length=MAX_LENGTH, required=False, help_text=SEARCH_HELP)
    parent_id = serializers.UUIDField(required=False, help_text="Members of this group or chain, then its callbacks.")
    ordering = serializers.ChoiceField(choices=list(JOB_ORDERS), required=False, help_text=ORDERING_HELP)

    def get_fields(self) -> dict[str, Any]:
        # `fields` cannot be an attribute of a serializer.
        return {**super().get_fields(), "fields": FieldsField(JobSerializer)}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "ordering" in attrs and ("parent_id" in attrs or attrs.get("state") in LIVE_STATES):
            problem = _("Jobs of a group, and those of a state that has not ended, come in their own order.")
            raise serializers.ValidationError({"ordering": [problem]})
        return attrs


class CancelledSerializer(serializers.Serializer[Any]):
    """The state after a cancellation: `cancelled`, or `running` while the job is being stopped."""

    task_id = serializers.UUIDField()
    state = serializers.CharField()
    cancel_requested = serializers.BooleanField()


class JobListView(ApiView):
    """Jobs, live and finished, newest first."""

    rights = {"GET": VIEW_JOBS}

    @describe(
        "List jobs",
        name="tasks_list",
        tag="jobs",
        parameters=[JobListQuery],
        answers={200: page_of(JobSerializer, "JobPage")},
        description="Staff with the permission see every job, others the jobs they requested. Celery's state names are "
        "understood as `state`. Without one the first page begins with the newest live jobs; of a live state all are listed.",
    )
    def get(self, request: Request) -> Response:
        query = self.parameters(JobListQuery)
        limit, cursor = query.pop("limit"), query.pop("cursor", None)
        order, fields = JOB_ORDERS[query.pop("ordering", BY_END.name)], query.pop("fields", None)
        if "requested_by" in query:
            query["requested_by_id"] = query.pop("requested_by")
        try:
            page = list_jobs(user=request.user, filters=JobFilters(**query), limit=limit, cursor=cursor, order=order)
        except InvalidCursor as error:
            raise serializers.ValidationError({"cursor": [_("This is not a cursor of this list.")]}) from error
        except InvalidSearch as error:
            raise serializers.ValidationError({"search": [str(error)]}) from error
        shown = pruned(JobSerializer(page.jobs, many=True), fields)
        return Response(page_body(request, page.next_cursor, shown.data))


class JobDetailView(ApiView):
    """One job."""

    rights = {"GET": VIEW_JOBS}

    @describe(
        "One job, with attempts and progress",
        name="task_read",
        tag="jobs",
        parameters=[fields_query(JobDetailSerializer)],
        answers={200: JobDetailSerializer},
        errors=(404,),
    )
    def get(self, request: Request, task_id: UUID) -> Response:
        return Response(self.shown(JobDetailSerializer, _job_for(request.user, task_id)))


class JobCancelView(ApiView):
    """Stop one job."""

    scopes_to_change = (Scope.OPERATE,)

    rights = {"POST": owned(CANCEL_JOBS)}

    @describe(
        "Cancel a job",
        name="task_cancel",
        tag="jobs",
        request=ReasonBody,
        answers={200: CancelledSerializer},
        errors=(404, 409),
        description="At once while the job waits; a running job is asked to stop. Again is a 200; a finished job is a 409.",
    )
    def post(self, request: Request, task_id: UUID) -> Response:
        reason = self.body(ReasonBody)["reason"]
        _check_may_cancel(request.user, _job_for(request.user, task_id))
        state = cancel_job(job_id=task_id, user=request.user, reason=reason)
        return Response({"task_id": str(task_id), "state": str(state), "cancel_requested": True})


class JobRetryView(ApiView):
    """Run a finished job again."""

    scopes_to_change = (Scope.OPERATE,)

    permission_classes = [RowDecides]
    rights = {"POST": RETRY_JOBS}

    @describe(
        "Retry a job",
        name="task_retry",
        tag="jobs",
        request=ReasonBody,
        answers={202: RetriedSerializer},
        errors=(404, 409),
        description="Makes a new job of a finished one, with the same arguments. Staff only: the access of the user who "
        "asked first may have changed since.",
    )
    def post(self, request: Request, task_id: UUID) -> Response:
        reason = self.body(ReasonBody)["reason"]
        job = _job_for(request.user, task_id)
        if not has_everywhere(request.user, self.asked):
            raise PermissionDenied
        try:
            new_id = retry_job(job_id=task_id, user=request.user, reason=reason)
        except JobNotRepeatable as error:
            raise Conflict(error.code, str(error), state=str(job.state)) from error
        return accepted(request, new_id, job.task, retry_of=str(task_id))


def _job_for(user: Any, task_id: UUID) -> JobView:
    job = find_job(task_id, user=user)
    if job is None:
        raise Http404
    return job


def _check_may_cancel(user: Any, job: JobView) -> None:
    if job.requested_by_id != user.pk and not has_everywhere(user, CANCEL_JOBS):
        raise PermissionDenied
