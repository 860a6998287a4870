"""Dry runs: of all rules about an event, or of one rule, condition by condition, with the message. Nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifications_app.admin.rules.event_form import EventForm, input_of, stored_event
from notifications_app.admin.rules.trial import trial_context
from notifications_app.messages.rule_description import REASONS, rule_sentence
from notifications_app.models import Rule
from notifications_app.models.kinds import channel_choices
from notifications_app.queries.dry_run import Verdict, dry_run
from notifications_app.queries.rule_rows import NAMED
from tasks_app.admin.calls import form_errors, pick_reply
from tasks_app.admin.common import badge
from tasks_app.models import Device, Event

OUTCOMES = {
    "notify": ("success", _("Notified at once")),
    "hold": ("info", _("Notified later")),
    "wait": ("warning", _("Not yet")),
    "no": ("", _("Not notified")),
}
PICKABLE = {"device", "geofence"}
EVENT_INPUTS = {"device", *EventForm.base_fields, "geofence"}
# Buttons of the form of a rule and of its dry run: to try what stands in it, and to go on with it.
TRY, EDIT = "_try", "_edit"


class Asked:
    """The input of the page: an event that is described by the form, or the number of a stored one; or nothing yet."""

    def __init__(self, data: QueryDict, user: Any) -> None:
        self.problem = ""
        self.event: Event | None = None
        self.device: Device | None = None
        self.inside: frozenset[int] = frozenset()
        number = data.get("event", "")
        if number:
            self._take_stored(number, user)
            return
        self.form = EventForm(data if EVENT_INPUTS & data.keys() else None, user)
        if self.form.is_bound and self.form.is_valid():
            self.event, self.device, self.inside = self.form.event, self.form.device, self.form.inside

    def _take_stored(self, number: str, user: Any) -> None:
        found = stored_event(number, user)
        self.form = EventForm(None, user)
        if found is None:
            self.problem = str(_("There is no such event."))
            return
        self.form.initial = input_of(found)
        self.event, self.device = found, found.device

    @property
    def now(self) -> Any:
        """Return the time as which rules are asked: that of the event."""
        return self.event.occurred_at if self.event else timezone.now()


def dry_run_page(request: HttpRequest) -> HttpResponse:
    """Answer the form and the decisions of all rules. For those who may change rules. Raises PermissionDenied."""
    _require(request)
    asked = Asked(request.GET, request.user)
    context = {**_context(request, asked), "title": _("Dry run of an event")}
    if asked.event and asked.device:
        verdicts = dry_run(asked.event, asked.device, now=asked.now, inside=asked.inside)
        context["rows"] = [verdict_row(one, request) for one in verdicts]
    return TemplateResponse(request, "notifications_app/admin/dry_run.html", context)


def rule_dry_run_page(request: HttpRequest, rule_id: int) -> HttpResponse:
    """Answer the same for one rule, with each condition, the message, and the device's last days. Raises Http404."""
    _require(request)
    rule = Rule.objects.select_related("fleet").prefetch_related(*NAMED).filter(pk=rule_id).first()
    if rule is None:
        raise Http404
    context = _rule_context(request, rule, Asked(request.GET, request.user))
    return TemplateResponse(request, "notifications_app/admin/rule_dry_run.html", context)


def draft_dry_run_page(request: HttpRequest, form: forms.ModelForm[Rule], formsets: Sequence[Any]) -> HttpResponse:
    """Answer the same for a rule as it stands in its valid form.

    It is stored as it would be when it is saved, tried, and taken back before the answer: nobody else sees it.
    """
    with transaction.atomic():
        rule = form.save()
        for formset in formsets:
            formset.instance = rule
            formset.save()
        context = _rule_context(request, rule, Asked(request.POST, request.user))
        context["draft_inputs"] = [(name, one) for name, values in typed_in_rule(request.POST) for one in values]
        response = TemplateResponse(request, "notifications_app/admin/rule_dry_run.html", context).render()
        transaction.set_rollback(True)
    return response


def typed_in_rule(data: QueryDict) -> list[tuple[str, list[str]]]:
    """Return the input of the rule's form, without that of the event and the buttons."""
    others = {*EVENT_INPUTS, "event", "csrfmiddlewaretoken", TRY, EDIT}
    return [(name, [str(one) for one in values]) for name, values in data.lists() if name not in others]


def typed_of_event(data: QueryDict) -> list[tuple[str, str]]:
    """Return the input that describes the event."""
    return [(name, str(data[name])) for name in sorted(EVENT_INPUTS & data.keys())]


def _rule_context(request: HttpRequest, rule: Rule, asked: Asked) -> dict[str, Any]:
    context = {**_context(request, asked), "title": _("Dry run of %(rule)s") % {"rule": rule.name}, "rule": rule}
    context["sentence"] = rule_sentence(rule)
    if asked.event and asked.device:
        trial = trial_context(rule, asked.event, asked.device, now=asked.now, inside=asked.inside)
        rows = [verdict_row(one, request) | {"ways": trial["ways"].get(one.user_id, [])} for one in trial["verdicts"]]
        context |= {**trial, "rows": [row for row in rows if row["user_id"] is not None]}
    return context


def dry_run_check(request: HttpRequest) -> HttpResponse:
    """Answer what is wrong with the described event so far."""
    _require(request)
    form = EventForm(request.POST or request.GET, request.user)
    form.is_valid()
    return JsonResponse({"errors": form_errors(form)})


def pick_view(request: HttpRequest, kind: str) -> HttpResponse:
    """Answer the devices or geofences that the user may see and whose names fit what is typed. Raises Http404."""
    _require(request)
    if kind not in PICKABLE:
        raise Http404
    return pick_reply(request, kind)


def verdict_row(verdict: Verdict, request: HttpRequest) -> dict[str, Any]:
    """Return a decision as a row of a table; its rule leads to the rule's own dry run."""
    kind, text = OUTCOMES[verdict.outcome.value]
    labels = dict(channel_choices())
    query = request.GET.urlencode()
    return {
        "user_id": verdict.user_id,
        "user": verdict.user or _("everyone it names"),
        "rule": verdict.rule,
        "rule_url": verdict.rule_id
        and f"{reverse('admin:notifications_app_rule_dry_run', args=[verdict.rule_id])}?{query}",
        "badge": badge(kind, text),
        "reason": REASONS[verdict.reason],
        "channels": ", ".join(str(labels.get(one, one)) for one in verdict.channels),
        "due_at": verdict.due_at,
    }


def _context(request: HttpRequest, asked: Asked) -> dict[str, Any]:
    return {
        **site.each_context(request),
        "opts": Rule._meta,
        "form": asked.form,
        "problem": asked.problem,
        "event": asked.event,
        "check_url": reverse("admin:notifications_app_rule_dry_run_check"),
    }


def _require(request: HttpRequest) -> None:
    if not request.user.has_perm("notifications_app.change_rule"):
        raise PermissionDenied
