"""Two people change or delete one row at once: neither undoes what the other did, and a row that is gone is a 404."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import Schedule

from notifications_app.models import Destination
from notifications_app.services.destinations import change_destination, rotate_signing_secret, switch_on
from reports_app.models import ReportSchedule
from reports_app.services.schedules import switch
from tasks_app.models import Device, MaintenancePlan, ScheduleState
from tasks_app.services.devices import mark_done
from tasks_app.services.rows import RowGone, delete_row, save_row
from tasks_app.services.schedules import delete_schedule, disable, enable, run_now
from tests.support.route_cases import make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(fleet, operator):
    return make_world(fleet, operator)


@pytest.fixture
def schedule():
    """A schedule as someone read it, which is gone since."""
    schedule = Schedule.objects.create(
        func="cleanup_cache", name="Nightly", schedule_type=Schedule.DAILY, next_run=timezone.now() + timedelta(hours=1)
    )
    ScheduleState.objects.create(schedule=schedule)
    Schedule.objects.filter(pk=schedule.pk).delete()
    return schedule


def test_a_field_that_another_change_set_meanwhile_stays(device):
    read_before = Device.objects.get(pk=device.pk)
    Device.objects.filter(pk=device.pk).update(name="By another", ingest_key_hash="")
    read_before.ingest_key_hash = "of a key that was revoked"
    save_row(read_before, {"offline_after_minutes": 7})
    device.refresh_from_db()
    assert (device.name, device.ingest_key_hash, device.offline_after_minutes) == ("By another", "", 7)


def test_a_destination_that_was_switched_off_meanwhile_stays_off(operator):
    read_before = Destination.objects.create(user=operator, kind="webhook", name="Ours", address="https://example.org")
    Destination.objects.update(is_enabled=False, disabled_reason="It answers 410.")
    change_destination(read_before, name="Mine")
    found = Destination.objects.get()
    assert (found.name, found.is_enabled, found.disabled_reason) == ("Mine", False, "It answers 410.")


def test_a_report_schedule_is_switched_with_the_time_that_another_gave_it(world):
    read_before = ReportSchedule.objects.get(pk=world["report_schedule_id"])
    ReportSchedule.objects.update(local_time="03:07", time_zone="UTC", period="daily", is_active=False)
    switch(read_before, on=True, now=timezone.now())
    found = ReportSchedule.objects.get()
    assert found.next_due_at is not None
    assert f"{found.next_due_at:%H:%M}" == "03:07"


def test_a_row_that_is_gone_is_neither_made_again_nor_deleted_twice(device):
    read_before = Device.objects.get(pk=device.pk)
    Device.objects.filter(pk=device.pk).delete()
    with pytest.raises(RowGone):
        save_row(read_before, {"name": "Back again"})
    with pytest.raises(RowGone):
        delete_row(read_before)
    assert not Device.objects.exists()


@pytest.mark.parametrize("step", [enable, disable, run_now, delete_schedule])
def test_no_step_of_a_schedule_that_is_gone(step, schedule, staff):
    with pytest.raises(RowGone):
        step(schedule, user=staff)
    assert not ScheduleState.objects.exists()


def test_no_step_of_other_rows_that_are_gone(world, operator):
    plan = MaintenancePlan.objects.get(pk=world["plan_id"])
    report_schedule = ReportSchedule.objects.get(pk=world["report_schedule_id"])
    destination = Destination.objects.create(user=operator, kind="webhook", name="Ours", address="https://example.org")
    for row in (plan, report_schedule, destination):
        type(row).objects.filter(pk=row.pk).delete()
    for step in (
        lambda: mark_done(plan, now=timezone.now()),
        lambda: switch(report_schedule, on=False, now=timezone.now()),
        lambda: switch_on(destination),
        lambda: rotate_signing_secret(destination),
        lambda: change_destination(destination, name="Mine"),
    ):
        with pytest.raises(RowGone):
            step()
