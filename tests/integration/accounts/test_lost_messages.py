"""A message about reports that waits is not sent to a user who lost its fleet, its devices or the account meanwhile."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, time, timedelta

import pytest
from django.utils import timezone

from notifications_app.channels.base import DeliveryError
from notifications_app.models import Delivery, Notification, NotificationPreference
from notifications_app.services.deliveries.sending import deliver
from notifications_app.services.destinations.store import add_destination
from reports_app.models import Report, ReportFollower, ReportSchedule, ReportState
from reports_app.services.generation import cancel_report
from reports_app.services.notify import notify_failed, notify_ready
from reports_app.services.schedules import run_now, save_report_schedule
from reports_app.services.schedules.failures import run_failed
from tasks_app.engine import PermanentError
from tasks_app.models import Device, Fleet, FleetMembership, FleetRole
from tests.support import receiver as answers
from tests.support.notifications import make_rule

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media", "site")]
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)


@pytest.fixture
def quiet(operator) -> NotificationPreference:
    """Ana wants quiet from 11:00 to 13:00."""
    return NotificationPreference.objects.create(user=operator, time_zone="UTC", quiet_from="11:00", quiet_to="13:00")


def report_of(operator, device, about: str, state=ReportState.READY) -> Report:
    """Return a report that ended, which the operator follows."""
    subjects = {
        "device": {"kind": "trips", "device": device},
        "fleet": {"kind": "fleet", "fleet": device.fleet, "held_device_ids": [device.pk]},
        "neither": {"kind": "fleet", "requested_by": operator, "held_device_ids": [device.pk], "content": {}},
    }
    day = timedelta(days=1)
    report = Report.objects.create(
        **subjects[about],
        state=state,
        error="The disk was full.",
        range_start=NOW - 2 * day,
        range_end=NOW - day,
        finished_at=NOW,
        expires_at=NOW + 30 * day,
    )
    ReportFollower.objects.create(report=report, user=operator, wants_notice=True)
    return report


def schedule_of(owner, fleet, **fields) -> ReportSchedule:
    values = {
        "name": "Letter", "owner": owner, "fleet": fleet, "kinds": ["trips", "fleet"], "formats": ["csv"],
        "period": "weekly", "local_time": time(7, 0), "time_zone": "UTC", "delivery": "link", **fields,
    }  # fmt: skip
    return save_report_schedule(ReportSchedule(**values), devices=[], recipients=[owner], editor=owner, now=NOW)


def lose(operator, device, loss: str) -> None:
    if loss == "fleet":
        FleetMembership.objects.filter(user=operator).delete()
    elif loss == "account":
        type(operator).objects.filter(pk=operator.pk).update(is_active=False)
    elif loss == "device":
        Device.objects.filter(pk=device.pk).update(fleet=Fleet.objects.create(name="Sold"))
    elif loss == "deleted fleet":
        Device.objects.filter(pk=device.pk).delete()
        Fleet.objects.filter(pk=device.fleet_id).delete()


def sent_or_refused(*, now: datetime, channel: str = "email") -> str:
    """Send the only delivery of the channel; return its state and reason."""
    delivery = Delivery.objects.get(channel=channel)
    with suppress(PermanentError):
        deliver(delivery.pk, now=now)
    delivery.refresh_from_db()
    return f"{delivery.state} {delivery.last_error}".strip()


REFUSED = {
    "account": "failed The user is not active.",
    **dict.fromkeys(["fleet", "device", "deleted fleet"], "failed The user may no longer see this report."),
}


@pytest.mark.parametrize("loss", ["fleet", "device", "account"])
@pytest.mark.parametrize("about", ["device", "fleet", "neither"])
def test_a_message_held_by_quiet_hours(about, loss, operator, device, quiet, sink):
    notify_ready(report_of(operator, device, about).pk, now=NOW)
    assert Delivery.objects.get(channel="email").hold_until == NOW + timedelta(hours=1)
    lose(operator, device, loss)
    assert (sent_or_refused(now=LATER), sink.messages) == (REFUSED[loss], [])


def test_a_message_of_a_failed_report(operator, device, quiet, sink):
    notify_failed(report_of(operator, device, "fleet", ReportState.FAILED).pk, now=NOW)
    lose(operator, device, "fleet")
    assert (sent_or_refused(now=LATER), sink.messages) == (REFUSED["fleet"], [])


def test_a_message_that_is_retried_at_a_webhook(operator, device, receiver):
    make_rule(device.fleet, [operator], kinds=["report_ready"], channels=["webhook"])
    add_destination(user=operator, kind="webhook", name="Office", url=receiver.url)
    receiver.answer = answers.status(503)
    notify_ready(report_of(operator, device, "device").pk, now=NOW)
    delivery = Delivery.objects.get(channel="webhook")
    with pytest.raises(DeliveryError, match="503"):
        deliver(delivery.pk, now=NOW)
    lose(operator, device, "fleet")
    assert sent_or_refused(now=LATER, channel="webhook") == REFUSED["fleet"]
    assert len(receiver.received) == 1


@pytest.mark.parametrize("loss", ["fleet", "device", "account"])
def test_links_of_a_schedule(loss, operator, device, quiet, sink, run_jobs):
    run_now(schedule_of(operator, device.fleet), now=NOW)
    run_jobs("reports")
    lose(operator, device, loss)
    assert (sent_or_refused(now=timezone.now() + timedelta(days=1)), sink.messages) == (REFUSED[loss], [])


@pytest.mark.parametrize("loss", ["fleet", "deleted fleet", "account"])
def test_a_schedule_that_was_switched_off(loss, operator, device, quiet, sink, settings):
    settings.REPORT_SCHEDULE_MAX_FAILURES = 1
    run_failed(schedule_of(operator, device.fleet).pk, None, "The disk was full.", now=NOW)
    assert "switched off" in Notification.objects.get().subject
    lose(operator, device, loss)
    assert (sent_or_refused(now=LATER), sink.messages) == (REFUSED[loss], [])


def test_the_failure_of_a_schedule_that_was_deleted_meanwhile_is_left(operator, device):
    schedule = schedule_of(operator, device.fleet)
    number = schedule.pk
    schedule.delete()
    run_failed(number, None, "The disk was full.", now=NOW)
    assert not Notification.objects.exists()


def test_an_address_without_an_account_whose_owner_no_longer_manages_the_fleet(operator, device, sink, run_jobs):
    FleetMembership.objects.filter(user=operator).update(role=FleetRole.MANAGER)
    schedule = schedule_of(operator, device.fleet, extra_emails=["boss@example.net"])
    schedule.recipients.clear()
    run_now(schedule, now=NOW)
    run_jobs("reports")
    FleetMembership.objects.filter(user=operator).update(role=FleetRole.OPERATOR)
    assert (sent_or_refused(now=timezone.now()), sink.messages) == (REFUSED["fleet"], [])


@pytest.mark.parametrize("is_superuser", [False, True])
def test_a_reader_who_still_sees_it_gets_it(is_superuser, operator, device, quiet, sink):
    if is_superuser:
        type(operator).objects.filter(pk=operator.pk).update(is_staff=True, is_superuser=True)
        FleetMembership.objects.filter(user=operator).delete()
        operator.refresh_from_db()
    notify_ready(report_of(operator, device, "fleet").pk, now=NOW)
    assert sent_or_refused(now=LATER) == "sent"
    assert len(sink.messages) == 1


def test_a_report_that_failed_is_not_named_to_readers_who_lost_its_device(operator, device, make_device, run_jobs):
    moved = make_device(name="Moved", fleet=device.fleet)
    run_now(schedule_of(operator, device.fleet, kinds=["trips"]), now=NOW)
    cancel_report(Report.objects.get(device=moved), user=operator)
    lose(operator, moved, "device")
    run_jobs("reports")
    text = Notification.objects.get().body_text
    assert (device.name in text, "Moved" in text) == (True, False)
