"""Digests and daily summaries that wait are not sent to a user who lost what they name."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from django.utils import timezone

from notifications_app.models import Delivery
from notifications_app.services.deliveries.sending import deliver
from notifications_app.services.destinations.store import add_destination
from notifications_app.services.digests import send_due_digests, send_summary
from tasks_app.engine import PermanentError
from tasks_app.models import Device, EventKind, Fleet, FleetMembership, FleetRole
from tests.support.notifications import make_rule, record_events

pytestmark = pytest.mark.django_db
DEVICE_LOST = "failed The user may no longer see this device."
FLEET_LOST = "failed The user may no longer see this fleet."


def sent_or_refused(delivery: Delivery) -> str:
    """Send the delivery; return its state and reason."""
    with suppress(PermanentError):
        deliver(delivery.pk, now=timezone.now())
    delivery.refresh_from_db()
    return f"{delivery.state} {delivery.last_error}".strip()


def lose(device) -> None:
    Device.objects.filter(pk=device.pk).update(fleet=Fleet.objects.create(name="Sold"))


def waiting_digest(device, operator, channel: str) -> Delivery:
    """Return the unsent digest of one held alert."""
    make_rule(device.fleet, [operator], channels=[channel], digest_every_minutes=10)
    record_events(device, EventKind.OVERSPEED)
    assert send_due_digests(now=timezone.now() + timedelta(minutes=11)) == 1
    return Delivery.objects.get(channel=channel)


@pytest.mark.parametrize("loss", ["fleet", "device", "nothing"])
def test_a_digest_by_mail(loss, device, operator, sink):
    waiting = waiting_digest(device, operator, "email")
    if loss == "fleet":
        FleetMembership.objects.all().delete()
    elif loss == "device":
        lose(device)
    assert sent_or_refused(waiting) == ("sent" if loss == "nothing" else DEVICE_LOST)
    assert len(sink.messages) == (loss == "nothing")


def test_a_digest_by_webhook(device, operator, receiver):
    add_destination(user=operator, kind="webhook", name="Office", url=receiver.url)
    waiting = waiting_digest(device, operator, "webhook")
    lose(device)
    assert (sent_or_refused(waiting), receiver.received) == (DEVICE_LOST, [])


@pytest.mark.parametrize("role", [None, FleetRole.VIEWER])
def test_a_daily_summary(role, device, operator, sink):
    assert len(send_summary(user_id=operator.pk, now=timezone.now())) == 1
    FleetMembership.objects.all().delete()
    if role:
        FleetMembership.objects.create(user=operator, fleet=device.fleet, role=role)
    assert sent_or_refused(Delivery.objects.get(channel="email")) == ("sent" if role else FLEET_LOST)
    assert len(sink.messages) == bool(role)


def merged_digest(operator, *devices) -> Delivery:
    """Return the unsent digest of old alerts of these devices."""
    make_rule(devices[0].fleet, [operator], channels=["email"])
    for device in devices:
        record_events(device, *[EventKind.OVERSPEED] * 10)
    Delivery.objects.update(created_at=timezone.now() - timedelta(hours=2))
    with suppress(Exception):
        deliver(Delivery.objects.filter(channel="email").earliest("pk").pk, now=timezone.now())
    return Delivery.objects.get(notification__kind="digest")


def test_a_digest_after_an_outage_leaves_out_a_lost_device(device, make_device, operator, sink):
    kept = make_device(name="Kept", fleet=device.fleet)
    waiting = merged_digest(operator, device, kept)
    lose(device)
    assert sent_or_refused(waiting) == "sent"
    text = sink.messages[0].get_body(("plain",)).get_content()
    assert ("Kept" in text, device.name in text) == (True, False)


def test_a_digest_after_an_outage_of_lost_devices_only(device, operator, sink):
    waiting = merged_digest(operator, device)
    lose(device)
    assert (sent_or_refused(waiting), sink.messages) == (DEVICE_LOST, [])
