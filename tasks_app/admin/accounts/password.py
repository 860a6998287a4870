"""The page on which people change their own password."""

from __future__ import annotations

import redis
from django.contrib import admin
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from unfold.forms import AdminOwnPasswordChangeForm

from tasks_app.services.accounts import TooManyAttempts, admit, succeeded


class OwnPasswordForm(AdminOwnPasswordChangeForm):
    """With limits for the old password, which a session that was stolen could guess at here."""

    def clean_old_password(self) -> str:
        try:
            attempt = admit(username=self.user.get_username(), address="", device=f"old-password:{self.user.pk}")
        except TooManyAttempts as error:
            raise ValidationError(_("Too many failed logins; try again later."), "locked_out") from error
        except redis.RedisError as error:
            raise ValidationError(_("Redis does not answer; try again later."), "redis_unavailable") from error
        password = str(super().clean_old_password())
        succeeded(attempt)
        return password


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
