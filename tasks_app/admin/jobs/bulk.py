"""Cancelling and retrying many jobs from the list: the selection, its size, and the outcome."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tasks_app.admin.jobs.filters import JobFilterForm
from tasks_app.services.jobs import MAX_JOBS, BulkResult, cancel_jobs, matching_jobs, retry_jobs


@dataclass(frozen=True)
class Selection:
    """The jobs that are meant; `more` when the filter matches further ones."""

    job_ids: list[UUID]
    more: bool
    filters: dict[str, str]

    @property
    def count(self) -> int:
        return len(self.job_ids)


def selection_of(user: Any, query: QueryDict, *, for_cancel: bool) -> Selection:
    """Read the jobs that are meant; ids that are none are left out.

    `ids` are those that the page which asks has counted, `id`s were ticked in the list; else its filters say which.
    """
    texts = str(query["ids"]).split(",") if "ids" in query else query.getlist("id")
    if texts or "picked" in query:
        ids = [job_id for job_id in map(_job_id, texts[: MAX_JOBS + 1]) if job_id]
        return Selection(ids[:MAX_JOBS], len(texts) > MAX_JOBS, {})
    form = JobFilterForm(query, user)
    # Where a filter is not understood, those that are left would match more than was meant.
    if not form.is_valid() or not form.chosen():
        return Selection([], False, {})
    ids = matching_jobs(user=user, filters=form.filters(), for_cancel=for_cancel, limit=MAX_JOBS + 1)
    return Selection(ids[:MAX_JOBS], len(ids) > MAX_JOBS, form.chosen())


def bulk_context(selection: Selection, *, for_cancel: bool) -> dict[str, Any]:
    """Context of the confirmation page."""
    count = selection.count
    if for_cancel:
        question, button = ngettext("Cancel %d job?", "Cancel %d jobs?", count), _("Cancel the jobs")
    else:
        question, button = ngettext("Run %d job again?", "Run %d jobs again?", count), _("Retry the jobs")
    facts = [(_("Jobs"), str(count)), *((_(name.capitalize()), text) for name, text in selection.filters.items())]
    note = _("More jobs match; the first %d are taken.") % MAX_JOBS if selection.more else ""
    return {
        "title": question % count,
        "note": note if count else _("No job was selected, or none matches any more."),
        "facts": facts,
        "button": button,
        "variant": "danger" if for_cancel else "primary",
        # In one field: Django refuses forms of more than a thousand.
        "job_ids": ",".join(map(str, selection.job_ids)),
        "is_pointless": not count,
    }


def change_with_message(request: HttpRequest, job_ids: list[UUID], reason: str, *, for_cancel: bool) -> None:
    """Change the jobs, and show how many were changed and, per reason, skipped."""
    act = cancel_jobs if for_cancel else retry_jobs
    result = act(job_ids=job_ids, user=request.user, reason=reason)
    if result.changed:
        messages.success(request, _changed_text(result.changed, for_cancel=for_cancel))
    for text in _skipped_texts(result):
        messages.warning(request, text)
    if not job_ids:
        messages.warning(request, _("No job was selected."))


def list_query(query: QueryDict, user: Any) -> str:
    """The filters of the list one came from."""
    return urlencode(JobFilterForm(query, user).chosen())


def _changed_text(count: int, *, for_cancel: bool) -> str:
    if for_cancel:
        return ngettext("%d job was cancelled.", "%d jobs were cancelled.", count) % count
    return ngettext("%d job runs again as a new job.", "%d jobs run again as new jobs.", count) % count


def _skipped_texts(result: BulkResult) -> list[str]:
    counts = Counter(skipped.reason for skipped in result.skipped)
    return [
        ngettext("Skipped %(count)d job: %(reason)s", "Skipped %(count)d jobs: %(reason)s", count)
        % {"count": count, "reason": reason}
        for reason, count in counts.most_common()
    ]


def _job_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
