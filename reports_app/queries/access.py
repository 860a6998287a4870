"""Rights on reports and report schedules, and the querysets of those that a user may see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet

from reports_app.models import Report, ReportSchedule
from tasks_app.models import Device, Fleet, FleetRole
from tasks_app.queries.access import Right, has_everywhere, has_right, to_view, visible_devices, visible_fleets

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


VIEW_REPORTS, VIEW_SCHEDULES = to_view("reports_app.report"), to_view("reports_app.reportschedule")
ASK_FOR_REPORTS = Right(FleetRole.OPERATOR, "reports_app.add_report")
# Where neither devices nor a fleet are named, a report is about all the devices that its requester may look at.
REPORT_ON = Right(FleetRole.VIEWER, "reports_app.add_report")
CHANGE_REPORTS = Right(FleetRole.MANAGER, "reports_app.change_report")
DELETE_REPORTS = Right(FleetRole.MANAGER, "reports_app.delete_report")
ADD_SCHEDULES = Right(FleetRole.OPERATOR, "reports_app.add_reportschedule")
CHANGE_SCHEDULES = Right(FleetRole.MANAGER, "reports_app.change_reportschedule")
DELETE_SCHEDULES = Right(FleetRole.MANAGER, "reports_app.delete_reportschedule")


def visible_reports(user: AbstractBaseUser | AnonymousUser | Any) -> QuerySet[Report]:
    """Reports of a fleet or device `user` sees now, and those of neither that they asked for, as far as they still see
    every device that is in them (devices that were deleted do not count). Staff see all as their permissions say.

    Content is not loaded. What a report holds was decided when it was made; one of before that was written down is hidden.
    """
    if not user.is_authenticated or not user.is_active:
        return Report.objects.none()
    reports = Report.objects.defer("content").select_related("device__fleet", "fleet", "requested_by")
    if has_everywhere(user, VIEW_REPORTS):
        return reports
    about_neither = Q(fleet__isnull=True, device__isnull=True)
    about_mine = (
        Q(about_neither, requested_by=user)
        | Q(fleet__in=visible_fleets(user, VIEW_REPORTS))
        | Q(device__in=visible_devices(user, VIEW_REPORTS))
    )
    unknown = Q(about_neither, held_device_ids__isnull=True, content__isnull=False)
    return reports.filter(about_mine).exclude(unknown).filter(~Exists(_foreign_devices(user)))


def _foreign_devices(user: Any) -> QuerySet[Device]:
    """The devices in the report of the outer query that `user` does not see."""
    is_held = Func(
        F("pk"),
        OuterRef("held_device_ids"),
        template="(%(expressions)s))",
        arg_joiner=" = ANY(",
        output_field=BooleanField(),
    )
    return Device.objects.filter(is_held).exclude(fleet__in=visible_fleets(user, VIEW_REPORTS))


def visible_report(user: Any, report_id: int) -> Report | None:
    """The report if it is among those that `user` sees."""
    return visible_reports(user).filter(pk=report_id).first()


def sees_report(user: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether the report that a call is about is one `user` sees: the rule for members of the tasks about reports."""
    report_id: int = arguments["report_id"]
    return visible_reports(user).filter(pk=report_id).exists()


def reportable_devices(fleet: Fleet | None, requested_by: Any) -> QuerySet[Device]:
    """The devices a report may be about: those of the fleet, which the requester may report on; without a fleet all that
    they may report on now, and for the system itself every one."""
    if fleet is not None:
        return Device.objects.filter(fleet=fleet)
    return Device.objects.all() if requested_by is None else visible_devices(requested_by, REPORT_ON)


def may_change_report(user: Any, report: Report, right: Right = CHANGE_REPORTS) -> bool:
    """Whether `user`, who sees it, may cancel, retry or (by its right) delete it: its requester, managers of its fleet,
    and staff that hold the permission."""
    if report.requested_by_id == user.pk:
        return True
    return has_right(user, report.device.fleet if report.device else report.fleet, right)


def visible_report_schedules(user: Any) -> QuerySet[ReportSchedule]:
    """The report schedules of the fleets `user` sees."""
    schedules = ReportSchedule.objects.filter(fleet__in=visible_fleets(user, VIEW_SCHEDULES))
    return schedules.select_related("fleet", "owner").prefetch_related("devices", "recipients")


def may_change_schedule(user: Any, schedule: ReportSchedule, right: Right = CHANGE_SCHEDULES) -> bool:
    """Whether `user` may change, run or (by its right) delete it: its owner as long as they may make one in the fleet, the
    fleet's managers, and staff that hold the permission."""
    is_own = schedule.owner_id == user.pk and has_right(user, schedule.fleet, ADD_SCHEDULES)
    return is_own or has_right(user, schedule.fleet, right)
