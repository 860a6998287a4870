"""`python -m benchmarks.event_rules EVENTS RULES`: events/s matched and written by one process, as its jobs do it.

500 users are members of one fleet of 1 000 devices; events happen to the first half of these, of four kinds. Ten rules want
two of the kinds of 50 devices each and tell two people each, one of them by e-mail too: half of the events become two
notifications, whatever the number of rules. The other rules are of the same fleet and kinds and about a quiet device each.
"""

from __future__ import annotations

import json
import sys
import time

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from notifications_app.models import EventDispatch, Notification, Rule  # noqa: E402
from notifications_app.services.events import process_outbox_row  # noqa: E402
from tasks_app.models import Device, Event, Fleet, FleetMembership  # noqa: E402
from tasks_app.signals import events_recorded  # noqa: E402

FLEET = "Benchmark of rules"
KINDS = ("overspeed", "ignition_on", "ignition_off", "battery_low")
WANTED = list(KINDS[:2])
USERS, BUSY, QUIET, WANTING = 500, 500, 500, 10
WARM_UP = 1_000


def main(event_count: int, rule_count: int) -> None:
    # Twenty people are notified everything here; what is measured is the writing, not the guard against floods.
    settings.ALERT_FLOOD_EVENTS = 10**9
    clear()
    fleet = Fleet.objects.create(name=FLEET)
    users = make_users(fleet)
    devices = Device.objects.bulk_create(
        Device(fleet=fleet, unique_id=f"rules-{n:04d}", name=f"Van {n}") for n in range(BUSY + QUIET)
    )
    make_rules(fleet, users, devices, rule_count)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    dispatch_all(devices, WARM_UP)
    seconds, cpu_seconds, notified = dispatch_all(devices, event_count)
    if notified != event_count:
        raise SystemExit(f"{notified} notifications of {event_count} events")
    clear()
    rates = {"events_per_second": event_count / seconds, "events_per_cpu_second": event_count / cpu_seconds}
    print(json.dumps({**rates, "notifications": notified}))


def clear() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE tasks_app_event, notifications_app_rule, notifications_app_eventdispatch CASCADE")
    Device.objects.filter(fleet__name=FLEET).delete()
    Fleet.objects.filter(name=FLEET).delete()


def make_users(fleet: Fleet) -> list[User]:
    model = get_user_model()
    people = [model(username=f"rules{n}", email=f"rules{n}@example.org") for n in range(USERS)]
    model.objects.bulk_create(people, ignore_conflicts=True)
    users = list(model.objects.filter(username__startswith="rules").order_by("pk"))
    FleetMembership.objects.bulk_create(FleetMembership(fleet=fleet, user=user) for user in users)
    return users


def make_rules(fleet: Fleet, users: list[User], devices: list[Device], count: int) -> None:
    rules = Rule.objects.bulk_create(
        Rule(fleet=fleet, name=f"Rule {n}", event_kinds=WANTED, channels=["in_app", "email"] if n % 2 else ["in_app"])
        for n in range(count)
    )
    notified, about = Rule.users.through, Rule.devices.through
    notified.objects.bulk_create(
        notified(rule_id=rule.pk, user_id=users[(2 * n + k) % USERS].pk) for n, rule in enumerate(rules) for k in (0, 1)
    )
    share = BUSY // WANTING
    named = [(rule, devices[share * n : share * (n + 1)]) for n, rule in enumerate(rules[:WANTING])]
    named += [(rule, [devices[BUSY + n % QUIET]]) for n, rule in enumerate(rules[WANTING:])]
    about.objects.bulk_create(about(rule_id=rule.pk, device_id=one.pk) for rule, ones in named for one in ones)


def dispatch_all(devices: list[Device], count: int) -> tuple[float, float, int]:
    """Record events, then time what the jobs do with them: (seconds, seconds of this process's processor, notifications)."""
    now = timezone.now()
    with transaction.atomic():
        events = Event.objects.bulk_create(
            Event(device=devices[n % BUSY], kind=KINDS[n // BUSY % 4], occurred_at=now, data={"speed_kph": 101.0})
            for n in range(count)
        )
        EventDispatch.objects.all().delete()
        events_recorded.send(sender=Event, events=events)
    before = Notification.objects.count()
    began, cpu_began = time.perf_counter(), time.process_time()
    for outbox_id in EventDispatch.objects.order_by("pk").values_list("pk", flat=True):
        process_outbox_row(outbox_id, now=now)
    took = time.perf_counter() - began, time.process_time() - cpu_began
    return *took, Notification.objects.count() - before


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
