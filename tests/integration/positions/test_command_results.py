"""Answers of devices to commands: an event each time, notified as rules say."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from notifications_app.models import Notification
from tasks_app.ingest.unlocated_alarms import MAX_RESULT_LENGTH
from tasks_app.models import DeviceState, Event, EventKind, Position
from tests.support.ingest import (
    POSITIONS,
    TOKEN,
    TRACCAR,
    drain_buffers,
    forwarded_position,
    minutes_before_now,
    position,
    send_json,
    send_query,
)
from tests.support.notifications import make_rule, match_outbox

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("server")]


def send_result(key: str, at: datetime, result: Any, **changes: Any) -> None:
    item = position(timestamp=at.isoformat(), attributes={"result": result}, **changes)
    assert send_json(POSITIONS, item, key).status_code == 202
    drain_buffers()


def results() -> list[tuple[datetime, str, float | None]]:
    found = Event.objects.filter(kind=EventKind.COMMAND_RESULT).order_by("occurred_at", "id")
    return [(event.occurred_at, event.data["result"], event.latitude) for event in found]


def test_a_fix_with_a_result_makes_an_event_each_time(device, key):
    times = [minutes_before_now(3), minutes_before_now(2), minutes_before_now(1)]
    for at in times:
        send_result(key, at, "engine stopped")
    send_result(key, times[1], "engine stopped")
    assert results() == [(at, "engine stopped", -23.55) for at in times]


def test_a_late_result_is_an_event_too(device, key):
    send_result(key, minutes_before_now(1), "new")
    send_result(key, minutes_before_now(30), "old")
    assert [text for _, text, _ in results()] == ["old", "new"]


@pytest.mark.parametrize("result", ["", "  ", None, 5, True, {}, []])
def test_what_is_no_text_is_no_result(result, device, key):
    send_result(key, minutes_before_now(), result)
    assert (Position.objects.count(), results()) == (1, [])


def test_a_long_result_is_shortened(device, key):
    send_result(key, minutes_before_now(), "x" * 3000)
    assert [len(text) for _, text, _ in results()] == [MAX_RESULT_LENGTH]


def test_a_result_without_a_place_is_told_at_the_last_known_one_and_once(device, key):
    fixed_at, at = minutes_before_now(30), minutes_before_now(1)
    send_result(key, fixed_at, None)
    for _ in range(2):
        assert send_query(key, lat="", lon="", timestamp=int(at.timestamp()), result="1234").status_code == 200
        drain_buffers()
    assert results() == [(at, "1234", -23.55)]
    assert Event.objects.get().data["last_fix_at"] == fixed_at.isoformat()
    assert DeviceState.objects.get().fix_time == fixed_at


def test_results_without_a_place_in_a_row_are_events_each(device, key):
    for minutes_ago in (3, 2, 1):
        send_query(key, lat="", lon="", timestamp=int(minutes_before_now(minutes_ago).timestamp()), result="OK")
    drain_buffers()
    assert len(results()) == 3


@pytest.mark.parametrize("is_known", [True, False])
def test_a_traccar_server_s_copy_of_a_fix_that_carries_a_result_makes_one_event(is_known, device, key):
    fixed_at, at = minutes_before_now(30), minutes_before_now(1)
    message = forwarded_position(fixTime=fixed_at.isoformat(), deviceTime=at.isoformat())
    if is_known:
        send_json(TRACCAR, message, TOKEN)
        drain_buffers()
    message["position"]["attributes"] = {"result": "OK"}
    for _ in range(2):
        assert send_json(TRACCAR, message, TOKEN).status_code == 200
        drain_buffers()
    assert results() == [(at if is_known else fixed_at, "OK", -23.55)]


def test_whom_a_rule_names_reads_the_answer_in_his_language(device, key, fleet, operator, settings):
    make_rule(fleet, [operator], kinds=["command_result"])
    settings.LANGUAGE_CODE = "pt-br"
    send_result(key, minutes_before_now(), "engine <stopped>")
    match_outbox()
    assert Notification.objects.get().subject == "Van 1 respondeu: engine <stopped>"
