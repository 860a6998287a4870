"""A person's own destinations: added, tested, switched on again, removed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from notifications_app.channels.base import InvalidDestination
from notifications_app.forms import DestinationForm
from notifications_app.models import Destination
from notifications_app.queries.deliveries import latest_tests, own_destinations
from notifications_app.services.destinations import TooManyDestinations, TooManyTests, send_test, switch_on
from notifications_app.services.destinations import add_destination as store_destination


class OwnDestinationForm(DestinationForm):
    """A destination of the user who fills it in, whose other destinations have other names."""

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if Destination.objects.filter(user=self.instance.user_id, kind=self.data.get("kind"), name=name).exists():
            raise ValidationError(_("You have a destination of this name already."))
        return name


@login_required
def destinations(request: HttpRequest) -> HttpResponse:
    tests = latest_tests(request.user)
    rows = [(row, tests.get(row.pk)) for row in own_destinations(request.user)]
    return render(request, "notifications_app/pages/destinations.html", {"title": _("Destinations"), "rows": rows})


@never_cache
@login_required
def add_destination(request: Any) -> HttpResponse:
    """Add a destination; the signing secret of a webhook is shown this once."""
    form = OwnDestinationForm(request.POST or None, instance=Destination(user_id=request.user.pk), label_suffix="")
    if request.method == "POST" and form.is_valid() and (saved := _stored(form, request.user)) is not None:
        context = {"title": saved.name, "destination": saved, "secret": saved.secrets.get("signing_secret")}
        return render(request, "notifications_app/pages/destination_added.html", context)
    return render(
        request, "notifications_app/pages/destination_add.html", {"title": _("Add a destination"), "form": form}
    )


def _stored(form: OwnDestinationForm, user: Any) -> Destination | None:
    """Store the destination of a form; return None where it is refused, and say why in the form."""
    try:
        return store_destination(user=user, **{name: form.cleaned_data[name] for name in ("kind", "name", "url")})
    except TooManyDestinations:
        form.add_error(None, _("There is no room for more destinations: remove one first."))
    except InvalidDestination as error:
        form.add_error("url", str(error))
    except ValidationError as error:  # Of two that were sent at once, the other one came first.
        form.add_error(None, error.messages)
    return None


@require_POST
@login_required
def test_destination(request: HttpRequest, destination_id: int) -> HttpResponse:
    destination = _own(request, destination_id)
    try:
        send_test(user=request.user, kind=destination.kind, destination=destination, now=timezone.now())
    except TooManyTests:
        messages.error(request, _("Too many tests were sent; wait some minutes."))
    else:
        messages.success(
            request, _("A test is on its way. Its answer appears below, at the latest when you reload this page.")
        )
    return redirect("pages:destinations")


@require_POST
@login_required
def enable_destination(request: HttpRequest, destination_id: int) -> HttpResponse:
    switch_on(_own(request, destination_id))
    return redirect("pages:destinations")


@login_required
def delete_destination(request: HttpRequest, destination_id: int) -> HttpResponse:
    """Ask first, then remove it."""
    destination = _own(request, destination_id)
    if request.method == "POST":
        destination.delete()
        messages.success(request, _("%(name)s was removed.") % {"name": destination.name})
        return redirect("pages:destinations")
    context = {"title": _("Remove %(name)s?") % {"name": destination.name}, "destination": destination}
    return render(request, "notifications_app/pages/destination_delete.html", context)


def _own(request: HttpRequest, destination_id: int) -> Destination:
    return get_object_or_404(own_destinations(request.user), pk=destination_id)
