"""The page on which people change their own password."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from unfold.forms import AdminOwnPasswordChangeForm

from tasks_app.web.own_password import LimitsOldPassword


class OwnPasswordForm(LimitsOldPassword, AdminOwnPasswordChangeForm):
    pass


def own_password(request: HttpRequest) -> HttpResponseBase:
    """In place of the admin's page of the same address, which has no limits."""
    request.current_app = admin.site.name
    view = PasswordChangeView.as_view(
        form_class=OwnPasswordForm,
        success_url=reverse("admin:password_change_done"),
        template_name=admin.site.password_change_template or "registration/password_change_form.html",
        extra_context=admin.site.each_context(request),
    )
    return view(request)
