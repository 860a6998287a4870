"""Sign-in and sign-out, at /login/ and /logout/ and at the admin's addresses.

Limits, lock-out and records of log-ins belong to the authentication backends and to `tasks_app.web.login`, so that they
hold for this page as for the API.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from tasks_app.services.accounts import has_second_factor
from tasks_app.web.second_factor import wait_for_code


class SignInView(LoginView):
    """Signs a person in, and leads on to a page that this person may open.

    `home` is the name of the page after a sign-in that began at no other one.
    """

    template_name = "tasks_app/pages/sign_in.html"
    redirect_authenticated_user = True
    extra_context = {"title": _("Log in")}
    home = "pages:home"

    def get_default_redirect_url(self) -> str:
        return reverse(self.home if self.request.user.is_staff else "pages:home")

    def get_redirect_url(self) -> str:  # type: ignore[override]
        """Return the page that was asked for; nothing if it is another site, a sign-in page, or one for staff only."""
        url: str = super().get_redirect_url()
        if url.startswith((reverse("pages:login"), reverse("admin:login"), reverse("pages:logout"))):
            return ""
        is_for_staff = url.startswith(reverse("admin:index"))
        return "" if is_for_staff and self.request.user.is_authenticated and not self.request.user.is_staff else url

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Log in, or ask for the code of an account that has a second factor."""
        user = form.get_user()
        if not has_second_factor(user):
            return super().form_valid(form)
        # Whether the page may be opened is asked of the user who is about to log in.
        self.request.user = user
        wait_for_code(self.request, user, self.get_success_url())
        return redirect("pages:log_in_code")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        context["form"].label_suffix = ""
        return context


sign_in = SignInView.as_view()
sign_out = LogoutView.as_view(next_page="pages:login")
