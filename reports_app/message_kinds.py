"""The kinds of messages about reports, registered with notifications_app."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from notifications_app.models.kinds import MESSAGE_KINDS, MessageKind

REPORT_READY = MessageKind(
    "report_ready",
    _("Report ready"),
    template="reports_app/messages/report_ready",
    rule_phrase=_("a report about %(what)s is ready"),
    waits_in_quiet_hours=True,
)
REPORT_FAILED = MessageKind(
    "report_failed",
    _("Report failed"),
    template="reports_app/messages/report_failed",
    rule_phrase=_("a report about %(what)s fails"),
    waits_in_quiet_hours=True,
)

MESSAGE_KINDS.register(REPORT_READY, REPORT_FAILED)
