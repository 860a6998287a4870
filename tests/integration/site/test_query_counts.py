"""How many queries each list of the API takes: as many as the baseline says, however many rows there are.

After a change that is meant: make test with UPDATE_QUERY_COUNTS=1 and this file in ARGS, and look at the difference in
tests/query_counts.json.
"""

from __future__ import annotations

import json
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifications_app.models import Notification
from reports_app.models import ReportScheduleRun
from tasks_app.models import Fleet, FleetRole, MaintenanceRecord, Position
from tasks_app.services.partitions import ensure_partitions
from tests.support.rights import api_of
from tests.support.route_cases import address, make_world, member, operations

pytestmark = pytest.mark.django_db
BASELINE = Path(__file__).parents[2] / "query_counts.json"
MORE_FLEETS = 4


def fill(fleet, owner, now) -> dict:
    """A world with a position at this time."""
    world = make_world(fleet, owner)
    Position.objects.create(device_id=world["device_id"], fix_time=now, received_at=now, latitude=1, longitude=2)
    return world


def fill_lists_of_rows(world: dict, number: int) -> None:
    now = timezone.now() - timedelta(hours=number)
    MaintenanceRecord.objects.create(plan_id=world["plan_id"], done_at=now, odometer_meters=0, engine_seconds=0)
    ReportScheduleRun.objects.create(
        schedule_id=world["report_schedule_id"], due_at=now, range_start=now, range_end=timezone.now()
    )


def list_urls(world: dict, client) -> dict[str, str]:
    """The address of each list, by its route."""
    found = {}
    for method, route, _view in operations():
        if method == "GET" and route.startswith("/api/"):
            url = address(route, world)
            answer = client.get(url)
            if answer.headers["Content-Type"] == "application/json" and "results" in (answer.json() or {}):
                found[re.sub(r"<\w+:(\w+)>", r"{\1}", route)] = url
    return found


def counts(urls: dict[str, str], client) -> tuple[dict[str, int], dict[str, int]]:
    """Queries and rows of each list."""
    queries, rows = {}, {}
    for route, url in urls.items():
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(url).json()
        queries[route], rows[route] = len(captured), len(answer["results"])
    return queries, rows


def test_lists_take_as_many_queries_as_the_baseline_says_however_many_rows_there_are(fleet, make_user, staff):
    owner = member(make_user, fleet, FleetRole.MANAGER)
    now = timezone.now()
    ensure_partitions([now])
    world = fill(fleet, owner, now)
    fill_lists_of_rows(world, 0)
    found = {}
    for name, user in (("staff", staff), ("member", owner)):
        urls = list_urls(world, api_of(user))
        found[name] = counts(urls, api_of(user))
    for number in range(1, MORE_FLEETS):
        other = Fleet.objects.create(name=f"More {number}")
        person = member(make_user, other, FleetRole.MANAGER)
        fill(other, person, now)
        other.memberships.create(user=owner, role=FleetRole.MANAGER)
        fill_lists_of_rows(world, number)
        Notification.objects.create(user=owner, kind="test", dedupe_key=f"more-{number}")
    grown = set()
    for name, user in (("staff", staff), ("member", owner)):
        queries, rows = found[name]
        urls = list_urls(world, api_of(user))
        queries_of_more, more = counts(urls, api_of(user))
        assert queries_of_more == queries
        grown |= {route for route in more if more[route] > rows[route]}
    assert len(grown) >= 14, grown
    measured = {name: dict(sorted(queries.items())) for name, (queries, _rows) in found.items()}
    if os.environ.get("UPDATE_QUERY_COUNTS"):
        BASELINE.write_text(json.dumps(measured, indent=2) + "\n")
    assert measured == json.loads(BASELINE.read_text())
