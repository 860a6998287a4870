"""Times on our pages: `{{ job.created_at|exact }}`, `{% zone_offset %}`."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils import timezone

from tasks_app.utils import clock

register = template.Library()


@register.filter
def exact(at: datetime | None) -> str:
    """The time with its zone; a dash for none."""
    return clock.exact_time_with_zone(at) if at else "–"


@register.simple_tag
def zone_offset() -> str:
    return clock.zone_offset()


@register.simple_tag
def zone_name() -> str:
    return timezone.get_current_timezone_name()
