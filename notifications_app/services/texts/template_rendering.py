"""Rendering of messages with the custom templates of staff or, without one, with the built-in ones.

A custom template that fails never delays a message: the built-in one is used, and administrators are notified once.
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
from notifications_app.messages.rendering import Message, Recipient, Rendered
from notifications_app.messages.safe_text import body, one_line
from notifications_app.messages.template_values import values_of
from notifications_app.models import MessageTemplate
from tasks_app.engine import QueueFull, QueueUnavailable, get_task

# A changed template is used everywhere within this time; without the cache every event would query the database.
REMEMBER_SECONDS = 10.0
_known: dict[tuple[str, str], MessageTemplate] = {}
_known_until = 0.0


def render_message(message: Message, recipient: Recipient) -> Rendered:
    """Render subject, text and HTML."""
    custom = _custom_template(message, recipient)
    if custom is None:
        return rendering.render_builtin(message, recipient)
    try:
        return render_custom(custom, message, recipient)
    except TemplateProblem as error:
        _report_problem(custom, str(error))
        return rendering.render_builtin(message, recipient)


def preview_message(message: Message, recipient: Recipient) -> Rendered:
    """Render as render_message does, and report nothing about a template that fails: nothing is written."""
    custom = _custom_template(message, recipient)
    try:
        return render_custom(custom, message, recipient) if custom else rendering.render_builtin(message, recipient)
    except TemplateProblem:
        return rendering.render_builtin(message, recipient)


def render_subject(message: Message, recipient: Recipient) -> str:
    """Render the subject alone. Call it inside `recipient_locale(recipient)`."""
    custom = _custom_template(message, recipient)
    if custom is None:
        return rendering.builtin_subject(message, recipient)
    try:
        return one_line(fill(custom.subject, _values(message, recipient))) or rendering.builtin_subject(
            message, recipient
        )
    except TemplateProblem as error:
        _report_problem(custom, str(error))
        return rendering.builtin_subject(message, recipient)


def render_custom(custom: MessageTemplate, message: Message, recipient: Recipient) -> Rendered:
    """Render with this custom template; empty parts are those of the built-in one. Raises TemplateProblem."""
    with rendering.recipient_locale(recipient):
        values = _values(message, recipient)
        subject = one_line(fill(custom.subject, values)) or rendering.builtin_subject(message, recipient)
        built_in = rendering.render_builtin(message, recipient, subject=subject)
        text = body(fill(custom.text, values)) or built_in.text
        html = built_in.html
        if custom.html:
            context = {**rendering.context_of(message, recipient), "subject": subject}
            context["content"] = cleaned(fill(custom.html, values, escape=escape))
            html = render_to_string("notifications_app/_custom.html", context).strip()
        return Rendered(subject, text, html)


def clear_cache() -> None:
    """Read the custom templates again at their next use."""
    global _known_until
    _known_until = 0.0


def _values(message: Message, recipient: Recipient) -> dict[str, str]:
    return values_of(message, units=recipient.units, site_url=settings.SITE_URL, zone=recipient.time_zone)


def _custom_template(message: Message, recipient: Recipient) -> MessageTemplate | None:
    global _known, _known_until
    if time.monotonic() >= _known_until:
        _known = {(one.kind, one.language): one for one in MessageTemplate.objects.filter(is_active=True)}
        _known_until = time.monotonic() + REMEMBER_SECONDS
    return _known.get((str(message.kind), recipient.language))


def _report_problem(custom: MessageTemplate, reason: str) -> None:
    """Store the reason with the template, and notify administrators of a new one."""
    unknown = MessageTemplate.objects.filter(pk=custom.pk).exclude(last_error=reason[:500])
    if unknown.update(last_error=reason[:500]):
        transaction.on_commit(partial(_alert, custom.pk, str(custom), reason), robust=True)


def _alert(pk: int, name: str, reason: str) -> None:
    try:
        get_task("send_system_alert").apply_async(
            (f"Message template {name}", reason, "error"), unique_key=f"message-template:{pk}"
        )
    except (QueueFull, QueueUnavailable):
        return  # The reason stands with the template.
