"""The admin of schedules: a list with results, a page with the typed form of the task, and steps."""

from __future__ import annotations

from typing import Any

import django_q.admin  # noqa: F401  (registers its pages now, so that they can be taken off again below)
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST
from django_q.models import Failure, OrmQ, Schedule, Success
from redis.exceptions import RedisError
from unfold.decorators import action, display

from tasks_app.admin.calls import form_errors, preview_of, schedule_note, task_facts
from tasks_app.admin.common import MISSING, format_time
from tasks_app.admin.jobs import job_url
from tasks_app.admin.model_admin import ModelAdmin
from tasks_app.admin.schedules.forms import SchedulePage
from tasks_app.admin.schedules.rows import (
    enabled_badge,
    next_runs,
    registered_name,
    schedule_name,
    state_of,
    strip,
    when_words,
)
from tasks_app.engine import EngineError, Task, UnknownTask, get_task
from tasks_app.queries.schedule_runs import latest_runs
from tasks_app.queries.task_rights import may_start
from tasks_app.services.schedules import InvalidSchedule, disable, duplicate, enable, run_now

REFUSALS = (EngineError, InvalidSchedule, ValidationError, RedisError)

for replaced in (Schedule, Success, Failure, OrmQ):
    if admin.site.is_registered(replaced):
        admin.site.unregister(replaced)

# Breadcrumbs, confirmations and the history call a row by this; django-q2 says its function.
Schedule.__str__ = schedule_name


@admin.register(Schedule)
class ScheduleAdmin(ModelAdmin):
    list_display = ("heading", "when", "next_run_at", "results", "enabled_state", "last_error")
    list_display_links = ("heading",)
    list_filter = ("schedule_type", "state__is_enabled")
    list_filter_sheet = False
    list_select_related = ("state",)
    search_fields = ("name", "func", "kwargs")
    ordering = ("next_run", "pk")
    actions = ("run_selected_now", "enable_selected", "disable_selected")

    class Media:
        css = {"all": ("tasks_app/call_form.css",)}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:schedule_id>/check/", view(require_POST(self.check_view)), name="django_q_schedule_check"),
            path(
                "<int:schedule_id>/step/<slug:verb>/", view(require_POST(self.step_view)), name="django_q_schedule_step"
            ),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return redirect(f"{reverse('admin:tasks_app_job_start')}?start=repeat")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        runs = latest_runs([schedule.pk for schedule in changelist.result_list])
        may_open = request.user.has_perm("tasks_app.view_job")
        for schedule in changelist.result_list:
            schedule.strip = strip(runs[schedule.pk], may_open=may_open)
        return changelist

    # --- One schedule ---

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        schedule = self.get_object(request, object_id)
        if schedule is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_view_or_change_permission(request, schedule):
            raise PermissionDenied
        task = _task_of(schedule)
        may_edit = self._may_edit(request, task)
        page = SchedulePage(request, task, schedule) if task and may_edit else None
        if request.method == "POST":
            if page is None:
                raise PermissionDenied
            if page.save():
                messages.success(request, _("The schedule “%s” was saved.") % schedule_name(schedule))
                return redirect("admin:django_q_schedule_change", schedule.pk)
            schedule.refresh_from_db()
        return self._page(request, schedule, task, page)

    def _may_edit(self, request: HttpRequest, task: Task[Any, Any] | None) -> bool:
        return bool(task and task.schedulable and self.has_change_permission(request) and may_start(request.user, task))

    def _page(
        self, request: HttpRequest, schedule: Schedule, task: Task[Any, Any] | None, page: SchedulePage | None
    ) -> HttpResponse:
        state = state_of(schedule)
        may_open = request.user.has_perm("tasks_app.view_job")
        context = {
            **self.admin_site.each_context(request),
            "title": schedule_name(schedule),
            "opts": self.opts,
            "original": schedule,
            "schedule": schedule,
            "task": task_facts(task) if task else None,
            "page": page,
            "note": schedule_note(task.name, request.user) if task else None,
            "when": when_words(schedule),
            "next_runs": next_runs(schedule),
            "strip": strip(latest_runs([schedule.pk])[schedule.pk], may_open=may_open),
            "badge": enabled_badge(schedule),
            "state": state,
            "is_enabled": state is None or state.is_enabled,
            "last_run": format_time(state.last_run_at) if state else MISSING,
            "last_job_url": job_url(state.last_job_id) if state and state.last_job_id and may_open else "",
            "may_step": self.has_change_permission(request),
            "may_add": self.has_add_permission(request),
            "may_delete": self.has_delete_permission(request, schedule),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "tasks_app/admin/schedule.html", context)

    def check_view(self, request: HttpRequest, schedule_id: int) -> HttpResponse:
        """Return what is wrong with the input of the form so far, and the runs it would give."""
        schedule = self._schedule(request, schedule_id)
        task = _task_of(schedule)
        if task is None or not self._may_edit(request, task):
            raise PermissionDenied
        page = SchedulePage(request, task, schedule)
        return JsonResponse({"errors": form_errors(*page.bound), "preview": preview_of(page.recurrence)})

    def step_view(self, request: HttpRequest, schedule_id: int, verb: str) -> HttpResponse:
        """Run now, enable, disable or duplicate."""
        schedule = self._schedule(request, schedule_id)
        if not (self.has_add_permission(request) if verb == "duplicate" else self.has_change_permission(request)):
            raise PermissionDenied
        target = reverse("admin:django_q_schedule_change", args=[schedule.pk])
        try:
            target = self._step(request, schedule, verb) or target
        except REFUSALS as error:
            messages.error(request, _reason(error))
        return redirect(target)

    def _step(self, request: HttpRequest, schedule: Schedule, verb: str) -> str:
        if verb == "run-now":
            job_id = run_now(schedule, request.user)
            messages.success(request, ngettext("%d job was started.", "%d jobs were started.", 1) % 1)
            return job_url(job_id) if request.user.has_perm("tasks_app.view_job") else ""
        if verb == "duplicate":
            copy = duplicate(schedule, request.user)
            messages.success(request, _("This is a copy, which is switched off. Change it, then enable it."))
            return reverse("admin:django_q_schedule_change", args=[copy.pk])
        if verb not in ("enable", "disable"):
            raise Http404
        (enable if verb == "enable" else disable)(schedule, request.user)
        done = _("The schedule is enabled.") if verb == "enable" else _("The schedule is disabled.")
        messages.success(request, done)
        return ""

    def _schedule(self, request: HttpRequest, schedule_id: int) -> Schedule:
        schedule = self.get_object(request, str(schedule_id))
        if schedule is None:
            raise Http404
        return schedule

    # --- Columns ---

    @display(description=gettext_lazy("schedule"), ordering="name")
    def heading(self, schedule: Schedule) -> SafeString:
        call = ", ".join(text for text in (schedule.args, schedule.kwargs) if text)
        return format_html(
            '<span class="tk-strong">{}</span><span class="tk-why tk-subtle" title="{}">{}</span>',
            schedule_name(schedule),
            call,
            f"{registered_name(schedule.func)}({'…' if call else ''})",
        )

    @display(description=gettext_lazy("when"), ordering="schedule_type")
    def when(self, schedule: Schedule) -> str:
        return when_words(schedule)

    @display(description=gettext_lazy("next run"), ordering="next_run")
    def next_run_at(self, schedule: Schedule) -> SafeString | str:
        state = state_of(schedule)
        if schedule.next_run is None or schedule.repeats == 0 or (state and not state.is_enabled):
            return MISSING
        text = format_time(schedule.next_run)
        return format_html("{} {}", _("due"), text) if schedule.next_run < timezone.now() else text

    @display(description=gettext_lazy("last results"), ordering="state__last_run_at")
    def results(self, schedule: Schedule) -> SafeString:
        state = state_of(schedule)
        if state is None or state.last_job_id is None:
            return schedule.strip
        url = job_url(state.last_job_id)
        return format_html('{}<a class="tk-link" href="{}">{}</a>', schedule.strip, url, format_time(state.last_run_at))

    @display(description=gettext_lazy("state"), ordering="state__is_enabled")
    def enabled_state(self, schedule: Schedule) -> SafeString:
        return enabled_badge(schedule)

    @display(description=gettext_lazy("last error"))
    def last_error(self, schedule: Schedule) -> str:
        state = state_of(schedule)
        return (state.last_error if state else "")[:200] or MISSING

    # --- Actions ---

    @action(description=gettext_lazy("Run the selected schedules now"), permissions=["change"])
    def run_selected_now(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        self._each(request, queryset, run_now, lambda n: ngettext("%d job was started.", "%d jobs were started.", n))

    @action(description=gettext_lazy("Enable the selected schedules"), permissions=["change"])
    def enable_selected(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        self._each(
            request, queryset, enable, lambda n: ngettext("%d schedule is enabled.", "%d schedules are enabled.", n)
        )

    @action(description=gettext_lazy("Disable the selected schedules"), permissions=["change"])
    def disable_selected(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        self._each(
            request, queryset, disable, lambda n: ngettext("%d schedule is disabled.", "%d schedules are disabled.", n)
        )

    def _each(self, request: HttpRequest, queryset: QuerySet[Schedule], act: Any, message: Any) -> None:
        """Act on each row; show the number of changed rows, and the reason of each refusal."""
        count = 0
        for schedule in queryset:
            try:
                act(schedule, request.user)
                count += 1
            except REFUSALS as error:
                self.message_user(request, f"{schedule_name(schedule)}: {_reason(error)}", messages.ERROR)
        if count:
            self.message_user(request, message(count) % count, messages.SUCCESS)


def _task_of(schedule: Schedule) -> Task[Any, Any] | None:
    try:
        return get_task(schedule.func or "")
    except UnknownTask:
        return None


def _reason(error: Exception) -> str:
    return "; ".join(error.messages) if isinstance(error, ValidationError) else str(error)
