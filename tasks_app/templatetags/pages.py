"""Parts of the pages at /: `{% navigation as menu %}`, and quantities in the reader's units: `{% speed state.speed_kph %}`."""

from __future__ import annotations

from typing import Any

from django import template
from django.forms import BaseForm, BoundField

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
def first_field(form: BaseForm) -> str:
    """Return the name of the field to begin with: the first wrong one, else the first."""
    fields = [field for field in form.visible_fields() if not field.use_fieldset]
    return next((field.name for field in fields if field.errors), fields[0].name if fields else "")


@register.simple_tag
def control(field: BoundField, focus: str = "") -> str:
    """Return the control of a field; the page opens with the keyboard in it if `focus` is its name."""
    return field.as_widget(attrs={"autofocus": True}) if field.name == focus else str(field)


@register.filter
def duration(seconds: float | None) -> str:
    return quantities.format_seconds(seconds)
