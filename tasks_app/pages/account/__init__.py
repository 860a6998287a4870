"""Sign-in and sign-out, and a person's own password, sessions and tokens."""

from django.urls import path

from tasks_app.pages.account.access import (
    access,
    everything_end,
    other_sessions_end,
    session_end,
    token_add,
    token_revoke,
)
from tasks_app.pages.account.password import OwnPasswordView
from tasks_app.pages.account.sign_in import SignInView, sign_in, sign_out
from tasks_app.pages.account.two_factor import log_in_code, two_factor

account_urls = [
    path("login/", sign_in, name="login"),
    path("login/code/", log_in_code, name="log_in_code"),
    path("account/two-factor/", two_factor, name="two_factor"),
    path("logout/", sign_out, name="logout"),
    path("account/password/", OwnPasswordView.as_view(), name="password"),
    path("account/access/", access, name="access"),
    path("account/access/end-everything/", everything_end, name="everything_end"),
    path("account/access/sessions/end-others/", other_sessions_end, name="other_sessions_end"),
    path("account/access/sessions/<slug:session_hash>/end/", session_end, name="session_end"),
    path("account/access/tokens/add/", token_add, name="token_add"),
    path("account/access/tokens/<str:token_key>/revoke/", token_revoke, name="token_revoke"),
]

__all__ = ["SignInView", "account_urls", "sign_out"]
