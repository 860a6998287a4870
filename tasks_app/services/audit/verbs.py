"""The verbs of the audit, with their words for people. Apps above add theirs."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

VERBS: dict[str, str | Promise] = {
    "add": _("Added"),
    "change": _("Changed"),
    "delete": _("Deleted"),
    "login": _("Logged in"),
    "login_failed": _("Log-in failed"),
    "logout": _("Logged out"),
    "password": _("Password changed"),
    "end_session": _("Sessions ended"),
    "device_key": _("Device key issued"),
    "revoke_device_key": _("Device key revoked"),
    "odometer": _("Odometer set"),
    "export": _("Exported"),
    "command": _("Command run"),
    # Commands to devices
    "request_command": _("Command to a device requested"),
    "confirm_command": _("Command to a device confirmed"),
    "cancel_command": _("Command to a device cancelled"),
    "send_command": _("Command sent to a device"),
    "wake_up_tracker": _("SMS sent that wakes a tracker"),
    "answer_command": _("Command answered by a device"),
    # Background work
    "start": _("Job started"),
    "again": _("Job run with other arguments"),
    "cancel": _("Job cancelled"),
    "retry": _("Job retried"),
    "run_now": _("Job run now"),
    "priority": _("Job's priority changed"),
    "bulk_cancel": _("Many jobs cancelled"),
    "bulk_retry": _("Many jobs retried"),
    "bulk_run_now": _("Many jobs run now"),
    "pause": _("Queue paused"),
    "resume": _("Queue resumed"),
    "purge": _("Queue purged"),
    "pause_task": _("Task paused"),
    "resume_task": _("Task resumed"),
    "quiet": _("Worker quieted"),
    "wake": _("Worker woken"),
    "stop": _("Worker stopped"),
    "grow": _("Worker added to a cluster"),
    "shrink": _("Worker taken from a cluster"),
}


def add_verbs(verbs: dict[str, str | Promise]) -> None:
    """Add verbs of an app above."""
    VERBS.update(verbs)


def verb_label(verb: str) -> str:
    """Return the words for a verb; the verb itself for one of a package that is gone."""
    return str(VERBS.get(verb, verb))
