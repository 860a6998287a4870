"""The filter of the list of commands for those of one request to many devices."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tasks_app.models import Command
from tasks_app.utils.clock import exact_time


class BatchFilter(SimpleListFilter):
    """Stands beside the list only where the address names a batch, as sending to many devices and a command's page do."""

    title = gettext_lazy("sent together")
    parameter_name = "batch"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        text = self.value()
        return [(text, self._label())] if text else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Command]) -> QuerySet[Command]:
        if not self.value():
            return queryset
        batch = self._batch()
        return queryset.filter(batch=batch) if batch else queryset.none()

    def _batch(self) -> UUID | None:
        try:
            return UUID(self.value() or "")
        except ValueError:
            return None

    def _label(self) -> str:
        batch = self._batch()
        rows = Command.objects.filter(batch=batch) if batch else Command.objects.none()
        first = rows.order_by("created_at", "pk").first()
        if first is None:
            return _("nothing: there is no such batch")
        count = rows.count()
        devices = ngettext("%d device", "%d devices", count) % count
        return f"{first.get_type_display()} · {devices} · {exact_time(first.created_at)}"
