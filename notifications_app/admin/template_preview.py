"""The preview of a message template as it stands in its form, with sample values or a real event. Nothing is written."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from notifications_app.channels.email_message import MAP_PLACE, UNSUBSCRIBE_PLACE
from notifications_app.messages.custom_templates import TemplateProblem
from notifications_app.messages.rendering import Message, Recipient, Rendered
from notifications_app.messages.template_values import samples, values_of
from notifications_app.models import MessageTemplate
from notifications_app.queries.examples import example_events, example_message
from notifications_app.services.texts import preview_message, render_custom
from tasks_app.geo.units import Units
from tasks_app.web.content_policy import style_hashes
from tasks_app.web.quantities import units_of


def names_of(kind: str) -> list[str]:
    """The names that own texts of this kind may use; none for a kind that has no own texts."""
    if kind not in samples():
        return []
    return sorted(values_of(samples()[kind], units=Units(), site_url="", zone="UTC"))


@lru_cache(maxsize=1)
def preview_styles() -> frozenset[str]:
    """Return the hashes of the styles of our e-mails: the page's policy is sent before anything is typed."""
    reader, found = Recipient(settings.LANGUAGE_CODE, "UTC", Units()), frozenset[str]()
    for kind, message in samples().items():
        own = MessageTemplate(kind=kind, language=reader.language, html="<p>-</p>")
        for rendered in (preview_message(message, reader), render_custom(own, message, reader)):
            found |= style_hashes(_shown(rendered)["html"])
    return found


def preview_of(
    template: MessageTemplate, request: HttpRequest, example: str, *, is_sound: bool = True
) -> dict[str, Any]:
    """Return all that the page shows of a template, saved or not: names, examples, and the message in each language.

    `example` is the id of an event, any other text stands for the sample values. One that is not sound has no `preview`.
    """
    if template.kind not in samples():
        return {"names": [], "examples": [], "example": "", "preview": None, "others": []}
    events = {str(event.pk): event for event in example_events(template.kind, request.user, now=timezone.now())}
    chosen = events.get(example)
    message = example_message(chosen) if chosen else samples()[template.kind]
    return {
        "names": names_of(template.kind),
        "examples": [{"id": pk, "text": f"{event.device.name} · {event}"} for pk, event in events.items()],
        "example": example if chosen else "",
        "preview": _own(template, message, request) if is_sound else None,
        "others": _others(template, message, request),
    }


def _own(template: MessageTemplate, message: Message, request: HttpRequest) -> dict[str, str] | None:
    try:
        return _shown(render_custom(template, message, _reader(template.language, request)))
    except TemplateProblem:
        return None


def _others(template: MessageTemplate, message: Message, request: HttpRequest) -> list[dict[str, str]]:
    """The message as it is sent now to people of other languages, which this template is not for."""
    return [
        {"language": str(label), **_shown(preview_message(message, _reader(code, request)))}
        for code, label in settings.LANGUAGES
        if code != template.language
    ]


def _reader(language: str, request: HttpRequest) -> Recipient:
    return Recipient(language or settings.LANGUAGE_CODE, timezone.get_current_timezone_name(), units_of(request))


def _shown(rendered: Rendered) -> dict[str, str]:
    html = rendered.html.replace(MAP_PLACE, "").replace(UNSUBSCRIBE_PLACE, "")
    return {"subject": rendered.subject, "text": rendered.text, "html": html}
