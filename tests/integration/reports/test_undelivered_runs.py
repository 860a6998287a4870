"""Runs of report schedules whose messages did not reach a recipient."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, time

import pytest
from django.utils import timezone

from notifications_app.models import Delivery, Notification
from notifications_app.services.deliveries import deliver, retry_delivery
from reports_app.models import ReportSchedule, ReportScheduleRun
from tasks_app.engine import PermanentError

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media", "site")]
DUE = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture
def run(fleet, operator) -> ReportScheduleRun:
    """A run that was delivered to nobody yet."""
    schedule = ReportSchedule.objects.create(
        name="Monday letter", owner=operator, fleet=fleet, kinds=["trips"], formats=["csv"], period="daily",
        local_time=time(7), time_zone="UTC", next_due_at=DUE,
    )  # fmt: skip
    return ReportScheduleRun.objects.create(
        schedule=schedule, due_at=DUE, range_start=DUE, range_end=DUE, state="delivered"
    )


@pytest.fixture
def send_to(run, operator):
    """Send the run's message, to an address or to Ana in the application and by e-mail."""

    def send(address: str = "") -> None:
        message = Notification.objects.create(
            user=operator,
            kind="report_ready",
            dedupe_key=address,
            subject="Letter",
            body_text="-",
            on_behalf_to=address,
        )
        run.notifications.add(message)
        if not address:
            Delivery.objects.create(notification=message, channel="in_app", state="sent")
        delivery = Delivery.objects.create(notification=message, channel="email")
        with pytest.raises(PermanentError):
            deliver(delivery.pk, now=timezone.now())
        run.refresh_from_db()

    return send


def test_a_run_that_reached_nobody_failed_and_its_owner_is_notified(run, send_to, sink, operator):
    sink.rcpt_answer = "550 No such user"
    send_to("boss@example.net")
    assert (run.state, run.error) == ("failed", "boss@example.net: 550 No such user")
    run.schedule.refresh_from_db()
    assert (run.schedule.failure_count, run.schedule.is_active) == (1, True)
    assert Notification.objects.get(kind="report_failed").user == operator


def test_a_run_that_reached_somebody_says_whom_it_did_not(run, send_to, sink):
    sink.rcpt_answer = "550 No such user"
    send_to()
    assert (run.state, run.error) == ("delivered", "ana: 550 No such user")
    send_to("boss@example.net")
    assert (run.state, run.error) == ("delivered", "ana: 550 No such user boss@example.net: 550 No such user")
    assert not Notification.objects.filter(kind="report_failed").exists()


def test_a_run_whose_refused_mail_is_sent_when_a_person_has_it_tried_again_was_delivered(run, send_to, sink):
    sink.rcpt_answer = "550 No such user"
    send_to("boss@example.net")
    assert run.state == "failed"
    failed = Delivery.objects.get(channel="email", state="failed")
    for answer, expected in [("550 Still none", "failed"), ("", "delivered")]:
        sink.rcpt_answer = answer
        retry_delivery(failed)
        with suppress(PermanentError):
            deliver(failed.pk, now=timezone.now())
        run.refresh_from_db()
        assert run.state == expected
    run.schedule.refresh_from_db()
    assert (run.error, run.schedule.failure_count, run.schedule.last_error) == ("", 0, "")


def test_of_a_run_that_is_delivered_after_all_the_other_notes_stay(run, send_to, sink):
    run.error = "Trips · Van 1: no positions."
    run.save()
    sink.data_answer = "554 Too odd"
    send_to()
    send_to("boss@example.net")
    sink.data_answer = ""
    retry_delivery(Delivery.objects.get(state="failed", notification__on_behalf_to=""))
    deliver(Delivery.objects.get(state="pending").pk, now=timezone.now())
    run.refresh_from_db()
    assert run.error == "Trips · Van 1: no positions. boss@example.net: 554 Too odd"
