"""The event outbox: events are matched by jobs of their own, and none is lost."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from notifications_app.messages.events import event_message
from notifications_app.models import EventDispatch, Notification
from notifications_app.services.events.event_outbox import process_outbox_row, sweep_event_outbox
from tasks_app.engine import InvalidArguments, get_task
from tasks_app.models import Event
from tasks_app.signals import events_recorded
from tests.support.notifications import make_rule, match_outbox

pytestmark = pytest.mark.django_db


def test_events_whose_job_never_came_are_found_by_the_sweeper(device, fleet, operator, run_jobs):
    make_rule(fleet, [operator], channels=["in_app"])
    # The process dies between its commit and the enqueueing: the row is all there is.
    events = [Event.objects.create(device=device, kind="overspeed", occurred_at=timezone.now())]
    EventDispatch.objects.create(event_ids=[events[0].pk], created_at=timezone.now())
    assert run_jobs("notifications") == 0
    assert sweep_event_outbox(now=timezone.now()) == 0
    assert sweep_event_outbox(now=timezone.now() + timedelta(minutes=2)) == 1
    run_jobs("notifications")
    assert Notification.objects.count() == 1
    assert not EventDispatch.objects.exists()


def test_a_dispatch_that_fails_halfway_leaves_nothing_and_is_done_whole_later(device, fleet, operator, monkeypatch):
    make_rule(fleet, [operator], cooldown_minutes=5)
    with transaction.atomic():
        events = Event.objects.bulk_create([Event(device=device, kind="overspeed", occurred_at=timezone.now())])
        events_recorded.send(sender=Event, events=events)
    number = EventDispatch.objects.get().pk
    with monkeypatch.context() as broken:
        broken.setattr("notifications_app.services.events.event_alerts.write_alerts", lambda *_args, **_kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            process_outbox_row(number, now=timezone.now())
    assert EventDispatch.objects.count() == 1
    assert process_outbox_row(number, now=timezone.now()) == {"events": 1, "notifications": 1}
    assert process_outbox_row(number, now=timezone.now()) == {"events": 0, "notifications": 0}


def test_a_dispatch_that_failed_is_divided_so_that_one_event_holds_up_no_other(device, fleet, operator, monkeypatch):
    make_rule(fleet, [operator], channels=["in_app"])
    with transaction.atomic():
        events = Event.objects.bulk_create(
            [Event(device=device, kind="ignition_on", occurred_at=timezone.now()) for _number in range(4)]
        )
        events_recorded.send(sender=Event, events=events)

    def message_of(event, **names):
        return 1 / 0 if event.pk == events[2].pk else event_message(event, **names)

    monkeypatch.setattr("notifications_app.services.events.event_alerts.event_message", message_of)
    # Each attempt at each row is repeated once, as its job would be.
    for is_repeated in (False, True) * 3:
        for number in list(EventDispatch.objects.values_list("pk", flat=True)):
            with contextlib.suppress(ZeroDivisionError):
                process_outbox_row(number, now=timezone.now(), is_repeated=is_repeated)
    assert Notification.objects.count() == 3
    assert EventDispatch.objects.get().event_ids == [events[2].pk]


def test_recorded_events_are_notified_by_jobs_of_their_own(device, fleet, operator, run_jobs):
    make_rule(fleet, [operator], channels=["in_app"])
    with transaction.atomic():
        events = Event.objects.bulk_create([Event(device=device, kind="alarm", occurred_at=timezone.now())])
        events_recorded.send(sender=Event, events=events)
    assert not Notification.objects.exists()
    run_jobs("notifications")
    assert Notification.objects.count() == 1
    match_outbox()
    assert Notification.objects.count() == 1


def test_many_calls_with_unique_keys_make_no_job_where_one_lives(run_jobs):
    task = get_task("deliver_notification")
    first = task.apply_async((1,), unique_key="delivery:1")
    again, other = task.enqueue_many([(1,), (2,)], unique_keys=["delivery:1", "delivery:2"])
    assert (again, other == first) == (first, False)
    assert run_jobs("notifications") == 2
    with pytest.raises(InvalidArguments):
        task.enqueue_many([(1,), (2,)], unique_keys=["delivery:1"])
