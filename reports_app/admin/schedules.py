"""Admin pages of report schedules, with their description, runs and actions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from reports_app.models import ReportSchedule, ReportScheduleRun, RunState
from reports_app.services.schedules import (
    describe_schedule,
    plan_next_run,
    run_now,
    switch,
)
from reports_app.web import SCHEDULE_FIELDS, ScheduledFor, formats_field, kinds_field, local_time_field
from tasks_app.admin.common import MISSING, badge, format_time
from tasks_app.admin.model_admin import ModelAdmin, TabularInline

RUN_BADGES: dict[str, str] = {
    RunState.RUNNING: "primary",
    RunState.DELIVERED: "success",
    RunState.FAILED: "danger",
}
RUNS_SHOWN = 20


class ReportScheduleForm(ScheduledFor, forms.ModelForm):
    kinds = kinds_field(UnfoldAdminCheckboxSelectMultipleWidget)
    formats = formats_field(UnfoldAdminCheckboxSelectMultipleWidget)
    local_time = local_time_field(UnfoldAdminTextInputWidget(attrs={"type": "time"}))

    class Meta:
        model = ReportSchedule
        fields = (*SCHEDULE_FIELDS, "is_active")


class RunInline(TabularInline):
    model = ReportScheduleRun
    extra = 0
    max_num = 0
    can_delete = False
    verbose_name_plural = gettext_lazy("Latest runs")
    fields = ("due", "state_badge", "report_links", "deliveries", "error")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReportScheduleRun]:
        runs = super().get_queryset(request).prefetch_related("reports", "notifications__deliveries")
        latest = ReportScheduleRun.objects.order_by("-due_at", "-pk")
        schedule_id = request.resolver_match.kwargs.get("object_id") if request.resolver_match else None
        if schedule_id is None or not str(schedule_id).isdecimal():
            return runs.none()
        return runs.filter(pk__in=list(latest.filter(schedule=schedule_id).values_list("pk", flat=True)[:RUNS_SHOWN]))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("reports_app.view_reportschedule")

    @display(description=gettext_lazy("due"))
    def due(self, run: ReportScheduleRun) -> SafeString | str:
        return format_time(run.due_at)

    @display(description=gettext_lazy("state"))
    def state_badge(self, run: ReportScheduleRun) -> SafeString:
        return badge(RUN_BADGES.get(run.state, ""), run.get_state_display())

    @display(description=gettext_lazy("reports"))
    def report_links(self, run: ReportScheduleRun) -> SafeString | str:
        links = (
            (reverse("admin:reports_app_report_change", args=[report.pk]), report.get_kind_display())
            for report in run.reports.all()
        )
        return format_html_join(", ", '<a class="tk-link" href="{}">{}</a>', links) or MISSING

    @display(description=gettext_lazy("deliveries"))
    def deliveries(self, run: ReportScheduleRun) -> str:
        found = [delivery for notification in run.notifications.all() for delivery in notification.deliveries.all()]
        return ", ".join(str(delivery) for delivery in found) or MISSING


@admin.register(ReportSchedule)
class ReportScheduleAdmin(ModelAdmin):
    form = ReportScheduleForm
    list_display = ("name", "sentence", "next_run", "last_run", "is_active")
    list_filter = ("is_active", "period", "fleet")
    list_filter_sheet = False
    list_select_related = ("fleet", "owner")
    search_fields = ("name", "fleet__name", "owner__username")
    autocomplete_fields = ("fleet", "devices", "recipients")
    actions = ("run_chosen_now", "enable", "disable")
    inlines = (RunInline,)
    fieldsets = (
        (None, {"fields": (("name", "is_active"), ("fleet", "devices"))}),
        (gettext_lazy("What"), {"fields": (("kinds", "formats"),)}),
        (
            gettext_lazy("When"),
            {
                "fields": (("period", "local_time"), ("weekday", "month_day"), "time_zone"),
                "description": gettext_lazy("About the last whole day, week (from Monday) or month."),
            },
        ),
        (gettext_lazy("To whom"), {"fields": ("recipients", ("extra_emails", "delivery"))}),
    )
    state_fieldset = (
        gettext_lazy("Now"),
        {"fields": ("sentence", ("owner", "next_run"), ("failure_count", "last_error"))},
    )
    readonly_fields = ("sentence", "owner", "next_run", "failure_count", "last_error")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReportSchedule]:
        return super().get_queryset(request).prefetch_related("devices", "recipients")

    def get_fieldsets(self, request: HttpRequest, obj: ReportSchedule | None = None) -> Any:
        return (self.state_fieldset, *self.fieldsets) if obj else self.fieldsets

    def get_inlines(self, request: HttpRequest, obj: ReportSchedule | None = None) -> Any:
        return self.inlines if obj else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.editor = request.user
        return form

    def save_model(self, request: HttpRequest, obj: ReportSchedule, form: Any, change: bool) -> None:
        if not change:
            obj.owner = request.user  # type: ignore[assignment]
        plan_next_run(obj, now=timezone.now())
        super().save_model(request, obj, form, change)

    # --- Actions ---

    @admin.action(description=gettext_lazy("Run now"), permissions=["change"])
    def run_chosen_now(self, request: HttpRequest, queryset: QuerySet[ReportSchedule]) -> None:
        runs = [run_now(schedule, now=timezone.now()) for schedule in queryset]
        for run in runs:
            if run.state == RunState.FAILED:
                messages.error(request, f"{run.schedule}: {run.error}")
        started = sum(run.state != RunState.FAILED for run in runs)
        if started:
            text = ngettext("%d schedule runs now.", "%d schedules run now.", started) % started
            messages.success(request, text)

    @admin.action(description=gettext_lazy("Switch on"), permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[ReportSchedule]) -> None:
        self._switch(request, queryset, on=True)

    @admin.action(description=gettext_lazy("Switch off"), permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[ReportSchedule]) -> None:
        self._switch(request, queryset, on=False)

    def _switch(self, request: HttpRequest, queryset: QuerySet[ReportSchedule], *, on: bool) -> None:
        for schedule in queryset:
            switch(schedule, on=on, now=timezone.now())
            self.log_change(request, schedule, _("Switched on") if on else _("Switched off"))
        messages.success(request, _("Done."))

    # --- Columns ---

    @display(description=gettext_lazy("what happens"))
    def sentence(self, schedule: ReportSchedule) -> str:
        return describe_schedule(schedule)

    @display(description=gettext_lazy("next run"), ordering="next_due_at")
    def next_run(self, schedule: ReportSchedule) -> SafeString | str:
        return format_time(schedule.next_due_at)

    @display(description=gettext_lazy("last run"))
    def last_run(self, schedule: ReportSchedule) -> SafeString | str:
        run = schedule.runs.first()
        return MISSING if run is None else badge(RUN_BADGES.get(run.state, ""), run.get_state_display())
