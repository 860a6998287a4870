"""`python -m benchmarks.alerts FIXES_PER_DEVICE`: rows/s of store_fixes with alerts on and off, batch by batch in turn.

On: the fleet has rules about everything that happens; events are noted for them and the jobs that ask them enqueued, as in
production, where other workers do those jobs. Off: nobody listens to the signal.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime

import django

django.setup()

from benchmarks.pipeline import BATCH, clear  # noqa: E402
from benchmarks.sample_fleet import batches, make_fixes, make_fleet, make_operator, yesterday  # noqa: E402
from notifications_app import receivers  # noqa: E402
from notifications_app.models import EventDispatch, Rule  # noqa: E402
from tasks_app.engine.connection import client  # noqa: E402
from tasks_app.models import EventKind  # noqa: E402
from tasks_app.services.partitions import ensure_partitions  # noqa: E402
from tasks_app.services.positions.store import store_fixes  # noqa: E402
from tasks_app.signals import events_recorded  # noqa: E402

UID = "notifications_app.write_outbox"


def main(per_device: int) -> None:
    rule, _ = Rule.objects.get_or_create(
        fleet=make_fleet(), name="Everything", defaults={"event_kinds": EventKind.values, "channels": ["in_app"]}
    )
    rule.users.add(make_operator())
    fixes = make_fixes(per_device, yesterday())
    ensure_partitions({fix.fix_time for fix in fixes})
    clear()
    now, work = datetime.now(UTC), batches(fixes, BATCH)
    took: dict[str, list[float]] = {"on": [], "off": []}
    for number, batch in enumerate(work):
        name = listen("on" if number % 2 else "off")
        began = time.perf_counter()
        store_fixes(batch, now)
        # The first two make connections and caches.
        if number > 1:
            took[name].append(time.perf_counter() - began)
    events = sum(len(ids) for ids in EventDispatch.objects.values_list("event_ids", flat=True))
    clear()
    EventDispatch.objects.all().delete()
    client().flushdb()
    rates = {name: BATCH * len(seconds) / sum(seconds) for name, seconds in took.items()}
    print(json.dumps({**rates, "events": events}))


def listen(name: str) -> str:
    """Have the rules hear of events, or not."""
    events_recorded.disconnect(dispatch_uid=UID)
    if name == "on":
        events_recorded.connect(receivers.write_recorded_events, dispatch_uid=UID)
    return name


if __name__ == "__main__":
    main(int(sys.argv[1]))
