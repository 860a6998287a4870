"""Deliveries that an outage left unsent: one digest per person and way, nothing lost, nothing twice."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from notifications_app.channels.base import DeliveryError
from notifications_app.channels.webhook import idempotency_key, signature_headers
from notifications_app.models import Delivery, DeliveryState, EmailOptOut, Notification
from notifications_app.services.deliveries.backlog import merge_backlog
from notifications_app.services.deliveries.sending import deliver
from notifications_app.services.destinations.store import add_destination
from notifications_app.services.notifications.delivery_jobs import sweep_stuck_deliveries
from tasks_app.models import Device, EventKind, Fleet
from tests.support import receiver as answers
from tests.support.notifications import make_rule, record_events
from tests.support.receiver import Receiver

OLD = timedelta(hours=2)


@pytest.fixture
def rule(fleet, operator):
    return make_rule(fleet, [operator])


def leave_unsent(device, count: int, kind: str = EventKind.OVERSPEED, age: timedelta = OLD) -> list[Delivery]:
    """So many e-mails of events, written that long ago."""
    known = set(Delivery.objects.values_list("pk", flat=True))
    record_events(device, *[kind] * count)
    new = Delivery.objects.exclude(pk__in=known)
    new.update(created_at=timezone.now() - age)
    return list(new.filter(channel="email").order_by("pk"))


def states() -> list[tuple[str, str]]:
    found = Delivery.objects.filter(channel="email").order_by("pk")
    return [(one.notification.kind, one.state) for one in found.select_related("notification")]


def test_what_waited_too_long_is_one_digest(sink, device, rule, operator, run_jobs):
    waiting = leave_unsent(device, 12)
    run_jobs("notifications")
    (mail,) = sink.messages
    assert "12×" in mail.get_body(("plain",)).get_content()
    assert states() == [("speed", "merged")] * 12 + [("digest", "sent")]
    digest = Delivery.objects.get(notification__kind="digest")
    assert set(digest.merged.all()) == set(waiting)
    assert digest.notification.read_at is not None
    assert deliver(waiting[0].pk, now=timezone.now()) == "merged"
    assert len(sink.messages) == 1


def test_vehicles_of_one_name_are_told_apart_and_kinds_too(sink, device, make_device, rule, operator, run_jobs):
    leave_unsent(device, 6)
    leave_unsent(make_device(unique_id="namesake", name=device.name, fleet=device.fleet), 5)
    leave_unsent(device, 4, EventKind.IGNITION_ON)
    run_jobs("notifications")
    text = sink.messages[0].get_body(("plain",)).get_content()
    assert [f"{count}×" in text for count in (6, 5, 4, 11)] == [True, True, True, False]


def test_a_few_and_fresh_ones_go_one_by_one(sink, device, rule, operator, run_jobs):
    leave_unsent(device, 9)
    leave_unsent(device, 3, age=timedelta(minutes=1))
    run_jobs("notifications")
    assert len(sink.messages) == 12
    assert states() == [("speed", "sent")] * 12


def test_alarms_go_one_by_one(sink, device, rule, operator, run_jobs):
    leave_unsent(device, 11, EventKind.ALARM)
    leave_unsent(device, 10)
    run_jobs("notifications")
    assert len(sink.messages) == 12
    assert set(states()) == {("alarm", "sent"), ("speed", "merged"), ("digest", "sent")}


@pytest.fixture
def hook(receiver, operator, rule):
    rule.channels = ["webhook"]
    rule.save()
    return add_destination(user=operator, kind="webhook", name="Office", url=receiver.url)


def leave_unposted(device, count: int, kind: str = EventKind.OVERSPEED) -> list[Delivery]:
    known = set(Delivery.objects.values_list("pk", flat=True))
    record_events(device, *[kind] * count, latitude=-23.55, longitude=-46.63, data={"speed_kph": 101})
    new = Delivery.objects.exclude(pk__in=known)
    new.update(created_at=timezone.now() - OLD)
    return list(new.order_by("pk"))


def test_a_program_gets_one_digest_with_the_data_of_every_event(receiver, hook, device, run_jobs):
    waiting = leave_unposted(device, 9) + leave_unposted(device, 2, EventKind.IGNITION_ON)
    run_jobs("notifications")
    (got,) = receiver.received
    digest = Delivery.objects.get(notification__kind="digest")
    assert (digest.state, digest.destination, digest.merged.count()) == ("sent", hook, 11)
    key, at = got.headers["Webhook-Id"], int(got.headers["Webhook-Timestamp"])
    expected = signature_headers(hook.secrets["signing_secret"], key, at, got.body)
    assert (got.headers["Idempotency-Key"], got.headers["Webhook-Signature"]) == (key, expected["Webhook-Signature"])
    content = json.loads(got.body)
    assert (content["kind"], content["device"], content["event"]) == ("digest", None, None)
    merged = content["merged"]
    assert {name: merged[name] for name in ("total", "by_kind", "not_listed")} == {
        "total": 11,
        "by_kind": {"overspeed": 9, "ignition_on": 2},
        "not_listed": 0,
    }
    assert [one["id"] for one in merged["notifications"]] == [one.notification_id for one in waiting]
    first = merged["notifications"][0]
    assert first["idempotency_key"] == idempotency_key(waiting[0])
    assert first["device"]["unique_id"] == "van-1"
    assert (first["event"]["kind"], first["event"]["data"], first["event"]["latitude"]) == (
        "overspeed",
        {"speed_kph": 101},
        -23.55,
    )


def test_of_very_many_a_program_gets_the_newest_and_how_many_there_were(receiver, hook, device, run_jobs, monkeypatch):
    monkeypatch.setattr("notifications_app.channels.webhook.MAX_LISTED", 3)
    waiting = leave_unposted(device, 12)
    run_jobs("notifications")
    merged = json.loads(receiver.received[0].body)["merged"]
    assert [one["id"] for one in merged["notifications"]] == [one.notification_id for one in waiting[-3:]]
    assert (merged["total"], merged["not_listed"]) == (12, 9)


def test_a_digest_that_grew_is_another_message_and_one_that_did_not_the_same(receiver, hook, device):
    now = timezone.now()
    first = leave_unposted(device, 10)
    merge_backlog(first[0].pk, now=now)
    digest = Delivery.objects.get(notification__kind="digest")
    receiver.answer = answers.status(503)
    for _ in range(2):
        with pytest.raises(DeliveryError):
            deliver(digest.pk, now=now)
    later = leave_unposted(device, 1)
    assert deliver(later[0].pk, now=now) == "merged"
    receiver.answer = Receiver.answer
    assert deliver(digest.pk, now=now) == "sent"
    once, again, grown = receiver.received
    assert once.headers["Idempotency-Key"] == again.headers["Idempotency-Key"] != grown.headers["Idempotency-Key"]
    assert once.body == again.body
    assert json.loads(grown.body)["merged"]["total"] == 11


def test_a_program_hears_nothing_of_what_its_owner_may_not_see_any_more(receiver, hook, device, fleet, make_device):
    leave_unposted(make_device(unique_id="other", fleet=fleet), 4)
    waiting = leave_unposted(device, 10)
    merge_backlog(waiting[0].pk, now=timezone.now())
    Device.objects.filter(pk=device.pk).update(fleet=Fleet.objects.create(name="Sold to"))
    deliver(Delivery.objects.get(notification__kind="digest").pk, now=timezone.now())
    merged = json.loads(receiver.received[0].body)["merged"]
    assert (merged["total"], {one["device"]["unique_id"] for one in merged["notifications"]}) == (4, {"other"})


def test_while_the_mail_server_is_away_all_of_it_joins_one_digest(sink, device, rule, operator):
    now = timezone.now()
    first = leave_unsent(device, 10)
    assert merge_backlog(first[0].pk, now=now) == 10
    later = leave_unsent(device, 3, EventKind.IGNITION_ON)
    assert merge_backlog(later[0].pk, now=now) == 3
    digest = Delivery.objects.get(notification__kind="digest")
    assert digest.merged.count() == 13
    assert deliver(digest.pk, now=now) == "sent"
    text = sink.messages[0].get_body(("plain",)).get_content()
    assert ("10×" in text, "3×" in text, len(sink.messages)) == (True, True, 1)


def test_who_wants_no_digests_by_email_gets_each(sink, device, rule, operator, run_jobs):
    EmailOptOut.objects.create(user=operator, kind="digest")
    leave_unsent(device, 10)
    run_jobs("notifications")
    assert len(sink.messages) == 10
    assert not Notification.objects.filter(kind="digest").exists()


@pytest.mark.parametrize("by_kind", [False, True])
def test_what_was_unsubscribed_from_meanwhile_is_in_no_digest(by_kind, sink, device, fleet, operator, run_jobs):
    left = make_rule(fleet, [operator], kinds=["overspeed"])
    make_rule(fleet, [operator], kinds=["ignition_on"])
    leave_unsent(device, 12)
    leave_unsent(device, 10, EventKind.IGNITION_ON)
    EmailOptOut.objects.create(user=operator, **({"kind": "speed"} if by_kind else {"rule": left}))
    run_jobs("notifications")
    (mail,) = sink.messages
    assert mail["Subject"] == "10 events gathered for you"
    assert Delivery.objects.filter(channel="email", state="failed").count() == 12


def test_what_may_not_be_seen_any_more_is_in_no_digest(sink, device, fleet, rule, operator, run_jobs):
    leave_unsent(device, 10)
    fleet.memberships.all().delete()
    run_jobs("notifications")
    assert sink.messages == []
    assert states() == [("speed", "failed")] * 10


def test_a_digest_whose_job_was_lost_with_its_writer_is_swept_up(sink, device, rule, operator, run_jobs, monkeypatch):
    waiting = leave_unsent(device, 10)
    monkeypatch.setattr("notifications_app.services.deliveries.backlog.enqueue_deliveries", lambda ids: 0)
    merge_backlog(waiting[0].pk, now=timezone.now())
    run_jobs("notifications")
    assert sink.messages == []
    assert sweep_stuck_deliveries(now=timezone.now() + timedelta(minutes=3)) == 1
    run_jobs("notifications")
    assert len(sink.messages) == 1


@pytest.mark.django_db(transaction=True)
def test_many_senders_at_once_make_one_digest(sink, device, rule, operator):
    waiting = leave_unsent(device, 20)
    start, answers = threading.Barrier(6), []

    def send(delivery: Delivery) -> None:
        start.wait()
        try:
            answers.append(deliver(delivery.pk, now=timezone.now()))
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(delivery,)) for delivery in waiting[:6]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["merged"] * 6
    digest = Delivery.objects.get(notification__kind="digest")
    assert (digest.merged.count(), digest.state) == (20, DeliveryState.PENDING)
    assert sink.messages == []
