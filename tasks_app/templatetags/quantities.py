"""Quantities in templates: `{{ row.stats.depth|grouped }}`."""

from __future__ import annotations

from django import template

from tasks_app.web.quantities import format_number

register = template.Library()


@register.filter
def grouped(number: float) -> str:
    """Return a whole number as the reader's language writes it."""
    return format_number(number)
