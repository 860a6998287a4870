"""A sender killed (SIGKILL) at every step of a delivery: nothing is lost, and at most one duplicate says what it is."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from notifications_app.models import Delivery, Notification
from notifications_app.services.deliveries.lease import LEASE
from notifications_app.services.deliveries.sending import DeliveryBusy, deliver
from notifications_app.services.destinations.store import add_destination
from notifications_app.services.notifications.delivery_jobs import sweep_stuck_deliveries
from tests.support.cluster import ROOT, allowed, environment

pytestmark = pytest.mark.django_db(transaction=True)

# step -> how often the other side hears of the delivery in all, and how many attempts the log shows
STEPS = {
    "before_claim": (1, 1),
    "after_claim": (1, 2),
    "after_send": (2, 2),  # it cannot be known whether it arrived; the duplicate carries the same key
    "after_store": (1, 1),
}


def kill_sender_at(step: str, delivery: Delivery, **extra: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.delivery_child", step, str(delivery.pk)],
        cwd=ROOT,
        env=environment(WEBHOOK_ALLOW_HTTP="1", OUTGOING_ALLOWED_NETWORKS="127.0.0.0/8", **extra),
        timeout=allowed(60),
        check=False,
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]


def a_notification(user) -> Notification:
    return Notification.objects.create(user=user, kind="system", dedupe_key="x", subject="Hello", body_text="Hi")


def deliver_again(delivery: Delivery, run_jobs) -> None:
    """The steps that follow by themselves: at first the delivery is left alone, then it is swept up and sent."""
    delivery.refresh_from_db()
    if delivery.state == "sending":
        with pytest.raises(DeliveryBusy):
            deliver(delivery.pk, now=timezone.now())
        Delivery.objects.update(claimed_at=timezone.now() - LEASE - timedelta(seconds=5))
    sweep_stuck_deliveries(now=timezone.now())
    run_jobs("notifications")
    delivery.refresh_from_db()
    assert delivery.state == "sent"
    assert deliver(delivery.pk, now=timezone.now()) == "sent"


@pytest.mark.parametrize("step", STEPS)
def test_a_webhook_is_never_lost_and_a_duplicate_has_the_same_key(step, receiver, operator, run_jobs):
    hook = add_destination(user=operator, kind="webhook", name="Office", url=receiver.url)
    delivery = Delivery.objects.create(notification=a_notification(operator), channel="webhook", destination=hook)
    Delivery.objects.update(created_at=timezone.now() - LEASE - timedelta(seconds=5))
    kill_sender_at(step, delivery)
    heard, attempts = STEPS[step]
    deliver_again(delivery, run_jobs)
    assert len(receiver.received) == heard
    assert len({got.headers["Idempotency-Key"] for got in receiver.received}) == 1
    assert len({got.body for got in receiver.received}) == 1
    assert delivery.attempts.count() == attempts
    assert delivery.attempts.filter(outcome="sent").count() == 1


@pytest.mark.parametrize("step", ["after_send"])
def test_an_email_is_never_lost_and_a_duplicate_has_the_same_message_id(step, sink, operator, run_jobs):
    delivery = Delivery.objects.create(notification=a_notification(operator), channel="email")
    Delivery.objects.update(created_at=timezone.now() - LEASE - timedelta(seconds=5))
    kill_sender_at(step, delivery, EMAIL_HOST="127.0.0.1", EMAIL_PORT=str(sink.port))
    deliver_again(delivery, run_jobs)
    assert len(sink.messages) == STEPS[step][0]
    assert len({mail["Message-ID"] for mail in sink.messages}) == 1
