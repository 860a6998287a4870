"""Parts of the pages at /: `{% navigation as menu %}`."""

from __future__ import annotations

from typing import Any

from django import template

from tasks_app.pages.navigation import Item, navigation_of

register = template.Library()


@register.simple_tag(takes_context=True)
def navigation(context: Any) -> dict[str, list[Item]]:
    """Return the items of the navigation by place."""
    return navigation_of(context["request"])
