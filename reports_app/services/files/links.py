"""Links to report files that work without a log-in, as long as the report is kept and their user may see it.

A link contains a report, a user and a format, and is signed. It gives the access that this user has: it stops working
when the user is deactivated or loses the fleet, and when the report is deleted.
"""

from __future__ import annotations

import re
from contextlib import suppress
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
    """The target of a link; `format` is empty for the page with all formats."""

    report: Report
    user: Any
    format: str


def report_link(report: Report, user: Any, format: str = "") -> str:
    """Return the URL of the report's file in `format`, or of a page with all formats, for this user."""
    token = signing.dumps([report.pk, user.pk, format], salt=SALT)
    return settings.SITE_URL.rstrip("/") + reverse("shared-report", args=[token])


def linked_reports(text: str) -> set[int]:
    """Return the primary keys of the reports that the links in `text` lead to, also links that no longer work."""
    path = reverse("shared-report", args=["-"]).removesuffix("-")
    tokens = re.findall(re.escape(path) + r"([\w:-]+)", text)
    found = set[int]()
    for token in tokens:
        with suppress(signing.BadSignature):
            found.add(signing.loads(token, salt=SALT)[0])
    return found


def read_link(token: str) -> SharedReport | None:
    """Return the target of a link, None if the signature is wrong or expired, or its user may not see the report."""
    max_age = timedelta(days=days_to_keep("reports"))
    try:
        report_id, user_id, format = signing.loads(token, salt=SALT, max_age=max_age)
    except signing.BadSignature:
        return None
    user = get_user_model()._default_manager.filter(pk=user_id, is_active=True).first()
    report = None if user is None else visible_report(user, report_id)
    return None if report is None else SharedReport(report, user, format)
