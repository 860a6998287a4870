"""Filters of the audit's list. Their choices are the known ones: distinct values of so large a table are slow to find."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy

from tasks_app.models import AuditEntry
from tasks_app.services.audit import VERBS, watched_models

WAYS = {
    "api": "API",
    "admin": gettext_lazy("Admin"),
    "pages": gettext_lazy("Pages"),
    "ingest": gettext_lazy("Device"),
    "shell": gettext_lazy("Shell"),
    "command": gettext_lazy("Command"),
    "job": gettext_lazy("Job"),
}

# What is no model, or has a name of the library that it is of.
_OBJECT_TYPES = {
    "queue": gettext_lazy("Queue"),
    "task": gettext_lazy("Task"),
    "worker": gettext_lazy("Worker"),
    "cluster": gettext_lazy("Cluster"),
    "otp_totp.totpdevice": gettext_lazy("Authenticator app"),
    "otp_static.staticdevice": gettext_lazy("Recovery codes"),
    "tasks_app.tokendetails": gettext_lazy("Details of a token"),
}


def object_type_name(label: str) -> str:
    """Return the words for a kind of object: a model's name, the kind itself for what is no model (queue, worker)."""
    if label in _OBJECT_TYPES:
        return str(_OBJECT_TYPES[label])
    try:
        return capfirst(str(apps.get_model(label)._meta.verbose_name))
    except (LookupError, ValueError):
        return label


class _ExactFilter(SimpleListFilter):
    field = ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(**{self.field: self.value()}) if self.value() else queryset


class VerbFilter(_ExactFilter):
    title = gettext_lazy("action")
    parameter_name = field = "verb"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(((verb, str(label)) for verb, label in VERBS.items()), key=lambda one: one[1])


class ObjectTypeFilter(_ExactFilter):
    title = gettext_lazy("kind of object")
    parameter_name = field = "object_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        labels = [*(model._meta.label_lower for model in watched_models()), "tasks_app.job", "queue", "task", "worker"]
        return sorted(((label, object_type_name(label)) for label in labels), key=lambda one: one[1])


class WayFilter(_ExactFilter):
    title = gettext_lazy("way")
    parameter_name = field = "way"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(way, str(name)) for way, name in WAYS.items()]
