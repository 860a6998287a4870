"""Parts of the pages at /: `{% navigation as menu %}`, and quantities in the reader's units: `{% speed state.speed_kph %}`."""

from __future__ import annotations

from typing import Any

from django import template

from tasks_app.models import Event
from tasks_app.pages.lists import address_with
from tasks_app.pages.navigation import Item, navigation_of
from tasks_app.web import quantities
from tasks_app.web.event_details import event_details

register = template.Library()


@register.simple_tag(takes_context=True)
def navigation(context: Any) -> dict[str, list[Item]]:
    """Return the items of the navigation by place."""
    return navigation_of(context["request"])


@register.simple_tag(takes_context=True)
def page_address(context: Any, number: int) -> str:
    """Return the address of another page of the list that is shown."""
    return address_with(context["request"], page=number)


@register.simple_tag(takes_context=True)
def speed(context: Any, speed_kph: float | None) -> str:
    return quantities.format_speed(speed_kph, quantities.units_of(context["request"]))


@register.simple_tag(takes_context=True)
def distance(context: Any, meters: float | None) -> str:
    return quantities.format_distance(meters, quantities.units_of(context["request"]))


@register.simple_tag(takes_context=True)
def details(context: Any, event: Event) -> str:
    """Return the quantities of an event on one line."""
    return " · ".join(event_details(event.data, quantities.units_of(context["request"])))


@register.filter
def duration(seconds: float | None) -> str:
    return quantities.format_seconds(seconds)
