"""Sentences for the reasons why a bulk action leaves a job as it is, by their codes."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

_REASONS = {
    "not_found": gettext_lazy("There is no such job."),
    "job_already_finished": gettext_lazy("The job has ended already."),
    "already_cancelled": gettext_lazy("The job is cancelled already."),
    "job_still_live": gettext_lazy("The job has not ended yet."),
    "job_not_waiting": gettext_lazy("The job does not wait for a later time."),
    "unknown_task": gettext_lazy("Its task does not exist any more."),
    "task_not_permitted": gettext_lazy("You may not start its task."),
    "invalid_arguments": gettext_lazy("Its task takes other arguments now."),
    "retried_with_group": gettext_lazy("It is made again with its group or chain."),
    "job_not_repeatable": gettext_lazy("It cannot be made again: not all that it needs is kept."),
}


def reason_text(code: str) -> str:
    """Return the sentence of a reason."""
    return str(_REASONS.get(code) or _("It was refused: %(code)s.") % {"code": code})
