"""Alerts of the system itself, for administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.functional import lazy
from django.utils.translation import gettext as _

from notifications_app.messages.kinds.system import system_message
from notifications_app.messages.safe_text import body, one_line
from notifications_app.models import NotificationKind
from notifications_app.models.kinds import Text
from notifications_app.queries.audience import administrators
from notifications_app.queries.rule_subjects import channels_by_rules
from notifications_app.services.notifications import job_dedupe_key, notify_with_message
from tasks_app.engine import PermanentError

LEVELS = ("info", "warning", "error", "critical")
MAX_TITLE_LENGTH = 150
MAX_MESSAGE_LENGTH = 10_000
_one_line: Any = lazy(one_line, str)
_body: Any = lazy(body, str)


def alert_administrators(
    *, subject: Text, message: Text, level: str, now: datetime, dedupe_key: str | None = None
) -> list[int]:
    """Notify every active administrator, in the application, by e-mail and as rules want; return the notification ids.

    Lazy texts are in the language of each. A person notified under this `dedupe_key` (by default one of the job) is not
    notified again.
    """
    if level not in LEVELS:
        raise PermanentError(_("level must be one of %(levels)s.") % {"levels": ", ".join(LEVELS)})
    title = _one_line(subject, MAX_TITLE_LENGTH)
    if not title:
        raise PermanentError(_("A system alert needs a subject."))
    alert = system_message(subject=title, message=_body(message, MAX_MESSAGE_LENGTH), level=level, at=now)
    return notify_with_message(
        alert,
        people=administrators(),
        more_channels=channels_by_rules(NotificationKind.SYSTEM, now=now),
        dedupe_key=dedupe_key or job_dedupe_key(),
        now=now,
    )
