"""Links to report files that work without logging in, for as long as the report is kept and their reader may see it.

A link names a report, a user and a format; it is signed, so nothing in it can be changed. Whoever holds it reads what
that user may read: once the user is locked, or lost the fleet, or the report is gone, there is nothing at its address.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import signing
from django.urls import reverse

from reports_app.models import Report
from reports_app.queries import visible_report
from tasks_app.queries.retention import days_to_keep

SALT = "reports_app.links"


@dataclass(frozen=True, slots=True)
class SharedReport:
    """What a link leads to; `format` is empty for the page that offers all."""

    report: Report
    user: Any
    format: str


def report_link(report: Report, user: Any, format: str = "") -> str:
    """The address of the report's file in `format`, or of a page that offers every format, for this user."""
    token = signing.dumps([report.pk, user.pk, format], salt=SALT)
    return settings.SITE_URL.rstrip("/") + reverse("shared-report", args=[token])


def read_link(token: str) -> SharedReport | None:
    """What a link leads to; None when it is not ours, too old, or its user may not see the report."""
    max_age = timedelta(days=days_to_keep("reports"))
    try:
        report_id, user_id, format = signing.loads(token, salt=SALT, max_age=max_age)
    except signing.BadSignature:
        return None
    user = get_user_model()._default_manager.filter(pk=user_id, is_active=True).first()
    report = None if user is None else visible_report(user, report_id)
    return None if report is None else SharedReport(report, user, format)
