"""Cancelling and retrying many jobs from the list: what is chosen, how many jobs that is, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tasks_app.admin.common import STATE_BADGES
from tasks_app.admin.jobs.filters import JobFilterForm, count_text
from tasks_app.admin.jobs.rows import job_url
from tasks_app.engine import JobState
from tasks_app.models import BulkAction
from tasks_app.models.jobs import STATE_LABELS
from tasks_app.queries.bulk_counts import StateCount, count_chosen, count_matching
from tasks_app.queries.jobs import BoundedCount, JobFilters, JobView
from tasks_app.services.jobs import CHANGE_TASK, MAX_CHOSEN, ask_for_bulk_action, reason_text

CANCEL = BulkAction.Verb.CANCEL


@dataclass(frozen=True)
class Selection:
    """The jobs that are meant: by id, or by filters (then `chosen` says which, for people). Without either none are."""

    job_ids: list[UUID]
    filters: JobFilters | None = None
    chosen: tuple[tuple[str, str], ...] = ()
    until: datetime | None = None

    @property
    def is_empty(self) -> bool:
        return not self.job_ids and self.filters is None

    def counts(self, user: Any, verb: str) -> list[StateCount]:
        """How many jobs of which state they are, and why some would be left."""
        if self.filters is None:
            return count_chosen(user=user, job_ids=self.job_ids, verb=verb)
        return count_matching(user=user, filters=self.filters, verb=verb)

    def ask(self, user: Any, verb: str, reason: str) -> UUID:
        """Ask for the action; return the id of its job. Raises EngineError, InvalidSearch."""
        if self.filters is None:
            return ask_for_bulk_action(verb=verb, user=user, job_ids=self.job_ids, reason=reason)
        return ask_for_bulk_action(verb=verb, user=user, filters=self.filters, until=self.until, reason=reason)


def selection_of(user: Any, query: QueryDict, posted: QueryDict) -> Selection:
    """Read the jobs that are meant; ids that are none are left out.

    `id`s were ticked in the list, `ids` are those that the page which asks has counted; else the filters of the list say which,
    `until` the time at which they were counted.
    """
    texts = str(posted["ids"]).split(",") if "ids" in posted else query.getlist("id")
    if texts or "picked" in query:
        return Selection([job_id for job_id in map(_job_id, texts[:MAX_CHOSEN]) if job_id])
    form = JobFilterForm(query, user)
    # Where a filter is not understood, those that are left would match more than was meant.
    if not form.is_valid() or not form.chosen():
        return Selection([])
    chosen = tuple(_in_words(form, name, text) for name, text in form.chosen().items())
    return Selection([], form.filters(), chosen, _time(posted.get("until", "")) or timezone.now())


def _in_words(form: JobFilterForm, name: str, text: str) -> tuple[str, str]:
    """Return a filter as its page names it."""
    if name == "state":
        return _("State"), str(STATE_LABELS[JobState(text)])
    return str(form.fields[name].label or _("Part of")), text


def bulk_context(selection: Selection, user: Any, verb: str) -> dict[str, Any]:
    """Context of the page that asks. Raises RedisError."""
    counts = [] if selection.is_empty else selection.counts(user, verb)
    changed = sum((each.count for each in counts if not each.code), BoundedCount(0))
    return {
        "title": _question(changed, verb),
        "is_pointless": not changed.number,
        "is_empty": not counts,
        "changed_rows": [_row(each) for each in counts if not each.code],
        "left_rows": [_row(each) for each in counts if each.code],
        "filters": selection.chosen,
        "for_cancel": verb == CANCEL,
        "button": _("Cancel the jobs") if verb == CANCEL else _("Retry the jobs"),
        "variant": "danger" if verb == CANCEL else "primary",
        # In one field: Django refuses forms of more than a thousand.
        "job_ids": ",".join(map(str, selection.job_ids)),
        "until": selection.until.isoformat() if selection.until else "",
    }


def _question(count: BoundedCount, verb: str) -> str:
    text = count_text(count)
    if verb == CANCEL:
        return ngettext("Cancel %s job?", "Cancel %s jobs?", count.number) % text
    return ngettext("Run %s job again?", "Run %s jobs again?", count.number) % text


def _row(each: StateCount) -> dict[str, Any]:
    return {
        "state": STATE_LABELS[each.state] if each.state else _("Unknown"),
        "badge": STATE_BADGES[each.state] if each.state else "",
        "count": count_text(each.count),
        "is_more": each.count.is_more,
        "reason": reason_text(each.code) if each.code else "",
    }


def outcome_context(job: JobView) -> dict[str, Any]:
    """Context of the page of a job that carries out a bulk action: what it is about, and what became of its jobs so far."""
    action_id = job.kwargs.get("action_id") if job.task == CHANGE_TASK else None
    action = BulkAction.objects.filter(pk=action_id).first() if action_id else None
    if action is None:
        return {}
    skipped = action.skipped.items()
    return {
        "bulk": {
            "is_cancel": action.verb == CANCEL,
            "changed": _changed_text(action.changed_count, action.verb),
            "left": _left_text(action, job),
            "skipped": [_skipped_row(code, each) for code, each in skipped],
            "filters": [(name, value) for name, value in (action.filters or {}).items() if name != "until"],
            "has_more": action.has_more,
        }
    }


def _changed_text(count: int, verb: str) -> str:
    number = number_format(count, force_grouping=True)
    if verb == CANCEL:
        return ngettext("%s job was cancelled.", "%s jobs were cancelled.", count) % number
    return ngettext("%s job runs again as a new job.", "%s jobs run again as new jobs.", count) % number


def _left_text(action: BulkAction, job: JobView) -> str:
    """How many jobs are still to be looked at; empty at the end."""
    left = action.total_count - action.done_count
    if action.job_ids is None:
        return _("The jobs that match are looked for first.") if job.is_live else _("None of its jobs was looked at.")
    if left <= 0:
        return ""
    number = number_format(left, force_grouping=True)
    if job.is_live:
        return ngettext("%s job is still to come.", "%s jobs are still to come.", left) % number
    return ngettext("%s job was left as it is.", "%s jobs were left as they are.", left) % number


def _skipped_row(code: str, each: dict[str, Any]) -> dict[str, Any]:
    text = ngettext("Skipped %(count)s job: %(reason)s", "Skipped %(count)s jobs: %(reason)s", each["count"])
    number = number_format(each["count"], force_grouping=True)
    return {
        "text": text % {"count": number, "reason": reason_text(code)},
        "jobs": [(job_id, job_url(job_id)) for job_id in each["ids"]],
    }


def list_query(query: QueryDict, user: Any) -> str:
    """The filters of the list one came from."""
    return urlencode(JobFilterForm(query, user).chosen())


def _time(text: str) -> datetime | None:
    try:
        at = parse_datetime(text[:40])
    except ValueError:
        return None
    return at if at and timezone.is_aware(at) else None


def _job_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
