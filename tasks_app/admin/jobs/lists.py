"""The page that lists jobs: rows, tabs, filters, saved views and what may be done to those that match."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from tasks_app.admin.jobs.filters import JobFilterForm, state_tabs
from tasks_app.admin.jobs.rows import folded, job_rows
from tasks_app.admin.jobs.saved_views import SaveViewForm, saved_views
from tasks_app.admin.table_formats import FORMATS
from tasks_app.engine import FINAL_STATES, LIVE_STATES
from tasks_app.models import BulkAction
from tasks_app.queries.job_rights import may_act_in_bulk
from tasks_app.queries.job_search import SEARCH_NAMES
from tasks_app.queries.jobs import InvalidCursor, count_jobs, list_jobs, list_workers

PAGE_SIZE = 50


def list_context(request: HttpRequest, form: JobFilterForm) -> dict[str, Any]:
    """Context of the list. Raises Http404 for a cursor of nowhere, RedisError."""
    filters, cursor = form.filters(), request.GET.get("cursor") or None
    try:
        page = list_jobs(user=request.user, filters=filters, limit=PAGE_SIZE, cursor=cursor)
    except InvalidCursor as error:
        raise Http404(str(error)) from error
    beating = frozenset(worker.name for worker in list_workers() if not worker.is_late)
    rows = job_rows(page.jobs, state=filters.state, workers=beating)
    newer, older = request.GET.copy(), request.GET.copy()
    newer.pop("cursor", None)
    older["cursor"] = page.next_cursor or ""
    query = urlencode(form.chosen())
    return {
        **_actions_context(form, request.user),
        "filter_form": form,
        "cursor": cursor or "",
        "rows": rows if filters.task or filters.parent_id else folded(rows),
        "tabs": state_tabs(form, count_jobs(user=request.user, filters=filters)),
        "older_url": f"?{older.urlencode()}" if page.next_cursor else "",
        "newest_url": f"?{newer.urlencode()}",
        "is_short": bool(page.next_cursor) and len(page.jobs) < PAGE_SIZE,
        "saved_views": saved_views(request.user, query),
        "save_form": SaveViewForm(),
        "search_help": {
            "names": SEARCH_NAMES,
            "url": reverse("admin:tasks_app_job_complete"),
            "label": _("Suggestions"),
        },
    }


def _actions_context(form: JobFilterForm, user: Any) -> dict[str, Any]:
    """Actions on the rows and on all that match: those this user may take and that could change something."""
    chosen, state = form.chosen(), form.filters().state
    may_cancel, may_retry = (may_act_in_bulk(user, verb) for verb in (BulkAction.Verb.CANCEL, BulkAction.Verb.RETRY))
    return {
        "may_tick": may_cancel or may_retry,
        "may_cancel": may_cancel,
        "may_retry": may_retry,
        "filters": list(chosen.items()),
        "filter_query": urlencode(chosen),
        "has_state": state is not None,
        "export_formats": [each().get_extension() for each in FORMATS],
        "may_cancel_all": may_cancel and (state is None or state in LIVE_STATES),
        "may_retry_all": may_retry and (state is None or state in FINAL_STATES),
    }
