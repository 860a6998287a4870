"""The text of an empty list: `{% empty_hint cl.opts.label_lower %}`."""

from __future__ import annotations

from django import template

from tasks_app.web import empty_pages

register = template.Library()


@register.simple_tag
def empty_hint(model: str) -> str:
    return empty_pages.empty_hint(model)
