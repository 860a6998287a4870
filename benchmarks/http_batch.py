"""`python -m benchmarks.http_batch REQUESTS`: milliseconds until a batch of 1 000 fixes is accepted over HTTP.

Two servers of one uvicorn worker each, ours and the floor (`benchmarks.http_floor`); one client with a connection to each,
which posts the same body to both, one after the other. No cluster runs: what is measured is the accepting.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from datetime import timedelta

import django

django.setup()

import msgspec  # noqa: E402
from django.utils import timezone  # noqa: E402
from knox.models import AuthToken  # noqa: E402

from benchmarks.sample_fleet import DEVICES, batches, make_fixes, make_operator, yesterday  # noqa: E402
from benchmarks.web import connect, web_server  # noqa: E402
from tasks_app.engine.connection import client as redis_client  # noqa: E402
from tasks_app.ingest.serialise import fix_to_item  # noqa: E402
from tasks_app.services.accounts.tokens import issue_token  # noqa: E402

FIXES = 1_000
WARM_UP = 20
PATH = "/api/tasks/position/process-batch"
APPLICATIONS = {"ours": "trackerproject.asgi:application", "floor": "benchmarks.http_floor:application"}


def main(requests: int) -> None:
    token = operator_token()
    fixes = make_fixes((requests + WARM_UP) * FIXES // DEVICES, yesterday())
    bodies = [msgspec.json.encode([fix_to_item(fix) for fix in batch]) for batch in batches(fixes, FIXES)]
    with web_server(APPLICATIONS["ours"]) as (_, port), web_server(APPLICATIONS["floor"]) as (_, floor_port):
        took = post_all({"ours": connect(port), "floor": connect(floor_port)}, bodies, token)
    redis_client().flushdb()
    answer = {}
    for name, seconds in took.items():
        ordered = sorted(seconds[WARM_UP:])
        answer[f"{name}_p50"] = ordered[len(ordered) // 2] * 1000
        answer[f"{name}_p99"] = ordered[int(len(ordered) * 0.99)] * 1000
    print(json.dumps(answer))


def operator_token() -> str:
    user = make_operator()
    AuthToken.objects.filter(user=user).delete()
    return issue_token(user=user, now=timezone.now() - timedelta(seconds=1))[0]


def post_all(
    connections: dict[str, http.client.HTTPConnection], bodies: list[bytes], token: str
) -> dict[str, list[float]]:
    """Seconds of each request to each server, by turns."""
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    took: dict[str, list[float]] = {name: [] for name in connections}
    for number, body in enumerate(bodies):
        for name in sorted(connections, reverse=number % 2 == 1):
            took[name].append(post(connections[name], body, headers))
    return took


def post(connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]) -> float:
    began = time.perf_counter()
    connection.request("POST", PATH, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    seconds = time.perf_counter() - began
    if answer.status != 202 or json.loads(content)["accepted"] != FIXES:
        raise SystemExit(f"{answer.status}: {content[:500]!r}")
    return seconds


if __name__ == "__main__":
    main(int(sys.argv[1]))
