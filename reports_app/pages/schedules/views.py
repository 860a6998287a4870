"""Report schedules of the user's fleets. Operators make them, owners and managers change them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from reports_app.models import ReportSchedule, RunState
from reports_app.pages.schedules.forms import ScheduleForm
from reports_app.queries import (
    ADD_SCHEDULES,
    CHANGE_SCHEDULES,
    DELETE_SCHEDULES,
    may_change_schedule,
    visible_report_schedules,
)
from reports_app.services.schedules import describe_schedule, plan_next_run, run_now, switch
from reports_app.web import report_name
from tasks_app.queries.access import Right, rights_somewhere, visible_fleets

METHODS = ["GET", "HEAD", "POST"]
RUNS_SHOWN = 20


@login_required
@require_safe
def schedules(request: HttpRequest) -> HttpResponse:
    """List the report schedules of the user's fleets, each in a sentence."""
    found = visible_report_schedules(request.user).prefetch_related("runs")
    rows = [
        {
            "schedule": each,
            "sentence": describe_schedule(each),
            "last": next(iter(each.runs.all()), None),
            "may_change": may_change_schedule(request.user, each),
        }
        for each in found
    ]
    may_add = bool(rights_somewhere(request.user, {ADD_SCHEDULES}))
    context = {"title": _("Report schedules"), "rows": rows, "may_add": may_add}
    return render(request, "reports_app/pages/schedules.html", context)


@login_required
@require_http_methods(METHODS)
def add(request: HttpRequest) -> HttpResponse:
    fleet = visible_fleets(request.user, ADD_SCHEDULES).order_by("name").first()
    if fleet is None:
        raise PermissionDenied(_("This needs the role Operator in a fleet."))
    schedule = ReportSchedule(owner=request.user, fleet=fleet, time_zone=fleet.time_zone)  # type: ignore[misc]
    return _form_page(
        request, schedule, _("New report schedule"), {"recipients": [request.user.pk], "formats": ["pdf"]}
    )


@login_required
@require_http_methods(METHODS)
def edit(request: HttpRequest, schedule_id: int) -> HttpResponse:
    """Show a schedule with its latest runs, and its form to those who may change it."""
    schedule = _find(request, schedule_id)
    if may_change_schedule(request.user, schedule, CHANGE_SCHEDULES):
        return _form_page(request, schedule, schedule.name, {})
    if request.method == "POST":
        raise PermissionDenied
    return render(request, "reports_app/pages/schedule.html", _schedule_context(schedule, schedule.name))


@login_required
@require_POST
def switch_schedule(request: HttpRequest, schedule_id: int) -> HttpResponse:
    """Switch a schedule on or off, whichever it is not."""
    schedule = _changeable(request, schedule_id, CHANGE_SCHEDULES)
    switch(schedule, on=request.POST.get("on") == "1", now=timezone.now())
    text = _("“%(name)s” is switched on.") if schedule.is_active else _("“%(name)s” is switched off.")
    messages.success(request, text % {"name": schedule.name})
    return redirect("pages:report_schedules")


@login_required
@require_POST
def run(request: HttpRequest, schedule_id: int) -> HttpResponse:
    """Run a schedule now, about its last whole period."""
    made = run_now(_changeable(request, schedule_id, CHANGE_SCHEDULES), now=timezone.now())
    if made.state == RunState.FAILED:
        messages.error(request, made.error)
    else:
        messages.success(request, _("It runs now, about its last whole period."))
    return redirect("pages:report_schedule", schedule_id)


@login_required
@require_http_methods(METHODS)
def remove(request: HttpRequest, schedule_id: int) -> HttpResponse:
    schedule = _changeable(request, schedule_id, DELETE_SCHEDULES)
    if request.method == "POST":
        schedule.delete()
        messages.success(request, _("“%(name)s” was removed.") % {"name": schedule.name})
        return redirect("pages:report_schedules")
    context = {
        "title": _("Remove this report schedule?"),
        "about": f"{schedule.name}: {describe_schedule(schedule)}",
        "button": _("Remove"),
        "back_url": reverse("pages:report_schedules"),
    }
    return render(request, "reports_app/pages/confirm.html", context)


def _form_page(request: HttpRequest, schedule: ReportSchedule, title: str, initial: dict[str, Any]) -> HttpResponse:
    form = ScheduleForm(request.user, request.POST or None, instance=schedule, initial=initial)
    # One transaction for the check of the version, which locks the row, and the change.
    with transaction.atomic():
        if request.method == "POST" and form.is_valid():
            plan_next_run(form.instance, now=timezone.now())
            form.save()
            messages.success(request, _("“%(name)s” was saved.") % {"name": form.instance.name})
            return redirect("pages:report_schedules")
    context = {**_schedule_context(schedule, title), "form": form}
    return render(request, "reports_app/pages/schedule.html", context)


def _schedule_context(schedule: ReportSchedule, title: str) -> dict[str, Any]:
    if schedule.pk is None:
        return {"title": title, "schedule": schedule}
    stored = ReportSchedule.objects.select_related("fleet", "owner").prefetch_related("devices", "recipients")
    runs = schedule.runs.prefetch_related("reports__device__fleet", "reports__fleet")[:RUNS_SHOWN]
    shown = [(each, [(report, report_name(report)) for report in each.reports.all()]) for each in runs]
    return {
        "title": title,
        "schedule": schedule,
        "sentence": describe_schedule(stored.get(pk=schedule.pk)),
        "runs": shown,
    }


def _find(request: HttpRequest, schedule_id: int) -> ReportSchedule:
    found = visible_report_schedules(request.user).filter(pk=schedule_id).first()
    if found is None:
        raise Http404
    return found


def _changeable(request: HttpRequest, schedule_id: int, right: Right) -> ReportSchedule:
    found = _find(request, schedule_id)
    if not may_change_schedule(request.user, found, right):
        raise PermissionDenied
    return found
