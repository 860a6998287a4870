"""Sign-in and sign-out."""

from django.urls import path

from tasks_app.pages.account.sign_in import SignInView, sign_in, sign_out

account_urls = [
    path("login/", sign_in, name="login"),
    path("logout/", sign_out, name="logout"),
]

__all__ = ["SignInView", "account_urls", "sign_out"]
