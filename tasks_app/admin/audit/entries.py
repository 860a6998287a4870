"""Audit entries: by person, action, object and time, to look at and to export."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from tasks_app.admin.audit.filters import WAYS, ObjectTypeFilter, VerbFilter, WayFilter, object_type_name
from tasks_app.admin.common import MISSING, ReadOnlyAdmin, badge, short_json
from tasks_app.admin.exchange import ExportAdmin
from tasks_app.admin.long_lists import LongListAdmin
from tasks_app.admin.resources import AuditResource
from tasks_app.models import AuditEntry
from tasks_app.services.audit import verb_label
from tasks_app.utils.clock import exact_time_with_zone

BADGES = {"delete": "danger", "purge": "danger", "login_failed": "warning", "add": "success"}


@admin.register(AuditEntry)
class AuditEntryAdmin(LongListAdmin, ExportAdmin, ReadOnlyAdmin):
    resource_classes = (AuditResource,)
    list_display = ("when", "person", "action_badge", "object_name", "from_where", "why")
    list_filter = (VerbFilter, ObjectTypeFilter, WayFilter)
    list_filter_sheet = False
    search_fields = ("username", "object_text", "object_id", "address", "reason")
    search_help_text = gettext_lazy("Person, object, id, address or reason")
    date_hierarchy = "created_at"
    fields: Any = (
        ("when", "action_badge"),
        ("person", "from_where"),
        ("object_name", "object_id"),
        ("origin", "client"),
        "why",
        "what",
    )
    readonly_fields = ("when", "action_badge", "person", "from_where", "object_name", "why", "what")

    @display(description=gettext_lazy("when"), ordering="created_at")
    def when(self, entry: AuditEntry) -> SafeString:
        return exact_time_with_zone(entry.created_at)

    @display(description=gettext_lazy("person"), ordering="username")
    def person(self, entry: AuditEntry) -> str:
        return entry.username or MISSING

    @display(description=gettext_lazy("action"), ordering="verb")
    def action_badge(self, entry: AuditEntry) -> SafeString:
        return badge(BADGES.get(entry.verb, ""), verb_label(entry.verb))

    @display(description=gettext_lazy("object"))
    def object_name(self, entry: AuditEntry) -> str:
        return " · ".join(part for part in (object_type_name(entry.object_type), entry.object_text) if part) or MISSING

    @display(description=gettext_lazy("from"))
    def from_where(self, entry: AuditEntry) -> str:
        return " · ".join(part for part in (way_name(entry.way), entry.address or "") if part)

    @display(description=gettext_lazy("reason"))
    def why(self, entry: AuditEntry) -> str:
        return entry.reason or MISSING

    @display(description=gettext_lazy("changes"))
    def what(self, entry: AuditEntry) -> SafeString | str:
        """A table of the fields, before and after; of a verb, what it was given."""
        if not entry.changes:
            return MISSING
        names = (_("Field"), _("Before"), _("After"))
        rows = format_html_join(
            "",
            '<tr><td class="tk-main tk-strong">{}</td><td data-label="{}">{}</td><td data-label="{}">{}</td></tr>',
            ((name, names[1], before, names[2], after) for name, before, after in map(_row, entry.changes.items())),
        )
        head = format_html_join("", '<th scope="col">{}</th>', ((name,) for name in names))
        table = '<table class="tk-table is-stacked"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>'
        return format_html(table, head, rows)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("tasks_app.view_auditentry"))


def _row(change: tuple[str, Any]) -> tuple[Any, Any, Any]:
    name, value = change
    if isinstance(value, list) and len(value) == 2:
        return name, _shown(value[0]), _shown(value[1])
    if isinstance(value, dict) and set(value) <= {"added", "removed"}:
        return name, ", ".join(value.get("removed", [])), ", ".join(value.get("added", []))
    return name, "", _shown(value)


def _shown(value: Any) -> str | SafeString:
    if value is None:
        return MISSING
    if not isinstance(value, str):
        return short_json(value, 300)
    at = _time_in(value)
    return value if at is None else exact_time_with_zone(at)


def _time_in(text: str) -> datetime | None:
    """Return the time, with a zone, that a field's text is."""
    try:
        at = parse_datetime(text)
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None


def way_name(way: str) -> str:
    """Return the words for a way."""
    return str(WAYS.get(way, way))
