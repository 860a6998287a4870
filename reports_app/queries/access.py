"""Rights on reports and report schedules, and the querysets of those that a user may see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import User
from django.db.models import BooleanField, F, Func, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from reports_app.models import DeletedDevice, Report, ReportSchedule
from tasks_app.models import Device, Fleet, FleetMembership, FleetRole
from tasks_app.queries.access import Right, has_everywhere, has_right, to_view, visible_devices, visible_fleets
from tasks_app.queries.references import Source, device_source

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


VIEW_REPORTS, VIEW_SCHEDULES = to_view("reports_app.report"), to_view("reports_app.reportschedule")
ASK_FOR_REPORTS = Right(FleetRole.OPERATOR, "reports_app.add_report")
# Where neither devices nor a fleet are named, a report is about all the devices that its requester may look at.
REPORT_ON = Right(FleetRole.VIEWER, "reports_app.add_report")
CHANGE_REPORTS = Right(FleetRole.MANAGER, "reports_app.change_report")
DELETE_REPORTS = Right(FleetRole.MANAGER, "reports_app.delete_report")
# The kinds of rows that forms of reports suggest.
REPORTABLE, RECIPIENT = "device with reports", "recipient of reports"
ADD_SCHEDULES = Right(FleetRole.OPERATOR, "reports_app.add_reportschedule")
CHANGE_SCHEDULES = Right(FleetRole.MANAGER, "reports_app.change_reportschedule")
DELETE_SCHEDULES = Right(FleetRole.MANAGER, "reports_app.delete_reportschedule")


def visible_reports(user: AbstractBaseUser | AnonymousUser | Any) -> QuerySet[Report]:
    """Return the reports of fleets and devices that `user` may see now, and the user's own reports without either, if
    the user may still see every device in them (a deleted device counts as in its last fleet). Staff see all, by
    permission.

    Content is deferred. The devices in a report are recorded at generation; older reports without this record are
    hidden.
    """
    if not user.is_authenticated or not user.is_active:
        return Report.objects.none()
    reports = Report.objects.defer("content").select_related("device__fleet", "fleet", "requested_by")
    if has_everywhere(user, VIEW_REPORTS):
        return reports
    fleets = visible_fleets(user, VIEW_REPORTS)
    about_neither = Q(fleet__isnull=True, device__isnull=True)
    about_mine = Q(about_neither, requested_by=user) | Q(fleet__in=fleets) | Q(device__fleet__in=fleets)
    is_undecided = Q(held_device_ids__isnull=True)
    unknown = Q(about_neither, is_undecided, content__isnull=False)
    held = Func(F("held_device_ids"), function="CARDINALITY", output_field=IntegerField())
    seen = _held_count(Device, fleets) + _held_count(DeletedDevice, fleets)
    return reports.filter(about_mine).exclude(unknown).filter(is_undecided | Q(Exact(held, seen)))


def _held_count(model: type[Device] | type[DeletedDevice], fleets: QuerySet[Fleet]) -> Subquery:
    """Return how many of the devices in the report of the outer query are rows of this model in these fleets."""
    is_held = Func(
        F("pk"),
        OuterRef("held_device_ids"),
        template="(%(expressions)s))",
        arg_joiner=" = ANY(",
        output_field=BooleanField(),
    )
    rows = model._default_manager.filter(is_held, fleet_id__in=fleets.values("pk"))
    counted = rows.order_by().annotate(count=Func(F("pk"), function="COUNT")).values("count")
    return Subquery(counted, output_field=IntegerField())


def visible_report(user: Any, report_id: int) -> Report | None:
    """Return the report if `user` may see it, else None."""
    return visible_reports(user).filter(pk=report_id).first()


def sees_report(user: Any, arguments: Mapping[str, Any]) -> bool:
    """Return whether `user` may see the report of a task's arguments: the rule for members of tasks about reports."""
    report_id: int = arguments["report_id"]
    return visible_reports(user).filter(pk=report_id).exists()


def reportable_devices(fleet: Fleet | None, requested_by: Any) -> QuerySet[Device]:
    """Return the devices that a report may cover: those of the fleet, without a fleet all that the requester may report
    on now, and every device for the system."""
    if fleet is not None:
        return Device.objects.filter(fleet=fleet)
    return Device.objects.all() if requested_by is None else visible_devices(requested_by, REPORT_ON)


def may_change_report(user: Any, report: Report, right: Right = CHANGE_REPORTS) -> bool:
    """Return whether `user`, who may see it, may cancel, retry or (with its right) delete it: the requester, managers
    of its fleet, and staff with the permission."""
    if report.requested_by_id == user.pk:
        return True
    return has_right(user, report.device.fleet if report.device else report.fleet, right)


def may_ask_again(user: Any, report: Report) -> bool:
    """Return whether `user`, who may see a report, may ask for one like it."""
    fleet = report.device.fleet if report.device else report.fleet
    if fleet is not None:
        return has_right(user, fleet, ASK_FOR_REPORTS)
    if report.device_ids is not None:
        devices = visible_devices(user, ASK_FOR_REPORTS).filter(pk__in=report.device_ids)
        return devices.count() == len(report.device_ids)
    return visible_fleets(user, ASK_FOR_REPORTS).exists()


def visible_report_schedules(user: Any) -> QuerySet[ReportSchedule]:
    """Return the report schedules of the fleets that `user` may see."""
    schedules = ReportSchedule.objects.filter(fleet__in=visible_fleets(user, VIEW_SCHEDULES))
    return schedules.select_related("fleet", "owner").prefetch_related("devices", "recipients")


def may_change_schedule(user: Any, schedule: ReportSchedule, right: Right = CHANGE_SCHEDULES) -> bool:
    """Return whether `user` may change, run or (with its right) delete it: the owner while they may add one in the
    fleet, the fleet's managers, and staff with the permission."""
    is_own = schedule.owner_id == user.pk and has_right(user, schedule.fleet, ADD_SCHEDULES)
    return is_own or has_right(user, schedule.fleet, right)


def reportable_source() -> Source:
    """Return the devices that a person may ask for reports of, or put into report schedules."""
    return device_source(lambda user: visible_devices(user, ASK_FOR_REPORTS) | visible_devices(user, ADD_SCHEDULES))


def choosable_recipients(user: Any) -> QuerySet[User]:
    """Return the people to whom a person may have reports sent: themselves, members of the fleets in which they may add
    schedules, and the recipients of schedules that they see anyway."""
    fleets = visible_fleets(user, ADD_SCHEDULES)
    members = FleetMembership.objects.filter(fleet__in=fleets, user__is_active=True).values("user")
    schedules = ReportSchedule.objects.filter(fleet__in=visible_fleets(user, VIEW_SCHEDULES))
    known = ReportSchedule.recipients.through._default_manager.filter(reportschedule__in=schedules).values("user")
    return User.objects.filter(Q(pk=user.pk) | Q(pk__in=members) | Q(pk__in=known))


def recipient_source() -> Source:
    """Return people as rows to choose recipients of reports from."""
    return Source(
        _("recipient"),
        User.objects.all,
        choosable_recipients,
        ("username", "first_name", "last_name"),
        lambda person: f"{person.get_full_name()} ({person.username})" if person.get_full_name() else person.username,
    )


def report_source() -> Source:
    """Return reports as rows that arguments of tasks may refer to."""
    return Source(_("report"), Report.objects.all, visible_reports, ("device__name", "fleet__name"))
