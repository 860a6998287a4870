"""The page on which members change their own password."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpResponse
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks_app.web.own_password import LimitsOldPassword


class OwnPasswordForm(LimitsOldPassword, PasswordChangeForm):
    pass


class OwnPasswordView(PasswordChangeView):
    """Changes the password. Other sessions and all tokens of the account end with the old one."""

    form_class = OwnPasswordForm
    template_name = "tasks_app/pages/password.html"
    success_url = reverse_lazy("pages:password")
    extra_context = {"title": gettext_lazy("Password")}

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "label_suffix": ""}

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, _("Your password was changed. Other sessions and all tokens have ended."))
        return super().form_valid(form)
