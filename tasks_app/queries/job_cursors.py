"""Cursors of lists of jobs that live, and of the members and callbacks of one. Those of ended jobs: `ended_jobs`."""

from __future__ import annotations

import base64
import json

from tasks_app.engine.live import Place, is_place
from tasks_app.engine.states import JobState
from tasks_app.queries.ended_jobs import InvalidCursor


def make_child_cursor(first: int) -> str:
    """Return the cursor of the page that begins with the member or callback of this number."""
    return base64.urlsafe_b64encode(f"member {first}".encode()).decode()


def read_child_cursor(cursor: str | None) -> int:
    """Return the number that a page begins with, 0 for the first page. Raises InvalidCursor."""
    if cursor is None:
        return 0
    try:
        name, _, first = base64.urlsafe_b64decode(cursor).decode().partition(" ")
    except ValueError as error:
        raise InvalidCursor("Not a cursor of this list.") from error
    if name != "member" or not first.isdecimal() or len(first) > 9:
        raise InvalidCursor("Not a cursor of this list.")
    return int(first)


def make_live_cursor(state: JobState, place: Place) -> str:
    """Return the cursor of the page behind this place in the order of the jobs of this state."""
    return base64.urlsafe_b64encode(json.dumps([str(state), place]).encode()).decode()


def read_live_cursor(state: JobState, cursor: str) -> Place:
    """Return the place that a page begins behind. Raises InvalidCursor, for that of another state too."""
    try:
        of_state, place = json.loads(base64.urlsafe_b64decode(cursor))
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidCursor("Not a cursor of this list.") from error
    if of_state != state or not is_place(state, place):
        raise InvalidCursor("Not a cursor of this list.")
    return tuple(place)
