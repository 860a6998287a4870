"""`python -m benchmarks.api_fuzz EXAMPLES`: requests of every operation, made from the schema, to a server over HTTP.

Prints how many operations and requests there were, and how many operations answered with a fault of the server or something
that the schema does not describe; those are named on standard error.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta

import django

django.setup()

from django.utils import timezone  # noqa: E402
from knox.models import AuthToken  # noqa: E402

from benchmarks.sample_pages import clear_pages, grow_fleet, make_people  # noqa: E402
from benchmarks.web import web_server  # noqa: E402
from tasks_app.engine.connection import client as redis_client  # noqa: E402
from tasks_app.services.accounts import issue_token  # noqa: E402
from tasks_app.services.devices import issue_key  # noqa: E402
from trackerproject.dev.api_fuzz import fuzz  # noqa: E402

# They end the token with which all the others are sent.
LEFT_OUT = frozenset({"POST /api/auth/logout", "POST /api/auth/logout-everywhere"})


def main(examples: int) -> None:
    clear_pages()
    _, admin = make_people()
    device = grow_fleet(1)[0]
    key = issue_key(device=device, rotate=True)
    AuthToken.objects.filter(user=admin).delete()
    token = issue_token(user=admin, now=timezone.now() - timedelta(seconds=1))[0]
    with web_server("trackerproject.asgi:application") as (_, port):
        url = f"http://127.0.0.1:{port}"

        def send(case):  # type: ignore[no-untyped-def]
            headers = {"X-Device-Key": key} if case.path.startswith("/ingest/") else {"Authorization": f"Token {token}"}
            return case.call(base_url=url, headers=headers)

        known = {"device_id": device.pk, "fleet_id": device.fleet_id, "user_id": admin.pk}
        outcome = fuzz(send, examples=examples, known=known, left_out=LEFT_OUT)
    redis_client().flushdb()
    print(*outcome.failures, sep="\n\n", file=sys.stderr)
    numbers = {"operations": outcome.operations, "requests": outcome.requests, "failures": len(outcome.failures)}
    print(json.dumps(numbers))


if __name__ == "__main__":
    main(int(sys.argv[1]))
