"""Documents inside of pages: `{% framed message.html %}` is the value of a frame's srcdoc."""

from __future__ import annotations

from typing import Any

from django import template

from tasks_app.web.content_policy import allow_styles

register = template.Library()


@register.simple_tag(takes_context=True)
def framed(context: Any, document: str) -> str:
    """Return the document, whose styles the policy of this page lets through."""
    allow_styles(context["request"], document)
    return document
