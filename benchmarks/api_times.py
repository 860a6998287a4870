"""`python -m benchmarks.api_times JOBS QUEUED REQUESTS`: milliseconds of the API's operations, JOBS ended and QUEUED waiting.

One uvicorn worker as in production, one client with a connection that stays open, an administrator's token; no cluster
runs. The answer has `_p50`, `_p99` and `_rate` (requests/s of this one client) of each case, and `_cpu`, milliseconds of
processor time of the web process for one request, which other work on the machine changes little.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

import django

django.setup()

import msgspec  # noqa: E402
import psutil  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402
from knox.models import AuthToken  # noqa: E402

from benchmarks.http_batch import PATH as BATCH_PATH  # noqa: E402
from benchmarks.page_times import SEARCHES, STATES  # noqa: E402
from benchmarks.sample_fleet import make_fixes, make_fleet, make_operator, yesterday  # noqa: E402
from benchmarks.sample_pages import (  # noqa: E402
    clear_pages,
    day_before_yesterday,
    drive_a_day,
    enqueue_jobs,
    grow_fleet,
    make_ended_jobs,
    make_people,
)
from benchmarks.web import connect, processor_seconds, web_server  # noqa: E402
from tasks_app.engine.connection import client as redis_client  # noqa: E402
from tasks_app.ingest.serialise import fix_to_item  # noqa: E402
from tasks_app.models import Device, Job  # noqa: E402
from tasks_app.services.accounts.tokens import issue_token  # noqa: E402
from tasks_app.services.partitions import ensure_partitions  # noqa: E402

DEVICES = 1_000
WARM_UP = 5
FIXES_PER_BATCH = 50
PASSWORD = "a long bench password"


@dataclass(frozen=True, slots=True)
class Case:
    """A request as it is repeated: one of a safe method, or a body that is posted."""

    path: str
    body: bytes | None = None
    has_token: bool = True
    status: int = 200
    # Undoes the request, off the clock.
    undo: Callable[[], object] | None = None


def main(jobs: int, queued: int, requests: int) -> None:
    clear_pages()
    manager, admin = make_people()
    device = grow_fleet(DEVICES)[0]
    ensure_partitions([day_before_yesterday(), yesterday()])
    drive_a_day(device, day_before_yesterday())
    make_ended_jobs(jobs, admin)
    enqueue_jobs(queued)
    found: dict[str, float] = {}
    with web_server("trackerproject.asgi:application") as (process, port):
        server = psutil.Process(process.pid)
        headers = token_headers(admin)
        requested = cases(device, admin, port, headers) | {"login": login(manager)}
        for name, case in requested.items():
            measured = times(case, headers if case.has_token else {}, port, server, requests)
            found |= {f"{name}_{what}": value for what, value in measured.items()}
    clear_pages()
    print(json.dumps(found))


def times(case: Case, headers: dict[str, str], port: int, server: psutil.Process, requests: int) -> dict[str, float]:
    """Repeat the request. Raises SystemExit when an answer has another status than it should have."""
    connection = connect(port)
    for _ in range(WARM_UP):
        _ask(connection, case, headers)
    before = processor_seconds(server)
    took = sorted(_ask(connection, case, headers) for _ in range(requests))
    spent = processor_seconds(server) - before
    connection.close()
    return {
        "p50": took[len(took) // 2] * 1000,
        "p99": took[min(len(took) - 1, int(len(took) * 0.99))] * 1000,
        "rate": requests / sum(took),
        "cpu": spent * 1000 / requests,
    }


def _ask(connection: http.client.HTTPConnection, case: Case, headers: dict[str, str]) -> float:
    began = time.perf_counter()
    method = "GET" if case.body is None else "POST"
    connection.request(method, case.path, case.body, {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    content = answer.read()
    seconds = time.perf_counter() - began
    if answer.status != case.status:
        raise SystemExit(f"{case.path} was answered with {answer.status}: {content[:300]!r}")
    if case.undo:
        case.undo()
    return seconds


def token_headers(user: User) -> dict[str, str]:
    AuthToken.objects.filter(user=user).delete()
    return {"Authorization": f"Token {issue_token(user=user, now=timezone.now() - timedelta(seconds=1))[0]}"}


def cases(device: Device, admin: User, port: int, headers: dict[str, str]) -> dict[str, Case]:
    """Every measured request by name; the lists of jobs begin with `jobs_`."""
    failed = Job.objects.filter(state="failed").first()
    day = day_before_yesterday()
    found = {
        "live": Case(reverse("health-live"), has_token=False),
        # No cluster consumes: it says so, having asked everything.
        "health": Case(reverse("health"), status=503),
        "metrics": Case(reverse("metrics")),
        "job_detail": Case(reverse("api:task-detail", args=[failed.pk])),
        "positions": Case(
            _at(
                "positions",
                **{"device": device.pk, "from": day.isoformat(), "to": (day + timedelta(days=1)).isoformat()},
            )
        ),
        "devices": Case(_at("devices")),
        "batch_accept": batch(),
    }
    found |= {f"jobs_{name}": Case(path) for name, path in job_lists(failed.pk, admin, port, headers)}
    return found


def job_lists(failed_id: object, admin: User, port: int, headers: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Every list of jobs: all, the second page, each filter, each qualifier of a search."""
    yield "all", _at("task-list")
    for state in STATES:
        yield f"state_{state}", _at("task-list", state=state)
    yield "queue", _at("task-list", queue="cleanup")
    yield "task", _at("task-list", task="generate_device_report")
    yield "worker", _at("task-list", worker="worker-1")
    yield "requested_by", _at("task-list", requested_by=admin.pk)
    yield "created_after", _at("task-list", created_after=(timezone.now() - timedelta(days=7)).isoformat())
    for name, search in SEARCHES.items():
        yield f"search_{name}", _at("task-list", search=search)
    yield "search_id", _at("task-list", search=str(failed_id)[:8])
    connection = connect(port)
    for name, first in (("page_2", _at("task-list")), ("page_2_queued", _at("task-list", state="queued"))):
        connection.request("GET", first, headers=headers)
        next_url = urlsplit(json.loads(connection.getresponse().read())["next"])
        yield name, f"{next_url.path}?{next_url.query}"


def login(person: User) -> Case:
    person.set_password(PASSWORD)
    person.save()
    body = {"username": person.get_username(), "password": PASSWORD}
    # A person has a bounded number of tokens.
    tokens = AuthToken.objects.filter(user=person)
    return Case(_at("login"), msgspec.json.encode(body), has_token=False, undo=tokens.delete)


def batch() -> Case:
    """Positions of fifty devices. Sent again they are accepted again: only storing finds the duplicates."""
    make_fleet()
    make_operator()
    fixes = make_fixes(1, yesterday())[:FIXES_PER_BATCH]
    return Case(BATCH_PATH, msgspec.json.encode([fix_to_item(fix) for fix in fixes]), status=202)


def _at(name: str, **query: object) -> str:
    path = reverse(f"api:{name}")
    return f"{path}?{urlencode(query)}" if query else path


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
    redis_client().flushdb()
