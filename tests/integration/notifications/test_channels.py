"""Webhooks, chat and open pages, to real receivers that behave well, badly, or not at all."""

from __future__ import annotations

import json
import logging
from datetime import timedelta

import pytest
from django.utils import timezone

from notifications_app.channels.base import DeliveryError, InvalidDestination
from notifications_app.channels.webhook import signature_headers
from notifications_app.models import (
    Delivery,
    DeliveryAttempt,
    Destination,
    EmailOptOut,
    Notification,
    NotificationPreference,
)
from notifications_app.services.deliveries.sending import NotRetryable, deliver, retry_delivery
from notifications_app.services.destinations.store import (
    TooManyTests,
    add_destination,
    change_destination,
    reencrypt_all,
    rotate_signing_secret,
    send_test,
    set_address,
    switch_off,
    switch_on,
)
from tasks_app.engine import PermanentError
from tasks_app.models import EventKind
from tasks_app.utils import outgoing_http
from tests.support import receiver as answers
from tests.support.mail import running_mail_sink
from tests.support.notifications import make_rule, record_events
from tests.support.receiver import Receiver, running_receiver


@pytest.fixture
def hook(receiver, operator) -> Destination:
    return add_destination(user=operator, kind="webhook", name="Office", url=receiver.url)


@pytest.fixture
def delivery(hook, operator, db) -> Delivery:
    written = Notification.objects.create(user=operator, kind="system", dedupe_key="x", subject="Hello", body_text="Hi")
    return Delivery.objects.create(notification=written, channel="webhook", destination=hook)


def attempt(delivery: Delivery) -> str:
    return deliver(delivery.pk, now=timezone.now())


def log_of(delivery: Delivery) -> list[tuple]:
    return list(delivery.attempts.order_by("number").values_list("number", "outcome", "answer"))


# --- Webhooks ---


def test_a_webhook_gets_signed_json_for_an_event(receiver, hook, device, fleet, operator, run_jobs):
    make_rule(fleet, [operator], channels=["in_app", "webhook"])
    record_events(device, EventKind.OVERSPEED, latitude=-23.55, longitude=-46.63, data={"speed_kph": 101})
    run_jobs("notifications")
    (got,) = receiver.received
    headers = {name.lower(): value for name, value in got.headers.items()}
    message_id, at = headers["webhook-id"], int(headers["webhook-timestamp"])
    expected = signature_headers(hook.secrets["signing_secret"], message_id, at, got.body)
    assert headers["webhook-signature"] == expected["Webhook-Signature"]
    assert headers["idempotency-key"] == message_id
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    content = json.loads(got.body)
    assert content["subject"] == "Van 1 is driving 101 km/h"
    assert content["device"]["unique_id"] == "van-1"
    assert content["event"]["kind"] == "overspeed"
    assert content["event"]["data"] == {"speed_kph": 101}
    sent = Delivery.objects.get(channel="webhook")
    assert (sent.state, sent.address) == ("sent", f"http://127.0.0.1:{receiver.port}/…")
    assert log_of(sent) == [(1, "sent", "200 thanks")]
    assert sent.attempts.get().duration_seconds < 10


def test_each_of_a_persons_destinations_gets_its_own_delivery(receiver, hook, device, fleet, operator, run_jobs):
    add_destination(user=operator, kind="webhook", name="Second", url=receiver.url)
    off = add_destination(user=operator, kind="webhook", name="Off", url=receiver.url)
    Destination.objects.filter(pk=off.pk).update(is_enabled=False)
    make_rule(fleet, [operator], channels=["webhook", "apprise"])
    record_events(device, EventKind.OVERSPEED)
    run_jobs("notifications")
    assert Delivery.objects.filter(state="sent").count() == Delivery.objects.count() == 2
    assert len({got.headers["Webhook-Id"] for got in receiver.received}) == 2


def test_an_address_that_was_changed_while_the_former_one_was_tried_stays_on(receiver, delivery):
    tried = Delivery.objects.select_related("destination", "notification__user").get(pk=delivery.pk)
    change_destination(Destination.objects.get(), url=f"{receiver.url}?new")
    switch_off(tried, reason="404 because", now=timezone.now())
    assert Destination.objects.get().is_enabled
    assert not Notification.objects.filter(kind="channel").exists()


def test_a_repeated_attempt_is_recognisable_as_the_same_message(receiver, delivery):
    receiver.answer = answers.status(503)
    with pytest.raises(DeliveryError):
        attempt(delivery)
    receiver.answer = Receiver.answer
    assert attempt(delivery) == "sent"
    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert log_of(delivery) == [(1, "retry", "503 because"), (2, "sent", "200 thanks")]


BAD_ANSWERS = {
    "hangs": (answers.hang, "no answer within"),
    "drips": (answers.drip, "no answer within"),
    "hangs up": (lambda r: answers.hang_up, "NoAnswer"),
    "talks nonsense": (lambda r: answers.gibberish, "NoAnswer"),
    "is overloaded": (lambda r: answers.status(429), "429"),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_a_receiver_in_trouble_is_tried_again_later(case, receiver, delivery, monkeypatch):
    make_answer, reason = BAD_ANSWERS[case]
    receiver.answer = make_answer(receiver)
    monkeypatch.setattr(outgoing_http.post, "__kwdefaults__", {"allowed": (), "total_seconds": 0.4})
    with pytest.raises(DeliveryError, match=reason) as caught:
        attempt(delivery)
    assert not caught.value.permanent
    delivery.refresh_from_db()
    assert delivery.state == "pending"
    assert log_of(delivery)[0][1] == "retry"
    assert Destination.objects.get().is_enabled


def test_of_an_endless_answer_only_the_beginning_is_read(receiver, delivery):
    receiver.answer = answers.endless
    assert attempt(delivery) == "sent"
    assert len(log_of(delivery)[0][2]) <= 200


def test_a_receiver_that_is_not_there_is_tried_again_later(delivery, receiver, settings):
    with running_receiver() as gone:
        pass
    hook = delivery.destination
    set_address(hook, gone.url)
    hook.save()
    with pytest.raises(DeliveryError, match="ConnectionRefusedError") as caught:
        attempt(delivery)
    assert not caught.value.permanent


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_switches_the_destination_off(code, receiver, delivery):
    receiver.answer = answers.status(code, Location="http://169.254.169.254/latest/meta-data/")
    with pytest.raises(PermanentError, match="redirects are not followed"):
        attempt(delivery)
    assert len(receiver.received) == 1
    assert not Destination.objects.get().is_enabled


def test_a_private_address_is_refused_whatever_the_name_said_before(receiver, delivery, settings):
    settings.OUTGOING_ALLOWED_NETWORKS = []
    with pytest.raises(PermanentError, match="private network"):
        attempt(delivery)
    assert receiver.received == []


def test_the_name_is_resolved_once_and_the_checked_address_is_connected_to(receiver, delivery, settings, monkeypatch):
    """DNS rebinding: the second look-up of the name would lead elsewhere."""
    import socket

    real, asked = socket.getaddrinfo, []

    def rebinding(host, *args, **kwargs):
        if host != "rebind.example.org":
            return real(host, *args, **kwargs)
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    settings.OUTGOING_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    hook = delivery.destination
    set_address(hook, f"http://rebind.example.org:{receiver.port}/x")
    hook.save()
    assert attempt(delivery) == "sent"
    assert asked == ["rebind.example.org"]
    assert receiver.received[0].headers["Host"] == f"rebind.example.org:{receiver.port}"
    Delivery.objects.update(state="pending")
    with pytest.raises(PermanentError, match=r"127\.0\.0\.2"):
        attempt(delivery)


def test_an_address_that_is_gone_is_switched_off_and_its_owner_is_notified(
    receiver, delivery, hook, operator, run_jobs
):
    receiver.answer = answers.status(410)
    with pytest.raises(PermanentError):
        attempt(delivery)
    hook.refresh_from_db()
    assert (hook.is_enabled, hook.disabled_reason) == (False, "410 because")
    notified = Notification.objects.get(kind="channel_off")
    assert (notified.user, notified.subject) == (operator, "Webhook is switched off: Office")
    assert "410 because" in notified.body_text
    assert set(notified.deliveries.values_list("channel", flat=True)) == {"in_app", "email"}
    # Others that were on their way there are not sent, and cause no second notification.
    other = Delivery.objects.create(
        notification=Notification.objects.create(user=operator, kind="system", dedupe_key="y", subject="-"),
        channel="webhook",
        destination=hook,
    )
    with pytest.raises(PermanentError, match="switched off"):
        attempt(other)
    assert len(receiver.received) == 1
    assert Notification.objects.filter(kind="channel_off").count() == 1


def test_a_person_reads_in_their_language_why_a_channel_is_off(receiver, delivery, hook, operator):
    NotificationPreference.objects.create(user=operator, language="pt-br")
    receiver.answer = answers.status(302)
    with pytest.raises(PermanentError):
        attempt(delivery)
    hook.refresh_from_db()
    assert hook.disabled_reason == "302: redirecionamentos não são seguidos; informe o endereço final."
    assert hook.disabled_reason in Notification.objects.get(kind="channel_off").body_text
    assert log_of(delivery)[0][2] == hook.disabled_reason


def test_a_failed_delivery_can_be_tried_again_with_all_its_attempts(receiver, delivery, hook, run_jobs):
    receiver.answer = answers.status(404)
    with pytest.raises(PermanentError):
        attempt(delivery)
    receiver.answer = Receiver.answer
    hook.refresh_from_db()
    switch_on(hook)
    retry_delivery(delivery)
    run_jobs("notifications")
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempt_count, delivery.attempts_forgiven) == ("sent", 2, 1)
    with pytest.raises(NotRetryable):
        retry_delivery(delivery)


def test_a_removed_destination_fails_what_was_on_its_way_there(receiver, delivery, hook):
    hook.delete()
    with pytest.raises(PermanentError, match="removed"):
        attempt(delivery)
    assert receiver.received == []


def test_a_secret_that_no_key_opens_switches_the_destination_off(receiver, delivery, settings):
    settings.ENCRYPTION_KEYS = ["another key"]
    with pytest.raises(PermanentError, match="cannot be decrypted"):
        attempt(delivery)
    assert not Destination.objects.get().is_enabled


def test_secrets_are_nowhere_in_clear(receiver, hook, delivery, caplog):
    caplog.set_level(logging.DEBUG)
    attempt(delivery)
    row = Destination.objects.values().get()
    notified = (
        json.dumps([row, *DeliveryAttempt.objects.values(), *Delivery.objects.values()], default=str) + caplog.text
    )
    assert "t0ken-of-ana" not in notified
    assert hook.secrets["signing_secret"] not in notified


def test_keys_can_be_changed_without_entering_anything_again(receiver, hook, delivery, settings):
    settings.ENCRYPTION_KEYS = ["newer", *settings.ENCRYPTION_KEYS]
    assert reencrypt_all() == {"reencrypted": 1, "unreadable": 0}
    settings.ENCRYPTION_KEYS = ["newer"]
    assert attempt(delivery) == "sent"
    settings.ENCRYPTION_KEYS = ["lost"]
    assert reencrypt_all() == {"reencrypted": 0, "unreadable": 1}


def test_a_new_address_keeps_the_signing_secret_until_that_is_changed(receiver, hook):
    before = hook.secrets["signing_secret"]
    set_address(hook, receiver.url + "/other")
    hook.save()
    assert Destination.objects.get().secrets["signing_secret"] == before
    after = rotate_signing_secret(hook)
    assert after != before
    assert Destination.objects.get().secrets == {"url": receiver.url + "/other", "signing_secret": after}


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("webhook", "http://example.org/"),
        ("webhook", "https://user:pw@example.org/"),
        ("webhook", "ftp://example.org/"),
        ("webhook", "nonsense"),
        ("webhook", "https://☃.example.org/"),
        ("apprise", "json://☃.example.org/"),
        ("apprise", "nonsense"),
        ("apprise", "nosuch://example.org"),
        ("apprise", "syslog://"),
        ("apprise", "dbus://"),
        ("apprise", "tgram://\n"),
        ("email", "ana@example.org"),
        ("in_app", "x"),
        ("nothing", "x"),
    ],
)
def test_it_refuses_what_can_be_no_destination(kind, url, operator):
    with pytest.raises(InvalidDestination):
        add_destination(user=operator, kind=kind, name="X", url=url)
    assert not Destination.objects.exists()


# --- Apprise, through real plugins of it ---


def test_a_test_goes_the_way_of_every_delivery(receiver, hook, operator, run_jobs):
    delivery_id = send_test(user=operator, kind="webhook", destination=hook, now=timezone.now())
    run_jobs("notifications")
    assert Delivery.objects.get(pk=delivery_id).state == "sent"
    assert "Test message: Webhook, Office" in receiver.received[0].body.decode()
    hook.refresh_from_db()
    assert hook.tested_at is not None


def test_a_destination_that_is_off_can_be_tested(receiver, hook, operator, run_jobs):
    Destination.objects.update(is_enabled=False)
    send_test(user=operator, kind="webhook", destination=hook, now=timezone.now())
    run_jobs("notifications")
    assert len(receiver.received) == 1


def test_tests_are_limited(operator, settings, db):
    settings.CHANNEL_TESTS_PER_10_MINUTES = 2
    now = timezone.now()
    for _ in range(2):
        send_test(user=operator, kind="websocket", now=now)
    with pytest.raises(TooManyTests):
        send_test(user=operator, kind="websocket", now=now)
    assert send_test(user=operator, kind="websocket", now=now + timedelta(minutes=11))


def test_nobody_with_an_open_page_is_no_failure(operator, run_jobs):
    delivery_id = send_test(user=operator, kind="websocket", now=timezone.now())
    run_jobs("notifications")
    assert log_of(Delivery.objects.get(pk=delivery_id)) == [(1, "sent", "no page is open")]


# --- E-mail that is switched off, or was unsubscribed from ---


def test_an_email_address_that_its_server_refuses_is_switched_off_until_it_changes(operator, settings, run_jobs):
    with running_mail_sink() as sink:
        settings.EMAIL_BACKEND = "notifications_app.channels.smtp_backend.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        sink.rcpt_answer = "550 5.1.1 No such user"
        send_test(user=operator, kind="email", now=timezone.now())
        run_jobs("notifications")
        off = Destination.objects.get(kind="email")
        assert (off.address, off.is_enabled) == (operator.email, False)
        notified = Notification.objects.get(kind="channel_off")
        assert list(notified.deliveries.values_list("channel", flat=True)) == ["in_app"]
        sink.rcpt_answer = ""
        send_test(user=operator, kind="email", now=timezone.now())
        run_jobs("notifications")
        assert sink.messages == []
        operator.email = "new@example.org"
        operator.save()
        send_test(user=operator, kind="email", now=timezone.now())
        run_jobs("notifications")
        assert [mail["To"] for mail in sink.messages] == ["new@example.org"]


def test_who_unsubscribed_from_a_kind_gets_no_email_of_it(device, fleet, operator, db):
    EmailOptOut.objects.create(user=operator, kind="speed")
    make_rule(fleet, [operator], channels=["in_app", "email"])
    record_events(device, EventKind.OVERSPEED, EventKind.IGNITION_ON)
    rows = set(Delivery.objects.values_list("notification__kind", "channel"))
    assert rows == {("speed", "in_app"), ("ignition", "in_app"), ("ignition", "email")}
