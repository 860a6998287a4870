"""Answers to commands, and their effects in telemetry."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tasks_app.engine import enqueue
from tasks_app.ingest.fix import Fix
from tasks_app.models import AuditEntry, Command, DeviceState, Event
from tasks_app.queries.commands import reports_effect
from tasks_app.services.commands import record_answer, record_relay, sweep_commands
from tasks_app.services.positions import store_fixes
from tests.support.commands import a_fix, ask, long_ago, send, state_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("way")]


def answer(device, text="OK", *, after_seconds=1, **options):
    at = timezone.now() + timedelta(seconds=after_seconds)
    return record_answer(device_id=device.unique_id, protocol="gt06", text=text, received_at=at, **options)


def sweep(after_seconds: float = 0) -> dict[str, int]:
    counts = sweep_commands(now=timezone.now() + timedelta(seconds=after_seconds))
    return {name: number for name, number in counts.items() if number}


def results(device) -> list[dict]:
    return list(
        Event.objects.filter(device=device, kind="command_result").order_by("id").values_list("data", flat=True)
    )


@pytest.fixture
def sent(device, manager, wire) -> Command:
    """A question that was sent and not answered."""
    command = ask(device, manager, "status_request")
    send(command, wire)
    return command


@pytest.fixture
def stopped(device, manager, wire) -> Command:
    """A stop that was sent to a device that reports its relay."""
    a_fix(device, blocked=False)
    command = ask(device, manager, "engine_stop")
    send(command, wire)
    long_ago(command, sent_at=10)
    return command


def test_an_answer_with_the_token_completes_its_command(device, sent, wire):
    assert answer(device, "Battery 80 %", token=wire.tokens[0]) == {"command": sent.pk, "state": "done"}
    assert state_of(sent) == ("done", "answered")
    assert sent.answer == sent.attempts.get().answer == "Battery 80 %"
    assert sent.attempts.get().answered_at == sent.acknowledged_at
    assert AuditEntry.objects.get(verb="answer_command").changes["text"] == "Battery 80 %"


def test_an_answer_of_the_commands_name_completes_it(device, sent):
    assert answer(device, name="Status_Request")["command"] == sent.pk


def test_an_answer_without_either_is_of_the_outstanding_command(device, sent):
    assert answer(device)["command"] == sent.pk


def test_an_answer_that_says_no_fails_it(device, sent):
    answer(device, "ERROR", is_success=False)
    assert state_of(sent) == ("failed", "refused_by_device")


def test_a_late_answer_completes_what_was_unconfirmed(device, sent, wire):
    sweep(61)
    assert state_of(sent)[0] == "unconfirmed"
    assert answer(device, token=wire.tokens[0], after_seconds=3600)["state"] == "done"
    assert state_of(sent) == ("done", "answered")


def test_an_answer_of_the_day_before_yesterday_is_nobodys(device, sent):
    sweep(61)
    assert answer(device, after_seconds=2 * 24 * 3600)["command"] is None


def test_an_answer_that_comes_again_counts_once(device, sent, wire):
    answer(device, token=wire.tokens[0])
    assert answer(device, token=wire.tokens[0], after_seconds=2) == {"command": sent.pk, "duplicate": True}
    assert len(results(device)) == 1
    assert AuditEntry.objects.filter(verb="answer_command").count() == 1


def test_an_unmatched_answer_is_an_event_and_only_one(device, sent):
    at = timezone.now()
    for _time in range(2):
        found = record_answer(device_id=device.unique_id, protocol="gt06", text="Hi", token="FFFF", received_at=at)
        assert found == {"command": None}
    assert results(device) == [{"result": "Hi", "protocol": "gt06"}]
    assert state_of(sent)[0] == "sent"


def test_an_answer_of_another_device_completes_nothing(sent, make_device, wire):
    other = make_device()
    assert answer(other, token=wire.tokens[0])["command"] is None
    assert state_of(sent)[0] == "sent"


def test_an_answer_of_an_unknown_device_is_passed_over(db):
    found = record_answer(device_id="nobody", protocol="gt06", text="Hi", received_at=timezone.now())
    assert found == {"command": None}


def test_an_answer_that_is_quicker_than_the_note_of_its_sending_completes_it(device, manager, wire):
    """The sender died after it wrote, and the device answers what nobody knows was sent."""
    command = ask(device, manager, "reboot")
    send(command, wire)
    Command.objects.update(state="sending", sent_at=None)
    command.attempts.update(sent_at=None)
    assert answer(device, token=wire.tokens[0])["state"] == "done"
    assert sweep(60) == {}


def test_an_answer_lets_the_next_command_go(device, manager, sent, way, run_jobs, django_capture_on_commit_callbacks):
    following = ask(device, manager)
    with django_capture_on_commit_callbacks(execute=True):
        answer(device)
    run_jobs("notifications")
    assert set(way.taken) == {following.pk}


def test_each_end_is_an_event_with_the_command(device, sent):
    a_fix(device)
    answer(device, "Battery 80 %")
    fix_time = DeviceState.objects.get(pk=device.pk).fix_time
    assert results(device) == [
        {
            "last_fix_at": fix_time.isoformat(),
            "result": "Battery 80 %",
            "command_id": sent.pk,
            "command": "status_request",
            "state": "done",
            "reason": "answered",
        }
    ]


def test_the_task_of_an_answer_takes_what_the_gateway_says(device, sent, wire, run_jobs):
    enqueue(
        "record_command_answer", device.unique_id, "gt06", "OK", wire.tokens[0], "", None, timezone.now().isoformat()
    )
    run_jobs("notifications")
    assert state_of(sent)[0] == "done"


# --- Effects ---


def test_a_confirmed_stop_is_done_when_its_relay_is_seen(device, stopped, wire):
    answer(device, "DYD=Success!", token=wire.tokens[0], is_success=True, after_seconds=-8)
    assert state_of(stopped) == ("acknowledged", "")
    a_fix(device, age_seconds=2, blocked=False)
    assert sweep() == {}
    a_fix(device, age_seconds=1, blocked=True)
    assert sweep() == {"effects": 1}
    assert state_of(stopped) == ("done", "effect_seen")


def test_an_acknowledged_stop_without_effect_is_unconfirmed_after_a_while(device, stopped):
    answer(device, is_success=True)
    assert sweep(590) == {}
    assert sweep(610) == {"without_effect": 1}
    assert state_of(stopped) == ("unconfirmed", "effect_not_seen")


def test_an_effect_that_comes_late_completes_it_all_the_same(device, stopped):
    sweep(61)
    assert state_of(stopped) == ("unconfirmed", "no_answer")
    a_fix(device, age_seconds=0, blocked=True)
    assert sweep() == {"effects": 1}
    assert state_of(stopped) == ("done", "effect_seen")


def test_an_effect_of_before_the_sending_proves_nothing(device, manager, wire):
    a_fix(device, blocked=True)
    command = ask(device, manager, "engine_stop")
    send(command, wire)
    assert sweep() == {}
    assert state_of(command)[0] == "sent"


def test_an_effect_that_another_command_had_is_not_this_ones(device, manager, stopped, wire):
    sweep(61)
    again = ask(device, manager, "engine_stop")
    send(again, wire)
    a_fix(device, age_seconds=-1, blocked=True)
    assert sweep() == {"effects": 1}
    assert state_of(again)[0] == "done"
    assert state_of(stopped)[0] == "unconfirmed"


def test_an_answer_is_enough_where_a_device_never_reported_its_relay(device, manager, wire):
    a_fix(device, ignition=True)
    command = ask(device, manager, "engine_stop")
    send(command, wire)
    answer(device, is_success=True)
    assert state_of(command) == ("done", "answered")


@pytest.mark.parametrize(("days_ago", "reports"), [(1, True), (8, False)])
def test_a_relay_in_a_fix_of_this_week_counts_as_reported(device, no_partitions, days_ago, reports):
    now = timezone.now()
    fixes = [
        Fix(device.unique_id, now - timedelta(days=days_ago), -23.5, -46.6, attributes={"blocked": False}),
        Fix(device.unique_id, now - timedelta(minutes=1), -23.5, -46.6, attributes={"sat": 9}),
    ]
    store_fixes(fixes, now)
    assert "blocked" not in DeviceState.objects.get(pk=device.pk).attributes
    assert reports_effect(device.pk, "engine_stop") is reports
    assert not reports_effect(device.pk, "reboot")


def relay_of(device, *, is_cut: bool, after_seconds: float = 1) -> dict[str, int]:
    at = timezone.now() + timedelta(seconds=after_seconds)
    return record_relay(device_id=device.unique_id, is_relay_cut=is_cut, received_at=at)


def test_the_relay_in_a_state_without_a_place_completes_a_stop(device, stopped, wire):
    assert relay_of(device, is_cut=False) == {"done": 0}
    assert relay_of(device, is_cut=True, after_seconds=-30) == {"done": 0}
    answer(device, token=wire.tokens[0], is_success=True)
    assert state_of(stopped)[0] == "acknowledged"
    assert relay_of(device, is_cut=True) == {"done": 1}
    assert state_of(stopped) == ("done", "effect_seen")
    assert relay_of(device, is_cut=True) == {"done": 0}


def test_the_relay_is_no_effect_of_other_commands_nor_of_other_devices(device, sent):
    assert relay_of(device, is_cut=True) == {"done": 0}
    assert record_relay(device_id="no such", is_relay_cut=True, received_at=timezone.now()) == {"done": 0}
    assert state_of(sent)[0] == "sent"
