"""When a schedule runs: its fields, and the words for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_q.models import Schedule
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from tasks_app.admin.calls.cron_words import cron_words
from tasks_app.engine.recurrence import pointless_values
from tasks_app.services.schedules import InvalidSchedule, schedule_zone
from tasks_app.utils.time_zones import zone_names

TYPES = {
    Schedule.CRON: gettext_lazy("By a cron expression"),
    Schedule.MINUTES: gettext_lazy("Every so many minutes"),
    Schedule.HOURLY: gettext_lazy("Every hour"),
    Schedule.DAILY: gettext_lazy("Every day"),
    Schedule.WEEKLY: gettext_lazy("Every week"),
    Schedule.BIWEEKLY: gettext_lazy("Every two weeks"),
    Schedule.MONTHLY: gettext_lazy("Every month"),
    Schedule.BIMONTHLY: gettext_lazy("Every two months"),
    Schedule.QUARTERLY: gettext_lazy("Every quarter"),
    Schedule.YEARLY: gettext_lazy("Every year"),
    Schedule.ONCE: gettext_lazy("Once"),
}
_MINUTES_MAX = 32_767
_REPEATS_MAX = 2**31 - 1


def suggested_zones() -> tuple[str, ...]:
    """Return the zones to choose from: those named after places, and UTC."""
    return ("UTC", *(name for name in zone_names() if "/" in name and not name.startswith("Etc/")))


class ZoneWidget(UnfoldAdminTextInputWidget):
    """A text field that suggests the names of zones as they are typed."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        text = super().render(name, value, {**(attrs or {}), "list": "zones"}, renderer)
        return render_to_string("tasks_app/admin/parts/zone.html", {"input": text, "zones": suggested_zones()})


class RecurrenceForm(forms.Form):
    """`apply(schedule)` writes the input into a row. Times are those of the schedule's zone."""

    name = forms.CharField(
        label=gettext_lazy("Name"), required=False, max_length=100, widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("For lists. Empty: the task's."),
    )  # fmt: skip
    schedule_type = forms.ChoiceField(
        label=gettext_lazy("Repeat"),
        choices=list(TYPES.items()),
        initial=Schedule.DAILY,
        widget=UnfoldAdminSelectWidget,
    )
    cron = forms.CharField(
        label=gettext_lazy("Cron expression"), required=False, max_length=100,
        widget=UnfoldAdminTextInputWidget({"data-only-for": "schedule_type=C", "spellcheck": "false"}),
        help_text=gettext_lazy("Minute, hour, day, month, weekday; a sixth for seconds. 0 3 * * 1-5: workdays at 03:00."),
    )  # fmt: skip
    minutes = forms.IntegerField(
        label=gettext_lazy("Minutes"), required=False, min_value=1, max_value=_MINUTES_MAX,
        widget=UnfoldAdminIntegerFieldWidget({"data-only-for": "schedule_type=I"}),
    )  # fmt: skip
    time_zone = forms.CharField(
        label=gettext_lazy("Time zone"), required=False, max_length=64, widget=ZoneWidget,
        help_text=gettext_lazy("Type a part of its name. Empty: the server's."),
    )  # fmt: skip
    next_run = forms.DateTimeField(
        label=gettext_lazy("Next run"), required=False, show_hidden_initial=True,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        widget=UnfoldAdminTextInputWidget(
            {"type": "datetime-local", "data-only-for": "schedule_type=O I H D W BW M BM Q Y"}
        ),
        help_text=gettext_lazy("In the time zone above; later runs follow from it. Empty: now."),
    )  # fmt: skip
    repeats = forms.IntegerField(
        label=gettext_lazy("Runs"), initial=-1, show_hidden_initial=True, min_value=-1, max_value=_REPEATS_MAX,
        widget=UnfoldAdminIntegerFieldWidget, help_text=gettext_lazy("How many more; -1: without end."),
    )  # fmt: skip

    def __init__(self, data: Any = None, *, schedule: Schedule | None = None, time_zone: str = "") -> None:
        super().__init__(data, prefix="when")
        self.label_suffix = ""
        self.fields["time_zone"].initial = time_zone if schedule else timezone.get_current_timezone_name()
        if schedule is not None:
            self.initial = {name: getattr(schedule, name) for name in self.fields if name != "time_zone"}
            self.initial["next_run"] = _local(schedule.next_run, time_zone)

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"].strip()
        try:
            schedule_zone(name)
        except InvalidSchedule as error:
            raise forms.ValidationError(str(error)) from error
        return name

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        for kind, name in ((Schedule.CRON, "cron"), (Schedule.MINUTES, "minutes")):
            if data.get("schedule_type") == kind and name not in self.errors and not data.get(name):
                self.add_error(name, _("This kind of schedule needs it."))
        if data.get("schedule_type") == Schedule.CRON and data.get("next_run") and "next_run" in self.changed_data:
            self.add_error("next_run", _("The cron expression computes it."))
        if not self.errors:
            kind, minutes, cron, repeats = (data[name] for name in ("schedule_type", "minutes", "cron", "repeats"))
            for name, problem in pointless_values(kind, minutes=minutes, cron=cron, repeats=repeats).items():
                self.add_error(name, problem)
        return data

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone of valid input, the server's for any other."""
        return schedule_zone(getattr(self, "cleaned_data", {}).get("time_zone") or "")

    def apply(self, schedule: Schedule) -> None:
        """Write valid input into the row. A run since the page was opened stays counted, unless a person says otherwise."""
        data = self.cleaned_data
        is_new = schedule.pk is None
        schedule.name = data["name"]
        schedule.schedule_type = data["schedule_type"]
        schedule.cron = data["cron"] or None
        schedule.minutes = data["minutes"]
        if is_new or "repeats" in self.changed_data:
            schedule.repeats = data["repeats"]
        is_said = is_new or not {"next_run", "time_zone"}.isdisjoint(self.changed_data)
        if is_said and data["next_run"] is not None and schedule.schedule_type != Schedule.CRON:
            schedule.next_run = data["next_run"].replace(tzinfo=self.zone)
        elif schedule.next_run is None:
            schedule.next_run = timezone.now()


def _local(at: datetime | None, time_zone: str) -> str | None:
    if at is None:
        return None
    try:
        zone = schedule_zone(time_zone)
    except InvalidSchedule:
        zone = ZoneInfo(settings.TIME_ZONE)
    return at.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")


def recurrence_words(schedule: Schedule) -> str:
    """Return how often the row runs, in words."""
    if schedule.schedule_type == Schedule.CRON:
        return cron_words(schedule.cron)
    if schedule.schedule_type == Schedule.MINUTES:
        count = schedule.minutes or 1
        return _("Every minute") if count == 1 else ngettext("Every %d minute", "Every %d minutes", count) % count
    return str(TYPES.get(schedule.schedule_type, schedule.schedule_type))
