"""The jobs pages: live jobs from Redis and finished ones from PostgreSQL in one list, one page per job, and starting a task."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import MethodType
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from tasks_app.admin.exchange import MAX_EXPORT_ROWS, audit_export
from tasks_app.admin.jobs.bulk import bulk_context, list_query, outcome_context, selection_of
from tasks_app.admin.jobs.detail import confirm_context, history_rows, job_context, repeat_context
from tasks_app.admin.jobs.filters import JobFilterForm
from tasks_app.admin.jobs.lists import list_context
from tasks_app.admin.jobs.rows import MEMBERS_SHOWN, job_rows, job_url
from tasks_app.admin.jobs.saved_views import SaveViewForm, valid_query
from tasks_app.admin.jobs.start import StartViews
from tasks_app.admin.jobs.steps import (
    PriorityForm,
    ReasonForm,
    cancel_with_message,
    change_priority_with_message,
    retry_with_message,
    run_now_with_message,
)
from tasks_app.admin.model_admin import ModelAdmin
from tasks_app.admin.resources import JobResource
from tasks_app.admin.table_formats import FORMATS
from tasks_app.engine import (
    FINAL_STATES,
    EngineError,
    JobState,
    QueueUnavailable,
)
from tasks_app.models import BulkAction, Job
from tasks_app.queries.job_completion import complete
from tasks_app.queries.job_rights import may_act_in_bulk
from tasks_app.queries.jobs import (
    InvalidSearch,
    JobFilters,
    JobView,
    ended_rows,
    find_job,
    list_jobs,
)
from tasks_app.services.jobs import remove_job_view, save_job_view

_more_urls: list[URLPattern] = []


def add_pages(urls: list[URLPattern]) -> None:
    """Add pages of another room below those of jobs; call before the addresses are read."""
    _more_urls.extend(urls)


def message_when_unavailable(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorate a view of JobAdmin: where the queue server does not answer, say so (503) instead of failing."""

    @wraps(view)
    def inner(self: JobAdmin, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(self, request, *args, **kwargs)
        except (RedisError, QueueUnavailable) as error:
            context = {"title": _("Jobs"), "unavailable": str(error)}
            return self._page(request, "tasks_app/admin/unavailable.html", context, status=503)

    return inner


@admin.register(Job)
class JobAdmin(StartViews, ModelAdmin):
    """To see needs view_job, to start a task add_job. To cancel, retry and run now have their own permissions
    (`queries.job_rights`), and change_job is for the priority."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("tasks_app.cancel_job"))

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("tasks_app.retry_job"))

    def has_run_now_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("tasks_app.run_job_now"))

    def get_urls(self) -> list[URLPattern]:
        view = self._served
        return [
            path("start/", view(self.tasks_view), name="tasks_app_job_start"),
            path("start/<str:task_name>/", view(self.start_view), name="tasks_app_job_start_task"),
            path("start/<str:task_name>/check/", view(self.check_view), name="tasks_app_job_start_check"),
            path("pick/<str:kind>/", view(self.pick_view), name="tasks_app_job_pick"),
            path("<uuid:job_id>/cancel/", view(self.cancel_view), name="tasks_app_job_cancel"),
            path("export/<str:name>/", view(self.export_view), name="tasks_app_job_export"),
            path("complete/", view(self.complete_view), name="tasks_app_job_complete"),
            path("views/", view(self.save_view), name="tasks_app_job_save_view"),
            path("views/<int:view_id>/remove/", view(self.remove_view), name="tasks_app_job_remove_view"),
            path("bulk/<str:verb>/", view(self.bulk_view), name="tasks_app_job_bulk"),
            *_more_urls,
            path("<uuid:job_id>/run-now/", view(self.run_now_view), name="tasks_app_job_run_now"),
            path("<uuid:job_id>/priority/", view(self.priority_view), name="tasks_app_job_priority"),
            path("<uuid:job_id>/retry/", view(self.retry_view), name="tasks_app_job_retry"),
            *super().get_urls(),
        ]

    def _served(self, method: Any) -> Callable[..., HttpResponse]:
        """Return a method as the view of an address: any of them may ask the queue server."""
        bound = MethodType(message_when_unavailable(method.__func__), self)
        view: Callable[..., HttpResponse] = self.admin_site.admin_view(bound)
        return view

    # --- Seeing ---

    @message_when_unavailable
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self._require(self.has_view_permission(request))
        form = JobFilterForm(request.GET, request.user)
        context = list_context(request, form)
        return self._page(request, "tasks_app/admin/jobs.html", {**context, "title": _("Jobs")})

    def export_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """The newest ended jobs that match the list's filters, as a file; secrets in arguments are redacted in the rows."""
        self._require(self.has_view_permission(request))
        file_format = next((each() for each in FORMATS if each().get_extension() == name), None)
        if file_format is None:
            raise Http404
        form = JobFilterForm(request.GET, request.user)
        if not form.is_valid():
            return redirect(f"{reverse('admin:tasks_app_job_changelist')}?{request.GET.urlencode()}")
        jobs = ended_rows(request.user, form.filters())
        dataset = JobResource(user=request.user).export(jobs[:MAX_EXPORT_ROWS])
        response = HttpResponse(file_format.export_data(dataset), content_type=file_format.get_content_type())
        response["Content-Disposition"] = f'attachment; filename="jobs.{name}"'
        audit_export(self.opts, file_format)
        return response

    def complete_view(self, request: HttpRequest) -> HttpResponse:
        """Values for a term of the search, as JSON."""
        self._require(self.has_view_permission(request))
        name, part = request.GET.get("name", "")[:20], request.GET.get("part", "")[:100].replace("\x00", "")
        return JsonResponse({"values": complete(name, part, request.user)})

    def save_view(self, request: HttpRequest) -> HttpResponse:
        """Keep the filters of the list under a name."""
        self._require(self.has_view_permission(request) and request.method == "POST")
        query = valid_query(request.POST.get("query", ""), request.user)
        form = SaveViewForm(request.POST, user=request.user, query=query)
        if form.is_valid():
            save_job_view(user=request.user, query=query, **form.cleaned_data)
            messages.success(request, _("The view %(name)s was saved.") % {"name": form.cleaned_data["name"]})
        else:
            messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
        return redirect(f"{reverse('admin:tasks_app_job_changelist')}?{query}")

    def remove_view(self, request: HttpRequest, view_id: int) -> HttpResponse:
        """Remove one of the user's own views."""
        self._require(self.has_view_permission(request) and request.method == "POST")
        if not remove_job_view(user=request.user, view_id=view_id):
            raise Http404(_("There is no such view."))
        messages.success(request, _("The view was removed."))
        return redirect("admin:tasks_app_job_changelist")

    @message_when_unavailable
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self._require(self.has_view_permission(request))
        job = self._job(request, object_id)
        is_finished = job.state in FINAL_STATES
        may_act = self.has_retry_permission(request)
        context = {
            **job_context(job),
            "title": job.task,
            "crumbs": [(job.task, job_url(job.id))],
            "may_cancel": self.has_cancel_permission(request) and not is_finished,
            "may_run_now": self.has_run_now_permission(request)
            and job.state in (JobState.SCHEDULED, JobState.RETRYING),
            "may_act": may_act,
            "may_prioritize": self.has_change_permission(request) and job.is_live and job.state is not JobState.RUNNING,
            **self._repeat_context(request, job),
            "history_rows": history_rows(job, request.user),
            **self._parts_context(request, job),
            **outcome_context(job),
        }
        return self._page(request, "tasks_app/admin/job.html", context)

    def _repeat_context(self, request: HttpRequest, job: JobView) -> dict[str, Any]:
        context = repeat_context(job, request.user)
        return {**context, "may_retry": context["may_retry"] and self.has_retry_permission(request)}

    def _parts_context(self, request: HttpRequest, job: JobView) -> dict[str, Any]:
        """The first members of a group or chain, or the callbacks of a job."""
        page = list_jobs(user=request.user, filters=JobFilters(parent_id=job.id), limit=MEMBERS_SHOWN)
        return {"rows": job_rows(page.jobs), "has_more_parts": page.next_cursor is not None}

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return redirect(job_url(object_id))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return redirect("admin:tasks_app_job_start")

    # --- Cancel, retry ---

    def cancel_view(self, request: HttpRequest, job_id: UUID) -> HttpResponse:
        self._require(self.has_cancel_permission(request))
        return self._confirmed(
            request, job_id, cancel_with_message, _("Cancel this job?"), _("Cancel the job"), "danger"
        )

    def retry_view(self, request: HttpRequest, job_id: UUID) -> HttpResponse:
        self._require(self.has_retry_permission(request))
        return self._confirmed(request, job_id, retry_with_message, _("Run this job again?"), _("Retry"), "primary")

    def run_now_view(self, request: HttpRequest, job_id: UUID) -> HttpResponse:
        self._require(self.has_run_now_permission(request))
        return self._confirmed(request, job_id, run_now_with_message, _("Run this job now?"), _("Run now"), "primary")

    def priority_view(self, request: HttpRequest, job_id: UUID) -> HttpResponse:
        """Ask for another priority on GET, change it on POST."""
        self._require(self.has_change_permission(request))
        job = self._job(request, str(job_id))
        form = PriorityForm(request.POST or None, initial={"priority": job.priority})
        if request.method == "POST" and form.is_valid():
            return redirect(change_priority_with_message(request, job, **form.cleaned_data))
        texts = {"title": _("Change the priority of this job?"), "button": _("Change"), "variant": "primary"}
        return self._page(request, "tasks_app/admin/confirm.html", {**confirm_context(job), **texts, "form": form})

    def bulk_view(self, request: HttpRequest, verb: str) -> HttpResponse:
        """Ask on GET with the counts; on POST make a job of it, about the jobs that were counted, and lead to its page."""
        if verb not in (BulkAction.Verb.CANCEL, BulkAction.Verb.RETRY):
            raise Http404
        self._require(may_act_in_bulk(request.user, verb))
        form = ReasonForm(request.POST or None)
        selection = selection_of(request.user, request.GET, request.POST)
        refusal = ""
        if request.method == "POST" and form.is_valid() and not selection.is_empty:
            try:
                job_id = selection.ask(request.user, verb, form.cleaned_data["reason"])
            except QueueUnavailable:
                raise
            except (EngineError, InvalidSearch) as error:
                refusal = str(error)
            else:
                return redirect(job_url(job_id))
        back_url = f"{reverse('admin:tasks_app_job_changelist')}?{list_query(request.GET, request.user)}"
        context = {**bulk_context(selection, request.user, verb), "form": form, "back_url": back_url}
        return self._page(request, "tasks_app/admin/job_bulk.html", {**context, "refusal": refusal})

    def _confirmed(
        self, request: HttpRequest, job_id: UUID, act: Any, question: str, button: str, variant: str
    ) -> HttpResponse:
        """Ask on GET, act on POST."""
        job = self._job(request, str(job_id))
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            return redirect(act(request, job, form.cleaned_data["reason"]))
        context = {**confirm_context(job), "title": question, "form": form, "button": button, "variant": variant}
        return self._page(request, "tasks_app/admin/confirm.html", context)

    # --- Helpers ---

    def _require(self, is_allowed: bool) -> None:
        if not is_allowed:
            raise PermissionDenied

    def _job(self, request: HttpRequest, job_id: str) -> JobView:
        """The job as this user may see it. Raises Http404 for no job, no id, and someone else's."""
        try:
            job = find_job(UUID(job_id), user=request.user)
        except ValueError:
            job = None
        if job is None:
            raise Http404(_("There is no such job."))
        return job

    def _page(
        self, request: HttpRequest, template: str, context: dict[str, Any], status: int = 200
    ) -> TemplateResponse:
        request.current_app = self.admin_site.name
        # For the header, which the theme renders with the request alone.
        request.crumbs = context.get("crumbs", ())  # type: ignore[attr-defined]
        rights = {
            "may_start": self.has_add_permission(request),
            "opts": self.opts,
            "jobs_url": reverse("admin:tasks_app_job_changelist"),
        }
        whole = {**self.admin_site.each_context(request), **rights, **context}
        return TemplateResponse(request, template, whole, status=status)
