"""Receivers of the signals of the apps below."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.db.models.signals import post_delete, pre_delete
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications_app.models import Delivery, Notification
from notifications_app.signals import delivery_failed, delivery_recovered, message_about_to_go
from reports_app.message_kinds import REPORT_FAILED, REPORT_READY
from reports_app.models import DeletedDevice, Report, ReportFollower, ReportSchedule, ReportState
from reports_app.queries import sees_subject, visible_report, visible_reports
from reports_app.services.files import delete_orphaned_files, linked_reports
from reports_app.services.generation import follow_jobs
from reports_app.services.schedules import (
    follow_deliveries,
    note_delivered,
    note_undelivered,
    switch_off_without_devices,
)
from tasks_app.engine.records import FinishedJob
from tasks_app.models import Device
from tasks_app.services.audit import add_verbs, watch
from tasks_app.signals import (
    job_reader_asked,
    jobs_not_done,
    needed_positions_asked,
    orphans_cleanup_requested,
)

watch(Report, ignored={"content", "request_key", "held_device_ids", "started_at", "finished_at", "expires_at"})
watch(ReportSchedule, ignored={"next_due_at", "failure_count", "last_error"})
watch(ReportFollower)
add_verbs(
    {
        "download": gettext_lazy("Report downloaded"),
        "run_report_schedule": gettext_lazy("Report schedule run now"),
    }
)


@receiver(orphans_cleanup_requested)
def remove_orphaned_files(sender: Any, *, now: datetime, dry_run: bool, **kwargs: Any) -> dict[str, int]:
    """Remove report files without a row, rows without a file, and unfinished files."""
    counts = delete_orphaned_files(now=now, dry_run=dry_run)
    return {f"report_{name}": count for name, count in counts.items()}


@receiver(jobs_not_done)
def end_reports_of_jobs(sender: Any, *, jobs: list[FinishedJob], **kwargs: Any) -> None:
    """End the reports and runs of jobs that were cancelled while they waited, or lost their workers."""
    follow_jobs(jobs)
    follow_deliveries(jobs)


@receiver(message_about_to_go)
def refuse_reports_of_others(sender: Any, *, notification: Notification, **kwargs: Any) -> str:
    """Return a reason not to send a message about reports if its user may no longer see what it is about, or one of the
    reports it attaches or links to."""
    if notification.kind not in (REPORT_READY.kind, REPORT_FAILED.kind):
        return ""
    names = notification.attachments.values("storage_name")
    linked = linked_reports(notification.body_text)
    reports = Report.objects.filter(Q(pk__in=linked) | Q(files__file__in=names))
    lost = reports.exclude(pk__in=visible_reports(notification.user).order_by().values("pk"))
    refused = not sees_subject(notification) or lost.exists()
    return _("The user may no longer see this report.") if refused else ""


@receiver(delivery_failed)
def note_on_run(sender: Any, *, delivery: Delivery, reason: str, **kwargs: Any) -> None:
    """Note on its run that a scheduled report did not reach a recipient."""
    if delivery.notification.kind == REPORT_READY.kind:
        note_undelivered(delivery, reason, now=timezone.now())


@receiver(delivery_recovered)
def note_on_run_again(sender: Any, *, delivery: Delivery, **kwargs: Any) -> None:
    """Note on its run that a scheduled report reached a recipient after all."""
    if delivery.notification.kind == REPORT_READY.kind:
        note_delivered(delivery)


@receiver(needed_positions_asked)
def name_times_of_unfinished_reports(sender: Any, **kwargs: Any) -> list[tuple[datetime, datetime]]:
    """Return the ranges of unfinished reports, which still need the positions; finished ones store their rows."""
    unfinished = Report.objects.filter(state__in=[ReportState.PENDING, ReportState.RUNNING])
    return list(unfinished.values_list("range_start", "range_end"))


@receiver(job_reader_asked)
def read_job_of_report(sender: Any, *, user: Any, job_id: Any, **kwargs: Any) -> bool:
    """Return whether the job makes a report that `user` may see, even if another user requested it."""
    reports = Report.objects.filter(job_id=job_id).values_list("pk", flat=True)
    return any(visible_report(user, report_id) for report_id in reports)


@receiver(post_delete, sender=Device, dispatch_uid="reports_app.keep_fleet_of_deleted_device")
def keep_fleet_of_deleted_device(sender: Any, instance: Device, **kwargs: Any) -> None:
    """Record the fleet of a deleted device: the reports that hold it outlive it."""
    DeletedDevice.objects.get_or_create(device_id=instance.pk, defaults={"fleet_id": instance.fleet_id})


@receiver(pre_delete, sender=Device, dispatch_uid="reports_app.schedules_of_device")
def note_schedules_of_device(sender: Any, instance: Any, **kwargs: Any) -> None:
    """Note the schedules that name the device: once it is deleted, nothing says so any more."""
    schedules = ReportSchedule.objects.filter(devices=instance.pk)
    instance.named_by_schedules = list(schedules.values_list("pk", flat=True))


@receiver(post_delete, sender=Device, dispatch_uid="reports_app.schedules_without_device")
def switch_off_schedules_without_device(sender: Any, instance: Any, **kwargs: Any) -> None:
    """Devices deleted together are all gone from the schedules by now, so that none of them counts as left."""
    switch_off_without_devices(instance.named_by_schedules, instance.name, now=timezone.now())
