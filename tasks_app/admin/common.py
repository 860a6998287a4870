"""Shared parts of admin pages: read-only pages, badges, formatted numbers."""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tasks_app.admin.model_admin import ModelAdmin
from tasks_app.engine import JobState
from tasks_app.utils.clock import exact_time, zone_offset
from tasks_app.web.quantities import MISSING, format_seconds

STATE_BADGES = {
    JobState.SCHEDULED: "info",
    JobState.QUEUED: "info",
    JobState.RUNNING: "primary",
    JobState.RETRYING: "warning",
    JobState.SUCCEEDED: "success",
    JobState.FAILED: "danger",
    JobState.CANCELLED: "",
}
STATUS_BADGES = {"online": "success", "offline": "danger", "unknown": ""}


class ReadOnlyAdmin(ModelAdmin):
    """Pages that show rows which only the system writes."""

    goes_with_its_subject = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def format_ago(at: datetime | None) -> str:
    """How long ago (or until when) for people; the exact time belongs in a title beside it."""
    if at is None:
        return MISSING
    distance = (timezone.now() - at).total_seconds()
    if -1 < distance < 60:
        return ngettext("%d second ago", "%d seconds ago", max(0, int(distance))) % max(0, int(distance))
    if distance < 0:
        return _("in %s") % (format_seconds(-distance) if distance > -60 else timesince(timezone.now(), at, depth=1))
    return _("%s ago") % timesince(at, depth=1)


def badge(kind: str, text: Any) -> SafeString:
    """A state as the theme's coloured label; `kind` is success, danger, warning, info, primary or empty."""
    return _badge(kind, str(text))


@lru_cache(maxsize=512)
def _badge(kind: str, text: str) -> SafeString:
    """Render the theme's template once for each word: a list has many of each."""
    return mark_safe(render_to_string("unfold/helpers/label.html", {"type": kind, "text": text, "size": "md"}))  # noqa: S308


def format_time(at: datetime | None) -> SafeString | str:
    """'3 minutes ago' with the exact time as its title."""
    if at is None:
        return MISSING
    exact = f"{exact_time(at)} ({zone_offset(at)})"
    return format_html(
        '<time class="tk-nowrap" datetime="{}" title="{}">{}</time>', at.isoformat(), exact, format_ago(at)
    )


def format_bytes(size_bytes: int | None) -> str:
    """A size for people, with binary multiples."""
    if size_bytes is None:
        return MISSING
    size, units = float(size_bytes), ["B", "KiB", "MiB", "GiB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{number_format(size, 0 if units[0] == 'B' else 1)} {units[0]}"


def pretty_json(value: Any) -> str:
    """JSON over several lines, in the reader's script."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def short_json(value: Any, length: int = 98) -> str:
    """JSON on one line of at most `length` characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= length else text[: length - 1] + "…"
