"""Filters of the audit's list. Their choices are the known ones: distinct values of so large a table are slow to find."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _
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
        names = {model._meta.label_lower: capfirst(str(model._meta.verbose_name)) for model in watched_models()}
        others = {"tasks_app.job": _("Job"), "queue": _("Queue"), "task": _("Task"), "worker": _("Worker")}
        return sorted({**names, **others}.items(), key=lambda one: one[1])


class WayFilter(_ExactFilter):
    title = gettext_lazy("way")
    parameter_name = field = "way"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(way, str(name)) for way, name in WAYS.items()]
