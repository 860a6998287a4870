"""What a message says to a reader: in staff's own words where they gave any, else in the built-in ones.

An own text that cannot be used never holds a message up: the built-in one is sent, and administrators are told once.
"""

from __future__ import annotations

import time
from functools import partial

from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string
from django.utils.html import escape

from notifications_app.messages import rendering
from notifications_app.messages.custom_templates import TemplateProblem, fill
from notifications_app.messages.email_html import cleaned
from notifications_app.messages.rendering import Message, Reader, Rendered
from notifications_app.messages.safe_text import body, one_line
from notifications_app.messages.template_values import values_of
from notifications_app.models import MessageTemplate
from tasks_app.engine import QueueFull, QueueUnavailable, get_task

# A changed text is used everywhere within so long; without this every event would ask the database.
REMEMBER_SECONDS = 10.0
_known: dict[tuple[str, str], MessageTemplate] = {}
_known_until = 0.0


def render(message: Message, reader: Reader) -> Rendered:
    """Subject, text and HTML."""
    own = _own(message, reader)
    if own is None:
        return rendering.render(message, reader)
    try:
        return render_own(own, message, reader)
    except TemplateProblem as error:
        _tell(own, str(error))
        return rendering.render(message, reader)


def subject_of(message: Message, reader: Reader) -> str:
    """The subject alone. Call it while reading as `reader`."""
    own = _own(message, reader)
    if own is None:
        return rendering.subject_of(message, reader)
    try:
        return one_line(fill(own.subject, _values(message, reader))) or rendering.subject_of(message, reader)
    except TemplateProblem as error:
        _tell(own, str(error))
        return rendering.subject_of(message, reader)


def render_own(own: MessageTemplate, message: Message, reader: Reader) -> Rendered:
    """With these own texts; parts of which nothing is left are the built-in ones. Raises TemplateProblem."""
    with rendering.reading_as(reader):
        values = _values(message, reader)
        subject = one_line(fill(own.subject, values)) or rendering.subject_of(message, reader)
        built_in = rendering.render(message, reader, subject=subject)
        text = body(fill(own.text, values)) or built_in.text
        html = built_in.html
        if own.html:
            context = {**rendering.context_of(message, reader), "subject": subject}
            context["content"] = cleaned(fill(own.html, values, escape=escape))
            html = render_to_string("notifications_app/_own.html", context).strip()
        return Rendered(subject, text, html)


def forget() -> None:
    """Read the own texts anew at their next use."""
    global _known_until
    _known_until = 0.0


def _values(message: Message, reader: Reader) -> dict[str, str]:
    return values_of(message, units=reader.units, site_url=settings.SITE_URL, zone=reader.time_zone)


def _own(message: Message, reader: Reader) -> MessageTemplate | None:
    global _known, _known_until
    if time.monotonic() >= _known_until:
        _known = {(one.kind, one.language): one for one in MessageTemplate.objects.filter(is_active=True)}
        _known_until = time.monotonic() + REMEMBER_SECONDS
    return _known.get((str(message.kind), reader.language))


def _tell(own: MessageTemplate, reason: str) -> None:
    """Keep the reason with the template, and tell administrators when it is a new one."""
    unknown = MessageTemplate.objects.filter(pk=own.pk).exclude(last_error=reason[:500])
    if unknown.update(last_error=reason[:500]):
        transaction.on_commit(partial(_alert, own.pk, str(own), reason), robust=True)


def _alert(pk: int, name: str, reason: str) -> None:
    try:
        get_task("send_system_alert").apply_async(
            (f"Message template {name}", reason, "error"), unique_key=f"message-template:{pk}"
        )
    except (QueueFull, QueueUnavailable):
        return  # The reason stands with the template.
