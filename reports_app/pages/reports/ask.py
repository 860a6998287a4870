"""Asking for a report: first its kind, each with a sentence, then a form with the fields that the kind uses."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from reports_app.models import Report, ReportKind
from reports_app.queries import ASK_FOR_REPORTS, REPORTABLE
from reports_app.services.requests import DEVICE_KINDS, request_report
from reports_app.web import KIND_SENTENCES, PRESET_LABELS, AskedFor
from tasks_app.models import Fleet
from tasks_app.queries.access import rights_somewhere, visible_devices, visible_fleets
from tasks_app.web.date_inputs import DateInput
from tasks_app.web.pickers import PickRowsField

MOST_AT_ONCE = 20


class AskForm(AskedFor, forms.Form):
    """The fields that a kind uses. For a kind about one device, each chosen device gets a report of its own."""

    devices = forms.Field(label=gettext_lazy("Devices"), required=False)
    fleet = forms.ModelChoiceField(label=gettext_lazy("Fleet"), queryset=Fleet.objects.none(), required=False)
    days = forms.ChoiceField(
        label=gettext_lazy("Days"),
        choices=list(PRESET_LABELS.items()),
        initial="yesterday",
        help_text=gettext_lazy(
            "Days of the fleet's own time zone; of several fleets, of the one they share, else the server's."
        ),
    )
    first_day = forms.DateField(
        label=gettext_lazy("First day"),
        required=False,
        widget=DateInput(),
        help_text=gettext_lazy("For days of my choice."),
    )
    last_day = forms.DateField(
        label=gettext_lazy("Last day"),
        required=False,
        widget=DateInput(),
        help_text=gettext_lazy("For days of my choice."),
    )
    notify = forms.BooleanField(label=gettext_lazy("Notify me when it is ready"), required=False)

    def __init__(self, kind: str, user: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.kind, self.asker = kind, user
        devices = visible_devices(user, ASK_FOR_REPORTS).select_related("fleet")
        self.fields["devices"] = PickRowsField(REPORTABLE, user, devices, label=gettext_lazy("Devices"), required=False)
        self.fields["fleet"].queryset = visible_fleets(user, ASK_FOR_REPORTS)
        if kind in DEVICE_KINDS:
            del self.fields["fleet"]
            self.fields["devices"].required = True
            self.fields["devices"].help_text = _(
                "Each gets a report of its own. Type a part of a name, or names with commas between them."
            )
        elif kind == ReportKind.DAILY:
            del self.fields["devices"]
            self.fields["fleet"].required = True
        else:
            self.fields["devices"].help_text = _(
                "None: all of the fleet; without a fleet, all that you see. Type a part of a name."
            )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = forms.Form.clean(self) or self.cleaned_data
        if self.errors:
            return data
        data["kind"] = self.kind
        if self.kind not in DEVICE_KINDS:
            data["all_asked"] = [self.asked_of(data)]
        elif len(data["devices"]) > MOST_AT_ONCE:
            self.add_error("devices", _("Choose at most %(most)s devices at once.") % {"most": MOST_AT_ONCE})
        else:
            data["all_asked"] = self._each(data)
        return data

    def _each(self, data: dict[str, Any]) -> list[dict[str, Any] | None]:
        """Return the arguments of one request for each device, up to the first that cannot be."""
        found = []
        for device in data["devices"]:
            found.append(self.asked_of({**data, "device": device}))
            if found[-1] is None:
                break
        return found


@login_required
@require_safe
def ask(request: HttpRequest) -> HttpResponse:
    """Let the user choose what the report is about."""
    _check_right(request)
    kinds = [(kind, ReportKind(kind).label, sentence) for kind, sentence in KIND_SENTENCES.items()]
    query = request.GET.urlencode()
    context = {"title": _("Ask for a report"), "kinds": kinds, "query": f"?{query}" if query else ""}
    return render(request, "reports_app/pages/ask.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def ask_kind(request: HttpRequest, kind: str) -> HttpResponse:
    """Show the form of a kind; ?device= and ?day= fill it in."""
    _check_right(request)
    if kind not in KIND_SENTENCES:
        raise Http404
    if request.method == "POST":
        form = AskForm(kind, request.user, request.POST)
        if form.is_valid():
            return _answer(request, [_request(request, form, asked) for asked in form.cleaned_data["all_asked"]])
    else:
        form = AskForm(kind, request.user, initial=_initial(request))
    context = {"title": ReportKind(kind).label, "sentence": KIND_SENTENCES[kind], "form": form}
    return render(request, "reports_app/pages/ask_kind.html", context)


def _check_right(request: HttpRequest) -> None:
    if not rights_somewhere(request.user, {ASK_FOR_REPORTS}):
        raise PermissionDenied(_("This needs the role Operator in a fleet."))


def _initial(request: HttpRequest) -> dict[str, Any]:
    initial: dict[str, Any] = {"days": request.GET.get("days") or "yesterday"}
    if request.GET.get("device", "").isdecimal() and len(request.GET["device"]) < 19:
        initial["devices"] = [int(request.GET["device"])]
    if day := request.GET.get("day"):
        initial |= {"days": "custom", "first_day": day, "last_day": day}
    return initial


def _request(request: HttpRequest, form: AskForm, asked: dict[str, Any]) -> Report:
    return request_report(**asked, requested_by=request.user, wants_notice=form.cleaned_data["notify"])


def _answer(request: HttpRequest, made: list[Report]) -> HttpResponse:
    text = ngettext("The report was asked for.", "%d reports were asked for.", len(made))
    messages.success(request, text % len(made) if len(made) > 1 else text)
    return redirect("pages:reports") if len(made) > 1 else redirect("pages:report", made[0].pk)
