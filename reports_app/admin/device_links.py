"""The link from a device's page in the admin to its reports."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from tasks_app.admin.devices import Link, register_positions_link


def reports_link(request: HttpRequest, device_id: int) -> Link | None:
    """Return the link, None for users who may not see reports."""
    if not request.user.has_perm("reports_app.view_report"):
        return None
    return Link(_("Its reports"), f"{reverse('admin:reports_app_report_changelist')}?device__id__exact={device_id}")


register_positions_link(reports_link)
