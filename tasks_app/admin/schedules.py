"""Schedules: django-q2's rows, with tasks chosen from a list and arguments checked. Its own admin pages are replaced."""

from __future__ import annotations

from typing import Any

import django_q.admin  # noqa: F401  (registers its pages now, so that they can be taken off again below)
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_q.models import Failure, OrmQ, Schedule, Success
from redis.exceptions import RedisError
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from tasks_app.admin.common import MISSING, badge, format_time
from tasks_app.admin.jobs import job_url
from tasks_app.engine import EngineError, TaskNotPermitted, UnknownTask, get_task, registered_tasks
from tasks_app.models import ScheduleState
from tasks_app.queries.task_rights import may_start
from tasks_app.services.schedules import (
    InvalidSchedule,
    disable,
    enable,
    permitted_call,
    run_now,
    save_schedule,
    upcoming_runs,
    validate_schedule,
)

for replaced in (Schedule, Success, Failure, OrmQ):
    if admin.site.is_registered(replaced):
        admin.site.unregister(replaced)


class ScheduleForm(forms.ModelForm):
    # Set by the page: the user who fills it in.
    editor: Any = None

    func = forms.ChoiceField(label=gettext_lazy("Task"), widget=UnfoldAdminSelectWidget)
    time_zone = forms.CharField(
        label=gettext_lazy("Time zone"),
        required=False,
        max_length=64,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("For example America/Sao_Paulo. Empty: the server's."),
    )

    class Meta:
        model = Schedule
        fields = ("name", "func", "args", "kwargs", "schedule_type", "minutes", "cron", "repeats", "next_run")
        widgets = {
            "args": UnfoldAdminTextareaWidget({"rows": 3}),
            "kwargs": UnfoldAdminTextareaWidget({"rows": 3}),
        }
        help_texts = {
            "args": gettext_lazy('Positional arguments, separated by commas: 7, "route"'),
            "kwargs": gettext_lazy('Keyword arguments: {"days_to_keep": 30} or days_to_keep=30'),
            "cron": gettext_lazy("Five fields, or six with seconds last. Only for the type cron."),
            "next_run": gettext_lazy("A cron schedule computes it when it is saved."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tasks = [task for task in registered_tasks() if task.schedulable and may_start(self.editor, task)]
        self.fields["func"].choices = [("", "---------"), *((task.name, task.name) for task in tasks)]  # type: ignore[attr-defined]
        if self.instance.pk:
            self.initial["func"] = registered_name(self.instance.func)
            state = state_of(self.instance)
            self.initial["time_zone"] = state.time_zone if state else ""

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        try:
            validate_schedule(self.instance, time_zone=self.cleaned_data["time_zone"])
            permitted_call(self.instance, self.editor, timezone.now(), self.cleaned_data["time_zone"])
        except TaskNotPermitted as error:
            self.add_error("func", str(error))
        except ValidationError as error:
            for name, errors in error.message_dict.items():
                self.add_error(name if name in self.fields else None, errors)


def registered_name(name: str) -> str:
    """A row written as a dotted path names the same task as its short name."""
    try:
        return get_task(name).name
    except UnknownTask:
        return name


def state_of(schedule: Schedule) -> ScheduleState | None:
    """Scheduler state of the row; None before it was ever saved or run."""
    return getattr(schedule, "state", None)


@admin.register(Schedule)
class ScheduleAdmin(ModelAdmin):
    form = ScheduleForm
    list_display = ("heading", "when", "next_run_at", "last_run", "enabled_badge", "last_error")
    list_display_links = ("heading",)
    list_filter = ("schedule_type", "state__is_enabled")
    list_filter_sheet = False
    list_select_related = ("state",)
    search_fields = ("name", "func")
    ordering = ("next_run", "pk")
    actions = ("run_selected_now", "enable_selected", "disable_selected")
    readonly_fields = ("enabled_badge", "upcoming", "last_run", "last_error")
    fieldsets = (
        (None, {"fields": ("name", "func", ("args", "kwargs"))}),
        (
            gettext_lazy("When"),
            {"fields": (("schedule_type", "cron"), ("minutes", "repeats"), "time_zone", "next_run")},
        ),
        (gettext_lazy("State"), {"fields": ("enabled_badge", "upcoming", "last_run", "last_error")}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Schedule | None = None) -> Any:
        return self.fieldsets if obj else self.fieldsets[:2]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.editor = request.user
        return form

    def save_model(self, request: HttpRequest, obj: Schedule, form: ScheduleForm, change: bool) -> None:
        save_schedule(obj, user=request.user, time_zone=form.cleaned_data["time_zone"])

    # --- Columns ---

    @display(description=gettext_lazy("schedule"), header=True, ordering="name")
    def heading(self, schedule: Schedule) -> list[str]:
        call = ", ".join(text for text in (schedule.args, schedule.kwargs) if text)
        task = registered_name(schedule.func)
        return [schedule.name or task, f"{task}({call})"]

    @display(description=gettext_lazy("when"), ordering="schedule_type")
    def when(self, schedule: Schedule) -> str:
        if schedule.schedule_type == Schedule.CRON:
            text = schedule.cron or MISSING
        elif schedule.schedule_type == Schedule.MINUTES:
            text = ngettext("every minute", "every %d minutes", schedule.minutes or 1)
            text = text % (schedule.minutes or 1) if "%d" in text else text
        else:
            text = schedule.get_schedule_type_display()
        state = state_of(schedule)
        return f"{text} · {state.time_zone}" if state and state.time_zone else str(text)

    @display(description=gettext_lazy("next run"), ordering="next_run")
    def next_run_at(self, schedule: Schedule) -> SafeString | str:
        state = state_of(schedule)
        if schedule.next_run is None or (state and not state.is_enabled):
            return MISSING
        text = format_time(schedule.next_run)
        return format_html("{} {}", _("due"), text) if schedule.next_run < timezone.now() else text

    @display(description=gettext_lazy("last run"), ordering="state__last_run_at")
    def last_run(self, schedule: Schedule) -> SafeString | str:
        state = state_of(schedule)
        if state is None or state.last_job_id is None:
            return MISSING
        return format_html(
            '<a class="tk-link" href="{}">{}</a>', job_url(state.last_job_id), format_time(state.last_run_at)
        )

    @display(description=gettext_lazy("state"), ordering="state__is_enabled")
    def enabled_badge(self, schedule: Schedule) -> SafeString:
        state = state_of(schedule)
        if state is None or state.is_enabled:
            return badge("success", _("Enabled"))
        return badge("danger", _("Stopped by an error")) if state.last_error else badge("", _("Disabled"))

    @display(description=gettext_lazy("last error"))
    def last_error(self, schedule: Schedule) -> str:
        state = state_of(schedule)
        return (state.last_error if state else "") or MISSING

    @display(description=gettext_lazy("next three runs"))
    def upcoming(self, schedule: Schedule) -> SafeString | str:
        return format_html_join(" · ", "{}", ((format_time(due),) for due in upcoming_runs(schedule, 3))) or MISSING

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
            except (EngineError, InvalidSchedule, ValidationError, RedisError) as error:
                reason = "; ".join(error.messages) if isinstance(error, ValidationError) else str(error)
                self.message_user(request, f"{schedule.name or schedule.func}: {reason}", messages.ERROR)
        if count:
            self.message_user(request, message(count) % count, messages.SUCCESS)
