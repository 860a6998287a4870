"""Lists and counts of ended jobs, by bounded reads: an index leads, and of the rest no more than so many rows are looked at."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Case, IntegerField, Q, QuerySet, Sum, Value, When

from tasks_app.engine.states import FINAL_STATES, JobState
from tasks_app.models import Job
from tasks_app.queries.job_conditions import JobSearch
from tasks_app.queries.job_search import ID_TEXT
from tasks_app.utils.iso_times import cursor_time

# A page looks at no more rows than this; with few matches it is short, and its cursor leads on.
MAX_ROWS_EXAMINED = 5_000
MAX_COUNTED = 10_000
# No row of the time is behind the first of them in descending order, behind the second one in ascending order.
_EVERY_ID = (UUID(int=0), UUID(int=2**128 - 1))


class InvalidCursor(ValueError):
    """The cursor was not made by list_jobs."""


@dataclass(frozen=True, slots=True)
class BoundedCount:
    """A number of jobs; `is_more` if only so many were looked at, and there are others."""

    number: int
    is_more: bool = False

    def __add__(self, other: BoundedCount) -> BoundedCount:
        return BoundedCount(self.number + other.number, self.is_more or other.is_more)


def matching_ended(search: JobSearch, requested_by_id: int | None = None) -> QuerySet[Job]:
    """Return the rows that match, the last that ended first; with `requested_by_id` only those of that user."""
    lead, rest = _lead_and_rest(search)
    return _matching(_led(lead, search, requested_by_id), rest, search)


@dataclass(frozen=True, slots=True)
class JobOrder:
    """The order of a list of ended jobs: by when they ended or were made, the last ones first or last."""

    column: str = "finished_at"
    is_ascending: bool = False

    @property
    def sign(self) -> str:
        return "" if self.is_ascending else "-"

    @property
    def name(self) -> str:
        """Its name as the parameter `ordering` has it."""
        return self.sign + self.column

    def behind(self, when: datetime, job_id: UUID) -> Q:
        """Return the condition of rows that come after this time, or at it after the row with this id."""
        than = "gt" if self.is_ascending else "lt"
        # The first part is for the index, the second for rows of the same time.
        behind = Q(**{f"{self.column}__{than}": when}) | Q(**{f"pk__{than}": job_id})
        return Q(**{f"{self.column}__{than}e": when}) & behind

    def up_to(self, when: datetime) -> Q:
        """Return the condition of rows that come before this time or at it."""
        return Q(**{f"{self.column}__{'lte' if self.is_ascending else 'gte'}": when})


BY_END = JobOrder()
JOB_ORDERS = {
    order.name: order
    for order in (BY_END, JobOrder(is_ascending=True), JobOrder("created_at"), JobOrder("created_at", True))
}


def ended_page(
    search: JobSearch, requested_by_id: int | None, limit: int, cursor: str | None, order: JobOrder = BY_END
) -> tuple[list[Job], str | None]:
    """Return a page of the rows that match, and the cursor of the next one. Raises InvalidCursor."""
    lead, rest = _lead_and_rest(search)
    if order.column != BY_END.column and "requested_by_id" not in lead:
        # Its index has no other column in front; of one person there are few.
        lead, rest = {}, {**lead, **rest}
    led = _after_cursor(_led(lead, search, requested_by_id), cursor, order)
    last = None
    if rest or search.conditions:
        times = led.order_by(order.name).values_list(order.column, flat=True)
        last = times[MAX_ROWS_EXAMINED:][:1].first()
    examined = led.filter(order.up_to(last)) if last else led
    rows = list(_matching(examined, rest, search, order)[: limit + 1])
    if len(rows) > limit:
        return rows[:limit], _make_cursor(getattr(rows[limit - 1], order.column), rows[limit - 1].pk, order)
    return rows, _make_cursor(last, _EVERY_ID[order.is_ascending], order) if last else None


def ended_counts(search: JobSearch, requested_by_id: int | None = None) -> dict[JobState, BoundedCount]:
    """Return how many rows match in each final state, counted among the last MAX_COUNTED that the index leads to."""
    states = [state for state in JobState if state in FINAL_STATES and search.state in (None, state)]
    lead, rest = _lead_and_rest(search)
    if "state" in lead or not lead:
        found = {
            state: _counts(_led({"state": state}, search, requested_by_id), [state], rest, search) for state in states
        }
        counts = {state: each[state] for state, each in found.items()}
    else:
        counts = _counts(_led(lead, search, requested_by_id), states, rest, search)
    return {state: counts.get(state, BoundedCount(0)) for state in JobState if state in FINAL_STATES}


def _counts(
    led: QuerySet[Job], states: list[JobState], rest: dict[str, Any], search: JobSearch
) -> dict[JobState, BoundedCount]:
    matching = _conditions(rest, search)
    hits = {f"is_{state}": _one_if(matching & Q(state=str(state))) for state in states}
    looked_at = led.order_by("-finished_at").annotate(**ID_TEXT, one=Value(1), **hits)[: MAX_COUNTED + 1]
    sums = looked_at.aggregate(rows=Sum("one"), **{str(state): Sum(f"is_{state}") for state in states})
    is_more = (sums["rows"] or 0) > MAX_COUNTED
    return {state: BoundedCount(min(sums[str(state)] or 0, MAX_COUNTED), is_more) for state in states}


def _one_if(condition: Q) -> Case:
    return Case(When(condition, then=Value(1)), default=Value(0), output_field=IntegerField())


def _lead_and_rest(search: JobSearch) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the filter whose index leads through the rows by their end, and the filters that rows are looked at for."""
    exact: dict[str, Any] = {
        "requested_by_id": search.requested_by_id,
        "task": search.task,
        "queue": search.queue,
        "state": str(search.state) if search.state else None,
    }
    given = {name: value for name, value in exact.items() if value is not None}
    # Few jobs fail or are cancelled.
    rare = ["state"] if given.get("state") not in (None, JobState.SUCCEEDED) else []
    lead = next((name for name in ["requested_by_id", *rare, *given] if name in given), None)
    return ({lead: given.pop(lead)} if lead else {}), given


def _led(lead: dict[str, Any], search: JobSearch, requested_by_id: int | None) -> QuerySet[Job]:
    jobs = Job.objects.filter(**lead)
    bounds = {"finished_at__gte": search.after, "finished_at__lt": search.before, "requested_by_id": requested_by_id}
    return jobs.filter(**{name: value for name, value in bounds.items() if value is not None})


def _matching(jobs: QuerySet[Job], rest: dict[str, Any], search: JobSearch, order: JobOrder = BY_END) -> QuerySet[Job]:
    jobs = jobs.order_by(order.name, f"{order.sign}pk")
    if search.conditions:
        jobs = jobs.annotate(**ID_TEXT)
    return jobs.filter(_conditions(rest, search))


def _conditions(rest: dict[str, Any], search: JobSearch) -> Q:
    found = Q(**rest)
    for condition in search.conditions:
        found &= condition.of_row
    return found


def _make_cursor(when: datetime, job_id: UUID, order: JobOrder) -> str:
    mark = "" if order == BY_END else f"{order.name}|"
    return base64.urlsafe_b64encode(f"{mark}{when.isoformat()}|{job_id}".encode()).decode()


def _after_cursor(jobs: QuerySet[Job], cursor: str | None, order: JobOrder) -> QuerySet[Job]:
    if cursor is None:
        return jobs
    try:
        *mark, when, job_id = base64.urlsafe_b64decode(cursor).decode().split("|")
        if mark != ([] if order == BY_END else [order.name]):
            raise InvalidCursor("A cursor of another order.")
        return jobs.filter(order.behind(cursor_time(when), UUID(job_id)))
    except (ValueError, binascii.Error) as error:
        raise InvalidCursor("Not a cursor of this list.") from error
