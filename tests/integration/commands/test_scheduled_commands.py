"""Commands that schedules send, with the rights of who saved them; and how long commands are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.utils import timezone
from django_q.models import Schedule

from tasks_app.engine import PermanentError, TaskNotPermitted, get_task
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.engine.recurrence import Recurrence, next_run
from tasks_app.models import Command, CommandAttempt, FleetMembership
from tasks_app.queries.task_rights import check_may_start
from tasks_app.services.cleanup import remove_old_history
from tests.support.commands import a_fix, ask, long_ago, send
from tests.support.rights import give

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("way")]


def may_start(user, device, type_name: str) -> bool:
    try:
        check_may_start(user, get_task("send_command"), [], {"device_id": device.pk, "type": type_name})
    except TaskNotPermitted:
        return False
    return True


def run(device, user=None, *, job_id=None, **arguments):
    """Run a job of the task; without a user that of a schedule."""
    former = set_current_job(CurrentJob(job_id=job_id or uuid4(), requested_by_id=user and user.pk))
    try:
        return get_task("send_command")(device_id=device.pk, **arguments)
    finally:
        set_current_job(former)


def test_a_schedule_is_saved_by_those_who_may_send_what_it_sends(
    device, foreign, operator, manager, make_user, charlie
):
    clerk = give(make_user(is_staff=True), "tasks_app.add_command")
    trusted = give(make_user(is_staff=True), "tasks_app.add_command", "tasks_app.send_dangerous_command")
    allowed = {
        (who, type_name)
        for who, user in [
            ("operator", operator),
            ("manager", manager),
            ("clerk", clerk),
            ("trusted", trusted),
            ("no", charlie),
        ]
        for type_name in ("position_request", "engine_stop", "launch")
        if may_start(user, device, type_name)
    }
    assert allowed == {
        ("operator", "position_request"),
        ("manager", "position_request"),
        ("manager", "engine_stop"),
        ("clerk", "position_request"),
        ("trusted", "position_request"),
        ("trusted", "engine_stop"),
    }
    assert not may_start(manager, foreign, "position_request")


def test_a_job_that_runs_again_asks_for_one_command(device):
    job_id = uuid4()
    first = run(device, type="reboot", job_id=job_id)
    assert run(device, type="reboot", job_id=job_id) == first
    command = Command.objects.get()
    assert (command.requested_by, command.state) == (None, "queued")
    run(device, type="reboot")
    assert Command.objects.count() == 2


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"type": "engine_stop"}, "Van 1"),
        ({"type": "engine_stop", "typed_name": "Van 2"}, "Van 1"),
        ({"type": "position_interval"}, "Required"),
        ({"type": "position_request", "way": "sms"}, "no way"),
    ],
)
def test_a_schedule_is_checked_as_a_person_is(device, arguments, word):
    a_fix(device)
    with pytest.raises(PermanentError, match=word):
        run(device, **arguments)
    assert not Command.objects.exists()


def test_a_scheduled_stop_of_a_moving_vehicle_is_refused(device):
    a_fix(device, speed_kph=70)
    with pytest.raises(PermanentError, match="too fast"):
        run(device, type="engine_stop", typed_name=device.name)
    a_fix(device)
    assert run(device, type="engine_stop", typed_name=device.name)["state"] == "queued"


def test_a_scheduled_dangerous_command_awaits_a_person_where_two_are_needed(device, settings):
    settings.COMMANDS = {**settings.COMMANDS, "NEED_SECOND_PERSON": True}
    a_fix(device)
    assert run(device, type="engine_stop")["state"] == "awaiting_confirmation"


def test_a_job_of_a_person_who_lost_the_right_is_refused(device, operator):
    assert run(device, operator, type="reboot")["state"] == "queued"
    FleetMembership.objects.all().delete()
    with pytest.raises(PermanentError, match="may not"):
        run(device, operator, type="reboot")


def test_a_job_of_a_person_whose_account_is_closed_is_refused(device, operator):
    operator.is_active = False
    operator.save()
    with pytest.raises(PermanentError):
        run(device, operator, type="position_request")
    assert not Command.objects.exists()


def test_ended_commands_go_with_the_events_of_their_time(device, operator, wire):
    old, waiting, young = (ask(device, operator) for _number in range(3))
    send(old, wire)
    days = 100 * 24 * 3600
    for command in (old, waiting):
        long_ago(command, created_at=days)
    long_ago(old, ended_at=days - 60)
    remove_old_history(now=timezone.now())
    assert set(Command.objects.all()) == {waiting, young}
    assert not CommandAttempt.objects.exists()
    remove_old_history(now=timezone.now() + timedelta(days=1))
    assert Command.objects.count() == 2


def test_a_new_database_sweeps_three_times_a_minute():
    """Six fields of cron have the seconds last: the other way about it would be each second of every twentieth minute."""
    add_schedule = import_module("tasks_app.migrations.0043_commands").Migration.operations[-1]
    add_schedule.code(apps, None)
    cron = Schedule.objects.get(func="sweep_device_commands").cron
    times = [datetime(2026, 11, 30, 6, 1, tzinfo=UTC)]
    for _turn in range(3):
        times.append(next_run(Recurrence("C", times[-1], cron=cron), times[-1], ZoneInfo("UTC")))
    assert [time.strftime("%M:%S") for time in times] == ["01:00", "01:20", "01:40", "02:00"]
