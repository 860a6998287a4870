"""Log-in with a second factor: the page of the code, and the one on which a person sets it up."""

from __future__ import annotations

from typing import Any

import redis
import segno
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from tasks_app.services.accounts import (
    TooManyAttempts,
    has_second_factor,
    key_address,
    key_text,
    new_key,
    recovery_codes_left,
    remove_second_factor,
    renew_recovery_codes,
    set_second_factor,
)
from tasks_app.web.second_factor import (
    MAX_CODE_CHARS,
    WrongCode,
    check_code,
    finish_log_in,
    mark_verified,
    pending_log_in,
)

_KEY = "two_factor_key"


class CodeForm(forms.Form):
    """A code of an authenticator app, or a recovery code."""

    use_required_attribute = False
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=MAX_CODE_CHARS,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "text", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "label_suffix": ""})

    def check(self, request: HttpRequest, user: Any) -> bool:
        """Whether the code is good; otherwise the field says what is wrong."""
        if not self.is_valid():
            return False
        try:
            check_code(request, user, self.cleaned_data["code"])
        except WrongCode:
            self.add_error("code", _("This code is wrong, or was used already."))
        except TooManyAttempts:
            self.add_error("code", _("Too many failed logins; try again later."))
        except redis.RedisError:
            self.add_error("code", _("Redis does not answer; try again later."))
        return self.is_valid()


@never_cache
def log_in_code(request: HttpRequest) -> HttpResponse:
    """The second step of a log-in."""
    pending = pending_log_in(request)
    if pending is None:
        return redirect("pages:login")
    user, next_url = pending
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.check(request, user):
        finish_log_in(request, user)
        return redirect(next_url)
    context = {"title": _("Log in"), "form": form, "name": user.get_username()}
    return render(request, "tasks_app/pages/log_in_code.html", context)


@never_cache
@login_required
def two_factor(request: Any) -> HttpResponse:
    """Set the second factor up; or, where it is on, renew the recovery codes or switch it off with a code."""
    if not has_second_factor(request.user):
        return _set_up(request)
    if request.session.pop(_KEY, None):
        return _set_up_elsewhere(request)
    return _change(request)


def _set_up(request: Any) -> HttpResponse:
    key = request.session.get(_KEY) or new_key()
    request.session[_KEY] = key
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        codes = set_second_factor(user=request.user, key=key, code=form.cleaned_data["code"])
        if codes:
            del request.session[_KEY]
            mark_verified(request)
            return _codes(request, codes)
        if has_second_factor(request.user):
            return _set_up_elsewhere(request)
        form.add_error("code", _("This code is wrong. Look whether the clock of your phone is right."))
    context = {
        "title": _("Two-factor log-in"),
        "form": form,
        "picture": _picture(key_address(request.user, key)),
        "key": key_text(key),
        "is_demanded": settings.STAFF_TWO_FACTOR and request.user.is_staff,
    }
    return render(request, "tasks_app/pages/two_factor_set_up.html", context)


def _set_up_elsewhere(request: HttpRequest) -> HttpResponse:
    """Say that the key which this session showed is no good: an app that has it makes wrong codes only."""
    request.session.pop(_KEY, None)
    messages.warning(
        request, _("Two-factor log-in was set up elsewhere meanwhile, with another key than the one shown here.")
    )
    return redirect("pages:two_factor")


def _change(request: Any) -> HttpResponse:
    form = CodeForm(request.POST or None)
    may_remove = not (settings.STAFF_TWO_FACTOR and request.user.is_staff)
    if request.method == "POST" and form.check(request, request.user):
        if "remove" not in request.POST:
            return _codes(request, renew_recovery_codes(user=request.user))
        if may_remove:
            remove_second_factor(user=request.user)
            messages.success(request, _("Two-factor log-in is off."))
            return redirect("pages:two_factor")
        form.add_error(None, _("Staff need a second factor here."))
    left = recovery_codes_left(request.user)
    context = {"title": _("Two-factor log-in"), "form": form, "left": left, "may_remove": may_remove}
    return render(request, "tasks_app/pages/two_factor.html", context)


def _codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    context = {"title": _("Recovery codes"), "codes": codes}
    return render(request, "tasks_app/pages/recovery_codes.html", context)


def _picture(address: str) -> SafeString:
    """The QR code as SVG in the page: drawn here, without a style or a script."""
    drawing = segno.make(address, error="m").svg_inline(scale=5, border=4, dark="#000", light="#fff")
    return mark_safe(drawing)  # noqa: S308 - segno's own, of numbers only
