"""Commands of one request to many devices: the filter of the list for them, and what became of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tasks_app.models import Command, CommandState
from tasks_app.queries.commands import states_of_batch
from tasks_app.utils.clock import exact_time
from tasks_app.web.commands import STATE_KINDS


class BatchFilter(SimpleListFilter):
    """Stands beside the list only where the address names a batch, as sending to many devices and a command's page do."""

    title = gettext_lazy("sent together")
    parameter_name = "batch"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        text = self.value()
        return [(text, _label_of(text))] if text else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Command]) -> QuerySet[Command]:
        if not self.value():
            return queryset
        batch = _read(self.value() or "")
        return queryset.filter(batch=batch) if batch else queryset.none()


def batch_of(command: Command) -> dict[str, Any] | None:
    """Return how many were sent together with the command, in which states, and where the list shows them."""
    if command.batch is None:
        return None
    counts = states_of_batch(command.batch)
    total = sum(counts.values())
    label = ngettext("One of %d command sent together", "One of %d commands sent together", total) % total
    return {"label": label, "url": _address_of(command.batch), "states": _states(command.batch, counts)}


def batch_of_list(text: str) -> dict[str, Any] | None:
    """Return what the list says above the commands of the batch that its address names; None where it names none."""
    if not text:
        return None
    batch = _read(text)
    return {"label": _label_of(text), "states": _states(batch, states_of_batch(batch)) if batch else []}


def _read(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _address_of(batch: UUID) -> str:
    return f"{reverse('admin:tasks_app_command_changelist')}?batch={batch}"


def _states(batch: UUID, counts: dict[str, int]) -> list[dict[str, str]]:
    return [
        {
            "text": f"{state.label}: {counts[state]}",
            "kind": STATE_KINDS[state],
            "url": f"{_address_of(batch)}&state__exact={state}",
        }
        for state in CommandState
        if state in counts
    ]


def _label_of(text: str) -> str:
    batch = _read(text)
    rows = Command.objects.filter(batch=batch) if batch else Command.objects.none()
    first = rows.order_by("created_at", "pk").first()
    if first is None:
        return _("Nothing: there is no such batch")
    count = rows.count()
    devices = ngettext("%d device", "%d devices", count) % count
    return f"{first.get_type_display()} · {devices} · {exact_time(first.created_at)}"
