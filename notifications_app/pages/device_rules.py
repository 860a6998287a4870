"""The rules that watch a device, on its page."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from notifications_app.messages.rule_description import rule_sentence
from notifications_app.models import Rule
from notifications_app.queries.rule_rows import VIEW_RULES, visible_rules
from tasks_app.models import Device
from tasks_app.pages.device import DevicePart, PartLine
from tasks_app.queries.access import has_everywhere, has_right

MOST_RULES = 50


def device_rules(request: HttpRequest, device: Device) -> DevicePart | None:
    """Return the rules, None for users who may see none of this fleet. Staff are led to their pages."""
    if not has_right(request.user, device.fleet, VIEW_RULES):
        return None
    of_fleet = visible_rules(request.user).filter(Q(fleet=device.fleet) | Q(fleet=None), is_active=True)
    # A rule without devices is about all of them.
    found = of_fleet.filter(Q(devices=None) | Q(devices=device)).distinct().order_by("name", "pk")[:MOST_RULES]
    lines = [PartLine(rule.name, rule_sentence(rule), _address(request, rule)) for rule in found]
    return DevicePart(
        _("Rules that watch it"), lines, _("No rule watches this device: nobody is notified of its events.")
    )


def _address(request: HttpRequest, rule: Rule) -> str:
    """Return the address of the rule's page in the admin, "" for those who may not open it."""
    is_staff = has_everywhere(request.user, VIEW_RULES)
    return reverse("admin:notifications_app_rule_change", args=[rule.pk]) if is_staff else ""
