"""Words for models of other packages that have no translatable names of their own."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt, AccessLog
from django.apps import apps
from django.utils.translation import gettext_lazy as _
from knox.models import AuthToken

from tasks_app.utils.clock import exact_time

APPS = {"axes": _("Log-ins"), "knox": _("API tokens"), "django_q": _("Background work")}
TOKEN_FIELDS = {
    "user": _("user"),
    "created": _("created"),
    "expiry": _("expires"),
    "token_key": _("beginning"),
    "digest": _("digest"),
}


def give_names() -> None:
    """Give the names and texts that the pages show. Nothing of it is stored, nor seen by migrations."""
    for label, name in APPS.items():
        apps.get_app_config(label).verbose_name = name
    AuthToken._meta.verbose_name, AuthToken._meta.verbose_name_plural = _("API token"), _("API tokens")
    for field, name in TOKEN_FIELDS.items():
        AuthToken._meta.get_field(field).verbose_name = name
    AccessAttempt.__str__ = AccessLog.__str__ = _attempt_text


def _attempt_text(attempt: Any) -> str:
    return f"{attempt.username or attempt.ip_address} · {exact_time(attempt.attempt_time)}"
