"""Runs of report schedules whose messages did not reach a recipient."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest
from django.utils import timezone

from notifications_app.models import Delivery, Notification
from notifications_app.services.deliveries import deliver
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
