"""Starting a task: the list to choose from, and one form that runs it now, at a time, or on a schedule."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_q.models import Schedule
from unfold.widgets import UnfoldAdminTextInputWidget

from tasks_app.admin.calls import (
    CallForm,
    RecurrenceForm,
    form_errors,
    pick_reply,
    preview_of,
    schedule_note,
    store_from_forms,
    task_facts,
    task_groups,
)
from tasks_app.admin.jobs.again import arguments_from, arguments_like, schedule_like
from tasks_app.admin.jobs.rows import job_url
from tasks_app.engine import EngineError, Task, UnknownTask, get_task, registered_tasks
from tasks_app.queries.task_rights import may_start
from tasks_app.services.arguments import resolve_times
from tasks_app.services.jobs import start_task
from tasks_app.utils.clock import zone_offset

NOW, AT, REPEAT = "now", "at", "repeat"
STARTS = {
    NOW: gettext_lazy("Now"),
    AT: gettext_lazy("At a time"),
    REPEAT: gettext_lazy("On a schedule"),
}
# Any of these is enough to see suggestions.
PICKING = ("tasks_app.add_job", "django_q.add_schedule", "django_q.change_schedule")
MAX_DELAY = timedelta(days=366)


class StartForm(forms.Form):
    """Choice of now, a time, or a schedule."""

    start = forms.ChoiceField(
        label=gettext_lazy("When"),
        required=False,
        widget=forms.RadioSelect,
    )
    at = forms.DateTimeField(
        label=gettext_lazy("Start at"),
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        widget=UnfoldAdminTextInputWidget({"type": "datetime-local", "data-only-for": "start=at"}),
    )

    def __init__(self, data: Any = None, *, offered: list[str], start: str = "") -> None:
        super().__init__(data, prefix="option")
        self.label_suffix = ""
        self.offered = offered
        self.fields["start"].choices = [(name, STARTS[name]) for name in offered]  # type: ignore[attr-defined]
        self.initial = {"start": start if start in offered else offered[0]}
        self.fields["at"].help_text = _("Your time zone, %(zone)s.") % {"zone": zone_offset()}

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        data["start"] = data.get("start") or self.offered[0]
        if data["start"] == AT and "at" not in self.errors:
            self._check_time(data.get("at"))
        return data

    def _check_time(self, at: datetime | None) -> None:
        now = timezone.now()
        if at is None:
            self.add_error("at", _("Choose a time."))
        elif at <= now:
            self.add_error("at", _("This time has passed."))
        elif at > now + MAX_DELAY:
            self.add_error("at", _("This is more than a year ahead."))

    @property
    def is_schedule(self) -> bool:
        """Return whether valid input asks for a schedule."""
        return bool(self.is_valid() and self.cleaned_data["start"] == REPEAT)

    @property
    def due(self) -> datetime | None:
        """Return when the job starts, None for at once."""
        return self.cleaned_data["at"] if self.cleaned_data["start"] == AT else None


def offered_starts(user: Any, task: Task[Any, Any]) -> list[str]:
    """Return the ways to start the task that are open to the user. Raises PermissionDenied where there is none."""
    offered = [NOW, AT] if user.has_perm("tasks_app.add_job") else []
    if task.schedulable and user.has_perm("django_q.add_schedule"):
        offered.append(REPEAT)
    if not (offered and task.is_startable and may_start(user, task)):
        raise PermissionDenied
    return offered


class CallPage:
    """The bound or unbound forms of one page about a task."""

    def __init__(self, request: HttpRequest, task: Task[Any, Any], data: Any = None) -> None:
        self.user, self.task = request.user, task
        offered = offered_starts(self.user, task)
        like = schedule_like(request.GET.get("like", ""), self.user)
        self.options = StartForm(data, offered=offered, start=request.GET.get("start", ""))
        zone_name = like.state.time_zone if like and hasattr(like, "state") else ""
        self.recurrence = RecurrenceForm(data, schedule=like, time_zone=zone_name) if REPEAT in offered else None
        is_schedule = self.options.is_bound and self.options.is_schedule
        self.bound: list[forms.Form] = [self.options]
        at, zone = None, None
        if is_schedule and self.recurrence is not None:
            self.bound.append(self.recurrence)
            zone = self.recurrence.zone if self.recurrence.is_valid() else None
        elif self.options.is_bound and self.options.is_valid():
            at = self.options.due
        self.instead_of, stored = arguments_from(request.GET.get("from", ""), task, self.user)
        if like and stored is None:
            stored = arguments_like(like, task)
        self.call = CallForm(task, data, user=self.user, stored=stored, at=at, zone=zone)
        self.bound.append(self.call)

    @property
    def is_valid(self) -> bool:
        # Each of them, so that all sentences are shown at once.
        return sum(form.is_valid() for form in self.bound) == len(self.bound)

    def context(self) -> dict[str, Any]:
        return {
            "task": task_facts(self.task),
            "form": self.call,
            "options": self.options,
            "recurrence": self.recurrence,
            "note": schedule_note(self.task.name, self.user),
            "check_url": reverse("admin:tasks_app_job_start_check", args=[self.task.name]),
        }


class StartViews:
    """The views of JobAdmin that start tasks."""

    def tasks_view(self: Any, request: HttpRequest) -> HttpResponse:
        """List the tasks this user may start, found by the words of `q`."""
        may_schedule = request.user.has_perm("django_q.add_schedule")
        self._require(self.has_add_permission(request) or may_schedule)
        startable = [task for task in registered_tasks() if task.is_startable and may_start(request.user, task)]
        for_schedule = may_schedule and (request.GET.get("start") == REPEAT or not self.has_add_permission(request))
        if for_schedule:
            startable = [task for task in startable if task.schedulable]
        text = request.GET.get("q", "")[:200]
        like = schedule_like(request.GET.get("like", ""), request.user)
        title = _("Add a schedule: choose a task") if for_schedule else _("Start a task")
        context = {
            "title": title,
            "crumbs": [(title, request.get_full_path())],
            "like": like,
            "groups": task_groups(startable, text),
            "search_text": text,
            "for_schedule": for_schedule,
            # The page belongs to schedules where one is to be made.
            "opts": Schedule._meta if for_schedule else self.opts,
        }
        return self._page(request, "tasks_app/admin/start.html", context)

    def start_view(self: Any, request: HttpRequest, task_name: str) -> HttpResponse:
        """Show the form of a task; on POST start it, or make a schedule of it."""
        task = _task_called(task_name)
        page = CallPage(request, task, request.POST if request.method == "POST" else None)
        if request.method == "POST" and page.is_valid:
            target = self._schedule(request, page) if page.options.is_schedule else self._start(request, page)
            if target:
                return redirect(target)
        crumbs = [(_("Start a task"), reverse("admin:tasks_app_job_start")), (task.name, request.get_full_path())]
        context = {"title": task.name, "crumbs": crumbs, **page.context()}
        return self._page(request, "tasks_app/admin/start_task.html", context)

    def check_view(self: Any, request: HttpRequest, task_name: str) -> HttpResponse:
        """Return what is wrong with the input of the form so far."""
        page = CallPage(request, _task_called(task_name), request.POST)
        preview = preview_of(page.recurrence) if page.recurrence in page.bound else ""
        return JsonResponse({"errors": form_errors(*page.bound), "preview": preview})

    def pick_view(self: Any, request: HttpRequest, kind: str) -> HttpResponse:
        """Return suggestions for a picker: rows that this user may see."""
        self._require(any(map(request.user.has_perm, PICKING)))
        return pick_reply(request, kind)

    def _start(self: Any, request: HttpRequest, page: CallPage) -> str | None:
        due = page.options.due
        args, kwargs = page.call.arguments()
        args, kwargs = resolve_times(page.task, args, kwargs, at=page.call.at, zone=page.call.zone)
        try:
            job_id: UUID = start_task(
                task_name=page.task.name,
                args=args,
                kwargs=kwargs,
                user=request.user,
                eta=due,
                instead_of=page.instead_of,
            )
        except EngineError as error:
            page.call.add_refusal(error)
            return None
        messages.success(request, _("The task %s was started.") % page.task.name)
        return job_url(job_id) if self.has_view_permission(request) else reverse("admin:index")

    def _schedule(self: Any, request: HttpRequest, page: CallPage) -> str | None:
        assert page.recurrence is not None
        try:
            schedule = store_from_forms(Schedule(func=page.task.name), page.call, page.recurrence, user=request.user)
        except ValidationError:
            return None
        messages.success(request, _("The schedule “%s” was added.") % (schedule.name or schedule.func))
        may_view = request.user.has_perm("django_q.view_schedule")
        return reverse("admin:django_q_schedule_change", args=[schedule.pk]) if may_view else reverse("admin:index")


def _task_called(name: str) -> Task[Any, Any]:
    try:
        return get_task(name)
    except UnknownTask as error:
        raise Http404(str(error)) from error
