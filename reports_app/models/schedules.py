"""Models of report schedules and their runs."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifications_app.models import Notification
from reports_app.models.reports import Report, kind_choices
from reports_app.periods import Period, Rhythm
from tasks_app.models import Device, Fleet
from tasks_app.models.fleets import validate_time_zone
from tasks_app.models.lines import ONE_LINE
from tasks_app.utils.clock import exact_time, seven_o_clock


class SchedulePeriod(models.TextChoices):
    DAILY = Period.DAILY.value, _("Every day")
    WEEKLY = Period.WEEKLY.value, _("Every week")
    MONTHLY = Period.MONTHLY.value, _("Every month")


class Weekday(models.IntegerChoices):
    """Days of the week, numbered as by `date.weekday()`."""

    MONDAY = 0, _("Monday")
    TUESDAY = 1, _("Tuesday")
    WEDNESDAY = 2, _("Wednesday")
    THURSDAY = 3, _("Thursday")
    FRIDAY = 4, _("Friday")
    SATURDAY = 5, _("Saturday")
    SUNDAY = 6, _("Sunday")


class ScheduleDelivery(models.TextChoices):
    ATTACHMENT = "attachment", _("Attached files")
    LINK = "link", _("Links")


class ReportSchedule(models.Model):
    """Reports of a fleet, or of some of its devices, over the last whole day, ISO week or month of `time_zone`.

    `next_due_at` is the time of the next run, None if it is switched off. Devices that the owner may no longer see are
    left out.
    """

    name = models.CharField(_("name"), max_length=100, validators=[ONE_LINE])
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="report_schedules", verbose_name=_("owner")
    )
    fleet = models.ForeignKey(Fleet, on_delete=models.CASCADE, related_name="report_schedules", verbose_name=_("fleet"))
    devices = models.ManyToManyField(
        Device,
        blank=True,
        related_name="report_schedules",
        verbose_name=_("devices"),
        help_text=_("None: every device of the fleet."),
    )
    kinds = ArrayField(models.CharField(max_length=16, choices=kind_choices), verbose_name=_("reports"))
    formats = ArrayField(models.CharField(max_length=8), verbose_name=_("formats"))
    period = models.CharField(_("period"), max_length=8, choices=SchedulePeriod, default=SchedulePeriod.WEEKLY)
    local_time = models.TimeField(_("at"), default=seven_o_clock)
    weekday = models.PositiveSmallIntegerField(_("on"), choices=Weekday, default=Weekday.MONDAY)
    month_day = models.PositiveSmallIntegerField(
        _("on day"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
        help_text=_("Of the month; in a shorter month its last day."),
    )
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[validate_time_zone])
    recipients = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="+", verbose_name=_("recipients")
    )
    extra_emails = ArrayField(
        models.EmailField(),
        default=list,
        blank=True,
        verbose_name=_("further e-mail addresses"),
        help_text=_("Of people without an account; only managers of the fleet may name them."),
    )
    delivery = models.CharField(
        _("delivery"), max_length=10, choices=ScheduleDelivery, default=ScheduleDelivery.ATTACHMENT
    )
    is_active = models.BooleanField(_("active"), default=True)
    next_due_at = models.DateTimeField(_("next run"), null=True, blank=True, editable=False)
    failure_count = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    last_error = models.TextField(_("last error"), blank=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("report schedule")
        verbose_name_plural = _("report schedules")
        ordering = ["name", "id"]
        indexes = [models.Index(fields=["next_due_at"], name="report_schedule_due", condition=models.Q(is_active=True))]

    def __str__(self) -> str:
        return self.name

    @property
    def rhythm(self) -> Rhythm:
        """Return the recurrence. Raises KeyError or ValueError for an unknown time zone."""
        return Rhythm(Period(self.period), self.local_time, ZoneInfo(self.time_zone), self.weekday, self.month_day)


class RunState(models.TextChoices):
    RUNNING = "running", _("Running")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")


class ReportScheduleRun(models.Model):
    """One run of a schedule over `[range_start, range_end)`, with its reports and notifications."""

    schedule = models.ForeignKey(
        ReportSchedule, on_delete=models.CASCADE, related_name="runs", verbose_name=_("schedule")
    )
    due_at = models.DateTimeField(_("due at"))
    range_start = models.DateTimeField(_("from"))
    range_end = models.DateTimeField(_("to"))
    state = models.CharField(_("state"), max_length=10, choices=RunState, default=RunState.RUNNING)
    error = models.TextField(_("error"), blank=True)
    reports = models.ManyToManyField(Report, related_name="schedule_runs", verbose_name=_("reports"))
    notifications = models.ManyToManyField(Notification, related_name="+", verbose_name=_("notifications"))
    started_at = models.DateTimeField(_("started at"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("run of a report schedule")
        verbose_name_plural = _("runs of report schedules")
        ordering = ["-due_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["schedule", "due_at"], name="one_run_per_schedule_and_due_time")]
        indexes = [models.Index(fields=["started_at"], name="report_run_going_on", condition=models.Q(state="running"))]

    def __str__(self) -> str:
        return f"{self.schedule} · {exact_time(self.due_at)}"
