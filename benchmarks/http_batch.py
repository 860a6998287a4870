"""`python -m benchmarks.http_batch REQUESTS`: milliseconds until a batch of 1 000 fixes is accepted over HTTP.

One uvicorn worker on loopback, one client on one connection, one request after the other, each with fixes of its own.
No cluster runs: what is measured is the accepting.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
import time
from datetime import timedelta
from pathlib import Path

import django

django.setup()

import msgspec  # noqa: E402
from django.utils import timezone  # noqa: E402
from knox.models import AuthToken  # noqa: E402

from benchmarks.sample_fleet import DEVICES, batches, make_fixes, make_operator, yesterday  # noqa: E402
from tasks_app.engine.connection import client as redis_client  # noqa: E402
from tasks_app.ingest.serialise import fix_to_item  # noqa: E402
from tasks_app.services.accounts.tokens import issue_token  # noqa: E402
from trackerproject.dev.embedded import start_child, stop_children  # noqa: E402

FIXES = 1_000
WARM_UP = 20
PATH = "/api/tasks/position/process-batch"


def main(requests: int) -> None:
    token = operator_token()
    fixes = make_fixes((requests + WARM_UP) * FIXES // DEVICES, yesterday())
    bodies = [msgspec.json.encode([fix_to_item(fix) for fix in batch]) for batch in batches(fixes, FIXES)]
    port = free_port()
    with (Path(os.environ["BENCH_LOG_DIR"]) / "uvicorn.log").open("ab") as log:
        where = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--no-access-log"]
        command = [sys.executable, "-m", "uvicorn", "trackerproject.asgi:application", *where, "--log-level", "warning"]
        server = start_child(command, output=log)
    try:
        took = post_all(connect(port), bodies, token)
    finally:
        stop_children([server])
    redis_client().flushdb()
    took = sorted(took[WARM_UP:])
    print(json.dumps({"p50": took[len(took) // 2] * 1000, "p99": took[int(len(took) * 0.99)] * 1000}))


def operator_token() -> str:
    user = make_operator()
    AuthToken.objects.filter(user=user).delete()
    return issue_token(user=user, now=timezone.now() - timedelta(seconds=1))[0]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def connect(port: int) -> http.client.HTTPConnection:
    """Wait for the server."""
    deadline = time.monotonic() + 60
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.connect()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection


def post_all(connection: http.client.HTTPConnection, bodies: list[bytes], token: str) -> list[float]:
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    took = []
    for body in bodies:
        began = time.perf_counter()
        connection.request("POST", PATH, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        took.append(time.perf_counter() - began)
        if answer.status != 202 or json.loads(content)["accepted"] != FIXES:
            raise SystemExit(f"{answer.status}: {content[:500]!r}")
    return took


if __name__ == "__main__":
    main(int(sys.argv[1]))
