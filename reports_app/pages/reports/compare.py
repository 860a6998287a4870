"""Two reports of one kind and subject beside each other, by their totals: this month and the one before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from reports_app.exceptions import InvalidReport
from reports_app.models import UNFINISHED, Report, ReportState
from reports_app.pages.reports.views import find_report
from reports_app.periods import days_before
from reports_app.queries import (
    may_ask_again,
    read_again,
    report_display_settings,
    visible_reports,
)
from reports_app.services.requests import request_report
from reports_app.web import compared_sections, days_text, report_name

MOST_CHOICES = 50


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@read_again
def compare(request: HttpRequest, report_id: int) -> HttpResponse:
    """Show the totals of a report beside those of ?with=; on POST, ask for the period of the same length before it."""
    found = find_report(request, report_id)
    may_ask = may_ask_again(request.user, found)
    if request.method == "POST":
        if not may_ask:
            raise PermissionDenied(_("This needs the role Operator in a fleet."))
        return _ask_for_before(request, found)
    others = list(_comparable(request, found)[:MOST_CHOICES])
    chosen = next((each for each in others if str(each.pk) == request.GET.get("with")), None)
    is_ready = chosen is not None and ReportState.READY == found.state == chosen.state
    display = replace(report_display_settings(request.user, found), language=get_language() or "en")
    context = {
        "title": _("Compare: %(name)s") % {"name": report_name(found)},
        "report": found,
        "others": [(each, days_text(each)) for each in others],
        "chosen": chosen,
        "is_live": chosen is not None and chosen.state in UNFINISHED,
        "days": [days_text(found), days_text(chosen)] if chosen else [],
        "sections": compared_sections(found, chosen, display) if is_ready and chosen else [],
        "is_ready": is_ready,
        "may_ask": may_ask,
    }
    return render(request, "reports_app/pages/compare.html", context)


def _comparable(request: HttpRequest, found: Report) -> Any:
    """Return the other reports of this kind about the same device, fleet or devices, newest first."""
    same = {"kind": found.kind, "device": found.device_id, "fleet": found.fleet_id, "device_ids": found.device_ids}
    wanted = {
        f"{name}__isnull" if value is None else name: True if value is None else value for name, value in same.items()
    }
    unlike = {"range_start": found.range_start, "range_end": found.range_end}
    states = [*UNFINISHED, ReportState.READY]
    return visible_reports(request.user).filter(**wanted, state__in=states).exclude(**unlike).exclude(pk=found.pk)


def _ask_for_before(request: HttpRequest, found: Report) -> HttpResponse:
    start, end = days_before(found.range_start, found.range_end, found.zone)
    address = reverse("pages:report_compare", args=[found.pk])
    try:
        before = request_report(
            kind=found.kind,
            range_start=start,
            range_end=end,
            device=found.device,
            fleet=found.fleet,
            device_ids=found.device_ids,
            requested_by=request.user,
        )
    except InvalidReport as error:
        messages.error(request, str(error))
        return redirect(address)
    return redirect(f"{address}?with={before.pk}")
