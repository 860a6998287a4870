"""The link from a device's page in the admin to the rules that name it."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from tasks_app.admin.devices import Link, register_positions_link


def rules_link(request: HttpRequest, device_id: int) -> Link | None:
    """Return the link, None for users who may not see rules."""
    if not request.user.has_perm("notifications_app.view_rule"):
        return None
    return Link(
        _("Rules that name it"), f"{reverse('admin:notifications_app_rule_changelist')}?devices__id__exact={device_id}"
    )


register_positions_link(rules_link)
