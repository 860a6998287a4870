"""The dry run of an event: the people whom rules would notify, and a reason for every other one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from notifications_app.messages.rule_description import REASONS
from notifications_app.models import Rule
from notifications_app.models.kinds import channel_choices
from notifications_app.queries.dry_run import Verdict, dry_run
from tasks_app.admin.common import badge
from tasks_app.models import Device, Event, EventKind

OUTCOMES = {
    "notify": ("success", _("Notified at once")),
    "hold": ("info", _("Notified later")),
    "wait": ("warning", _("Not yet")),
    "no": ("", _("Not notified")),
}


class DryRunForm(forms.Form):
    """An event that happened, or one as described."""

    event = forms.IntegerField(
        label=_("Number of an event"), required=False, min_value=1, widget=UnfoldAdminIntegerFieldWidget
    )
    device = forms.CharField(
        label=_("or identifier of a device"), max_length=128, required=False, widget=UnfoldAdminTextInputWidget
    )
    kind = forms.ChoiceField(label=_("Kind"), choices=EventKind.choices, required=False, widget=UnfoldAdminSelectWidget)
    alarm = forms.CharField(label=_("Alarm"), max_length=40, required=False, widget=UnfoldAdminTextInputWidget)
    speed_kph = forms.FloatField(
        label=_("Speed (km/h)"), min_value=0, max_value=2000, required=False, widget=UnfoldAdminTextInputWidget
    )

    def clean(self) -> dict[str, Any]:
        """The event under `found`, with its device at hand."""
        cleaned = super().clean() or {}
        if cleaned.get("event"):
            stored = Event.objects.select_related("device__fleet").filter(pk=cleaned["event"]).first()
            if stored is None:
                raise forms.ValidationError({"event": _("There is no such event.")})
            return {**cleaned, "found": stored}
        device = Device.objects.select_related("fleet").filter(unique_id=cleaned.get("device", "")).first()
        if device is None:
            raise forms.ValidationError({"device": _("There is no such device.")})
        notified = {"alarm": cleaned.get("alarm"), "speed_kph": cleaned.get("speed_kph")}
        data = {name: value for name, value in notified.items() if value not in (None, "")}
        event = Event(device=device, kind=cleaned.get("kind") or "alarm", occurred_at=timezone.now(), data=data)
        return {**cleaned, "found": event}


def dry_run_page(request: HttpRequest) -> HttpResponse:
    """The form, and below it the answer to what was asked. For those who may change rules. Raises PermissionDenied."""
    if not request.user.has_perm("notifications_app.change_rule"):
        raise PermissionDenied
    asked = DryRunForm(request.GET) if request.GET else None
    context: dict[str, Any] = {
        **site.each_context(request),
        "opts": Rule._meta,
        "title": _("Dry run of an event"),
        "form": asked or DryRunForm(),
    }
    if asked is not None and asked.is_valid():
        event = asked.cleaned_data["found"]
        context["event"] = event
        context["rows"] = [_row(one) for one in dry_run(event, event.device, now=timezone.now())]
    return TemplateResponse(request, "notifications_app/admin/dry_run.html", context)


def _row(verdict: Verdict) -> dict[str, Any]:
    kind, text = OUTCOMES[verdict.outcome.value]
    labels = dict(channel_choices())
    return {
        "user": verdict.user or _("everyone it names"),
        "rule": verdict.rule,
        "badge": badge(kind, text),
        "reason": REASONS[verdict.reason],
        "channels": ", ".join(str(labels.get(one, one)) for one in verdict.channels),
        "due_at": verdict.due_at,
    }
