"""From a delivery row to a real SMTP server: once, again after trouble, never after a refusal."""

from __future__ import annotations

import smtplib
import socket
import threading
from datetime import date, timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from notifications_app.channels import smtp_backend
from notifications_app.channels.base import DeliveryError
from notifications_app.channels.email import is_permanent
from notifications_app.channels.email_message import message_id
from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot
from notifications_app.models import Delivery, DeliveryState, Destination, Notification
from notifications_app.queries.inbox import visible_notifications
from notifications_app.services.deliveries.lease import LEASE, Claim, claim_delivery
from notifications_app.services.deliveries.sending import DeliveryBusy, deliver
from notifications_app.services.notifications.delivery_jobs import sweep_stuck_deliveries
from notifications_app.services.notifications.notifying import notify, notify_with_message, send_on_behalf
from notifications_app.services.notifications.store import Attachment
from notifications_app.tasks.delivery_tasks import deliver_notification
from tasks_app.engine import JobState, PermanentError
from tasks_app.models import EventKind, FleetMembership, Job
from tasks_app.queries.jobs import find_job
from tests.support.mail import running_mail_sink
from tests.support.notifications import make_geofence, make_rule, record_events

pytestmark = pytest.mark.usefixtures("site")

MAX_ATTEMPTS = 14


@pytest.fixture
def email_delivery(operator, db) -> Delivery:
    """A pending e-mail to Ana whose job was never enqueued (as if Redis had been down)."""
    written = Notification.objects.create(user=operator, kind="system", dedupe_key="x", subject="Hello", body_text="Hi")
    return Delivery.objects.create(notification=written, channel="email")


def attempt(delivery: Delivery) -> str:
    return deliver(delivery.pk, now=timezone.now())


def test_it_sends_a_real_email_for_an_event(sink, device, fleet, operator, run_jobs):
    make_rule(fleet, [operator])
    geofence = make_geofence(fleet, "Depot <b>São</b>")
    record_events(device, EventKind.GEOFENCE_ENTER, geofence=geofence, latitude=-23.55, longitude=-46.63)
    run_jobs("notifications")
    (mail,) = sink.messages
    delivery = Delivery.objects.get(channel="email")
    assert mail["To"] == operator.email
    assert mail["Subject"] == "Van 1 entered Depot <b>São</b>"
    assert mail["Message-ID"] == message_id(delivery)
    assert mail["Message-ID"].endswith("@tracker.example.org>")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "Geofence entered: Depot <b>São</b>" in mail.get_body(("plain",)).get_content()
    assert "Depot &lt;b&gt;São&lt;/b&gt;" in mail.get_body(("html",)).get_content()
    assert (delivery.state, delivery.attempt_count, delivery.address) == ("sent", 1, operator.email)
    assert delivery.sent_at is not None
    assert delivery.last_error == ""


def test_it_sends_once_however_often_it_is_asked(sink, email_delivery, run_jobs):
    for _ in range(3):
        deliver_notification.delay(email_delivery.pk)
    run_jobs("notifications")
    assert attempt(email_delivery) == "sent"
    assert len(sink.messages) == 1
    email_delivery.refresh_from_db()
    assert email_delivery.attempt_count == 1


@pytest.mark.parametrize("hook", ["rcpt_answer", "data_answer"])
def test_it_tries_again_after_a_temporary_refusal_with_the_same_message_id(hook, sink, email_delivery, staff, run_jobs):
    setattr(sink, hook, "451 4.3.0 Come back later")
    job_id = deliver_notification.delay(email_delivery.pk)
    run_jobs("notifications")
    email_delivery.refresh_from_db()
    assert (email_delivery.state, email_delivery.attempt_count) == ("pending", 1)
    assert email_delivery.last_error == "451 4.3.0 Come back later"
    assert find_job(job_id, user=staff).state == JobState.RETRYING
    setattr(sink, hook, "")
    assert attempt(email_delivery) == "sent"
    email_delivery.refresh_from_db()
    assert (email_delivery.attempt_count, email_delivery.last_error) == (2, "")
    assert [mail["Message-ID"] for mail in sink.messages] == [message_id(email_delivery)]


@pytest.mark.parametrize("hook", ["rcpt_answer", "data_answer"])
def test_it_gives_up_at_once_after_a_permanent_refusal(hook, sink, email_delivery, run_jobs):
    setattr(sink, hook, "550 5.1.1 No such user")
    job_id = deliver_notification.delay(email_delivery.pk)
    run_jobs("notifications")
    email_delivery.refresh_from_db()
    assert (email_delivery.state, email_delivery.attempt_count) == ("failed", 1)
    assert email_delivery.last_error == "550 5.1.1 No such user"
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.attempt_count) == ("failed", 1)
    assert "No such user" in job.error_message
    setattr(sink, hook, "")
    assert attempt(email_delivery) == "failed"
    assert sink.messages == []


def test_a_mail_server_that_does_not_let_us_send_switches_no_address_off(sink, email_delivery):
    sink.rcpt_answer = "554 5.7.1 <ana@example.org>: Relay access denied"
    with pytest.raises(DeliveryError, match="Relay access denied"):
        attempt(email_delivery)
    assert not Destination.objects.filter(is_enabled=False).exists()
    sink.rcpt_answer = ""
    assert attempt(email_delivery) == "sent"


def test_a_full_mailbox_fails_its_message_and_switches_no_address_off(sink, email_delivery):
    sink.rcpt_answer = "552 5.2.2 Mailbox full"
    with pytest.raises(PermanentError, match="Mailbox full"):
        attempt(email_delivery)
    assert not Destination.objects.filter(is_enabled=False).exists()


def test_it_tries_again_when_the_server_is_not_there(email_delivery, settings):
    with running_mail_sink() as gone:
        pass
    settings.EMAIL_BACKEND = "notifications_app.channels.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", gone.port
    with pytest.raises(DeliveryError) as caught:
        attempt(email_delivery)
    assert not caught.value.permanent
    email_delivery.refresh_from_db()
    assert email_delivery.state == DeliveryState.PENDING
    assert "ConnectionRefusedError" in email_delivery.last_error


def test_it_says_that_what_answers_is_no_mail_server(email_delivery, settings):
    settings.EMAIL_BACKEND = "notifications_app.channels.smtp_backend.EmailBackend"
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.getsockname()

        def greet() -> None:
            with server.accept()[0] as caller:
                caller.sendall(b"SSH-2.0-OpenSSH\r\n")

        greeter = threading.Thread(target=greet)
        greeter.start()
        with pytest.raises(DeliveryError, match=r"^The answer is none of a mail server: 2.0-OpenSSH$"):
            attempt(email_delivery)
        greeter.join(5)


def test_it_tries_again_when_the_server_hangs(email_delivery, settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.EMAIL_BACKEND = "notifications_app.channels.smtp_backend.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = silent.getsockname()
        settings.EMAIL_TIMEOUT = 0.1
        with pytest.raises(DeliveryError, match="timed out") as caught:
            attempt(email_delivery)
    assert not caught.value.permanent


def test_a_session_with_a_mail_server_ends_in_time_whatever_each_step_may_take(email_delivery, settings, monkeypatch):
    monkeypatch.setattr(smtp_backend, "SESSION_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.EMAIL_BACKEND = "notifications_app.channels.smtp_backend.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = silent.getsockname()
        settings.EMAIL_TIMEOUT = 30
        with pytest.raises(DeliveryError, match="did not take it within") as caught:
            attempt(email_delivery)
    assert not caught.value.permanent


def test_a_large_email_leaves_in_pieces_each_of_which_has_its_time():
    lengths: list[int] = []

    class Wire:
        def sendall(self, data: bytes) -> None:
            lengths.append(len(data))

    connection = smtp_backend._Connection(smtp_backend.EmailBackend())
    connection.sock = Wire()
    connection.send(b"x" * 150_000)
    assert (sum(lengths), max(lengths)) == (150_000, smtp_backend.PIECE_BYTES)


def test_it_gives_up_when_every_attempt_was_used_up(sink, email_delivery):
    sink.data_answer = "451 Later"
    for _ in range(MAX_ATTEMPTS - 1):
        with pytest.raises(DeliveryError):
            attempt(email_delivery)
    with pytest.raises(PermanentError):
        attempt(email_delivery)
    email_delivery.refresh_from_db()
    assert (email_delivery.state, email_delivery.attempt_count) == ("failed", MAX_ATTEMPTS)


@pytest.mark.parametrize(
    ("email", "reason"),
    [
        ("", "no e-mail address"),
        ("ana@example.org\nBcc: eve@example.org", "is not an e-mail address"),
        ("nonsense", "is not an e-mail address"),
    ],
)
def test_it_fails_for_good_without_a_usable_address(email, reason, sink, email_delivery, operator):
    operator.email = email
    operator.save()
    with pytest.raises(PermanentError, match=reason):
        attempt(email_delivery)
    email_delivery.refresh_from_db()
    assert email_delivery.state == "failed"
    assert reason in email_delivery.last_error
    assert sink.messages == []


def test_it_adds_no_header_through_a_subject(sink, operator, run_jobs, transactional_db):
    notify(users=[operator], kind="system", subject="A\nBcc: eve@example.org", body_text="-", dedupe_key="k")
    Notification.objects.update(subject="Changed\r\nBcc: eve@example.org")
    run_jobs("notifications")
    (mail,) = sink.messages
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Changed Bcc: eve@example.org"


def test_it_sends_nothing_to_those_who_lost_access_meanwhile(sink, device, fleet, operator, run_jobs):
    make_rule(fleet, [operator])
    record_events(device, EventKind.OVERSPEED)
    FleetMembership.objects.all().delete()
    run_jobs("notifications")
    delivery = Delivery.objects.get(channel="email")
    assert delivery.state == "failed"
    assert "may no longer see" in delivery.last_error
    assert sink.messages == []


def test_it_sends_nothing_to_those_who_left(sink, email_delivery, operator):
    operator.is_active = False
    operator.save()
    with pytest.raises(PermanentError, match="not active"):
        attempt(email_delivery)
    assert sink.messages == []


def test_it_leaves_a_delivery_to_the_one_who_is_sending_it(sink, email_delivery):
    now = timezone.now()
    assert claim_delivery(email_delivery.pk, max_attempts=MAX_ATTEMPTS, now=now) is not None
    assert claim_delivery(email_delivery.pk, max_attempts=MAX_ATTEMPTS, now=now) is None
    with pytest.raises(DeliveryBusy):
        deliver(email_delivery.pk, now=now + LEASE)
    assert sink.messages == []


def test_it_takes_over_from_a_sender_that_died_and_ignores_its_late_word(sink, email_delivery):
    dead = claim_delivery(
        email_delivery.pk, max_attempts=MAX_ATTEMPTS, now=timezone.now() - LEASE - timedelta(seconds=1)
    )
    assert attempt(email_delivery) == "sent"
    assert (
        dead.finish(state=DeliveryState.PENDING, outcome="retry", answer="late", address="", now=timezone.now())
        is False
    )
    email_delivery.refresh_from_db()
    assert (email_delivery.state, email_delivery.attempt_count) == ("sent", 2)


def test_it_fails_a_delivery_whose_every_sender_died(sink, email_delivery):
    long_ago = timezone.now() - timedelta(hours=1)
    Delivery.objects.update(state="sending", attempt_count=MAX_ATTEMPTS, claimed_at=long_ago)
    with pytest.raises(PermanentError):
        attempt(email_delivery)
    email_delivery.refresh_from_db()
    assert (email_delivery.state, email_delivery.last_error) == ("failed", "Every attempt was used up.")
    assert sink.messages == []


def test_it_refuses_a_delivery_that_does_not_exist(db):
    with pytest.raises(PermanentError, match="no delivery"):
        deliver(987_654, now=timezone.now())


def test_it_ignores_a_claim_of_an_earlier_attempt(email_delivery):
    late = Claim(email_delivery.pk, 1, is_last=False)
    assert late.finish(state="sent", outcome="sent", answer="", address="", now=timezone.now()) is False


def test_the_sweeper_sends_what_was_left_behind_once(sink, email_delivery, run_jobs):
    assert sweep_stuck_deliveries(now=timezone.now()) == 0
    later = timezone.now() + LEASE + timedelta(seconds=1)
    assert sweep_stuck_deliveries(now=later) == 1
    # Its job lives: sweeping again enqueues no second one.
    assert sweep_stuck_deliveries(now=later) == 0
    run_jobs("notifications")
    assert len(sink.messages) == 1
    assert sweep_stuck_deliveries(now=later) == 0


@pytest.mark.parametrize(
    ("fields", "swept"),
    [
        ({"state": "pending"}, 1),
        ({"state": "pending", "claimed_at": timedelta(0)}, 0),
        ({"state": "pending", "claimed_at": timedelta(minutes=5)}, 1),
        ({"state": "sending", "claimed_at": timedelta(seconds=90)}, 0),
        ({"state": "sending", "claimed_at": timedelta(minutes=5)}, 1),
        ({"state": "sent", "claimed_at": timedelta(minutes=5)}, 0),
        ({"state": "failed", "claimed_at": timedelta(minutes=5)}, 0),
    ],
)
def test_the_sweeper_finds_exactly_what_nobody_works_on(fields, swept, email_delivery):
    now = timezone.now()
    ages = {key: now - value for key, value in fields.items() if isinstance(value, timedelta)}
    Delivery.objects.update(created_at=now - timedelta(hours=1), **{**fields, **ages})
    assert sweep_stuck_deliveries(now=now) == swept


@pytest.mark.parametrize(
    ("error", "permanent"),
    [
        (smtplib.SMTPRecipientsRefused({"a@b.c": (550, b"no")}), True),
        (smtplib.SMTPRecipientsRefused({"a@b.c": (450, b"later")}), False),
        (smtplib.SMTPRecipientsRefused({"a@b.c": (550, b"5.1.1 no such user")}), True),
        (smtplib.SMTPRecipientsRefused({"a@b.c": (554, b"5.7.1 <a@b.c>: Relay access denied")}), False),
        (smtplib.SMTPRecipientsRefused({"a@b.c": (530, b"Authentication required")}), False),
        (smtplib.SMTPDataError(554, b"spam"), True),
        (smtplib.SMTPDataError(554, b"5.7.1 spam"), True),
        (smtplib.SMTPDataError(452, b"full"), False),
        (smtplib.SMTPSenderRefused(550, b"5.1.8 Sender address rejected: Domain not found", "x@y.z"), False),
        (smtplib.SMTPResponseException(502, b"STARTTLS is not for you"), False),
        (smtplib.SMTPSenderRefused(530, b"5.7.0 Must issue a STARTTLS command first", "x@y.z"), False),
        (smtplib.SMTPSenderRefused(552, b"5.3.4 Message size exceeds fixed limit", "x@y.z"), True),
        (smtplib.SMTPServerDisconnected("gone"), False),
        (smtplib.SMTPAuthenticationError(535, b"bad password"), False),
        (smtplib.SMTPConnectError(554, b"busy"), False),
        (TimeoutError("timed out"), False),
        (ConnectionRefusedError(), False),
    ],
)
def test_it_knows_which_smtp_errors_are_for_good(error, permanent):
    assert is_permanent(error) is permanent


def notify_of_report(people, **options) -> list[int]:
    message = Message(
        "report_ready", {"heading": "Trips", "first_day": date(2026, 3, 1), "last_day": date(2026, 3, 1), "files": []}
    )
    return notify_with_message(message, people=people, dedupe_key="r", now=timezone.now(), **options)


# Line ends within a cell are not those of mail.
CSV = '\ufeffkm\r\n"ção\n1\r2"\r\n'.encode()


@pytest.fixture
def stored_file(settings, tmp_path) -> Attachment:
    settings.MEDIA_ROOT = tmp_path
    name = default_storage.save("reports/trips.csv", ContentFile(CSV))
    return Attachment(name, "Trips ção.csv", "text/csv; charset=utf-8")


def test_an_email_carries_the_files_attached_to_its_notification(sink, operator, stored_file, run_jobs):
    notify_of_report([operator], attachments=(stored_file,))
    run_jobs("notifications")
    (mail,) = sink.messages
    (part,) = mail.iter_attachments()
    assert (part.get_filename(), part["Content-Type"]) == ("Trips ção.csv", 'text/csv; charset="utf-8"')
    assert part.get_payload(decode=True) == CSV


def test_a_file_that_is_gone_fails_its_delivery_with_the_reason(sink, operator, stored_file, run_jobs):
    notify_of_report([operator], attachments=(stored_file,))
    default_storage.delete(stored_file.storage_name)
    run_jobs("notifications")
    delivery = Delivery.objects.get(channel="email")
    assert (delivery.state, sink.messages) == ("failed", [])
    assert "Trips ção.csv" in delivery.last_error


def test_it_sends_to_an_address_without_an_account_as_long_as_its_owner_is_active(sink, operator, make_user, run_jobs):
    message = Message("system", {"title": "Hello", "message": "Hi", "level": "info", "spot": Spot(timezone.now())})
    gone = make_user(is_active=False)
    for owner in (operator, gone):
        addresses = ["depot@example.net", "boss@example.net"]
        send_on_behalf(message, owner=owner, addresses=addresses, dedupe_key="n", now=timezone.now())
    run_jobs("notifications")
    assert sorted(mail["To"] for mail in sink.messages) == ["boss@example.net", "depot@example.net"]
    assert visible_notifications(operator).count() == 0
