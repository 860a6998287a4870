"""Decisions about commands: safety, order, repetition, and the meaning of answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tasks_app.ingest.trackers.command_types import COMMAND_TYPES
from tasks_app.services.commands.deciding import (
    MAX_ATTEMPTS,
    MAX_WRITTEN_ATTEMPTS,
    Asked,
    Match,
    Waiting,
    after_attempt,
    answer_meaning,
    due_commands,
    filled,
    is_possible_expiry,
    is_superseded,
    matching_attempt,
    may_rule_send,
    safety_refusal,
    shows_effect,
    ways_in_order,
)

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("type_name", "age", "speed", "is_override", "refusal"),
    [
        ("engine_stop", 10, 0, False, ""),
        ("engine_stop", 59.9, 19.9, False, ""),
        ("engine_stop", 10, 20, False, "moving"),
        ("engine_stop", 10, 130, False, "moving"),
        ("engine_stop", 60, 0, False, "fix_too_old"),
        ("engine_stop", 90_000, 0, False, "fix_too_old"),
        ("engine_stop", None, None, False, "no_fix"),
        ("engine_stop", None, 0, False, "no_fix"),
        ("engine_stop", 10, None, False, "speed_unknown"),
        ("engine_stop", -30, 0, False, ""),  # a clock that is a little ahead
        ("engine_stop", -61, 0, False, "fix_in_future"),
        ("engine_stop", 10, float("nan"), False, "moving"),  # no number is not slow
        ("engine_stop", 10, 130, True, ""),
        ("engine_stop", None, None, True, ""),
        ("engine_resume", 10, 130, False, ""),
        ("position_request", None, None, False, ""),
    ],
)
def test_a_vehicle_is_stopped_only_where_it_is_known_to_be_slow(type_name, age, speed, is_override, refusal):
    assert safety_refusal(type_name, fix_age_seconds=age, speed_kph=speed, is_override=is_override) == refusal


@pytest.mark.parametrize(
    ("type_name", "seconds", "is_possible"),
    [
        ("engine_stop", 15, True),
        ("engine_stop", 300, True),
        ("engine_stop", 14, False),
        ("engine_stop", 301, False),
        ("engine_stop", True, False),
        ("position_request", 7 * 24 * 3600, True),
        ("position_request", 7 * 24 * 3600 + 1, False),
        ("position_request", 0, False),
        ("position_request", -600, False),
    ],
)
def test_a_command_holds_as_long_as_its_type_allows(type_name, seconds, is_possible):
    assert is_possible_expiry(COMMAND_TYPES[type_name], seconds) is is_possible


def test_the_default_of_each_type_is_within_its_bounds():
    assert all(is_possible_expiry(kind, kind.expiry_seconds) for kind in COMMAND_TYPES.values())


def waiting(pk: int, *, priority=0, created=0, not_before=None, next_attempt=None, expires=600) -> Waiting:
    def at(seconds):
        return None if seconds is None else NOW + seconds * SECOND

    return Waiting(pk, priority, NOW + created * SECOND, at(not_before), at(next_attempt), NOW + expires * SECOND)


@pytest.mark.parametrize(
    ("rows", "order"),
    [
        ([], []),
        ([waiting(1, created=-1), waiting(2, created=-2)], [2, 1]),  # the older first
        ([waiting(2), waiting(1)], [1, 2]),  # of one time by their keys
        ([waiting(1, created=-9), waiting(2, priority=5)], [2, 1]),  # priority before time
        ([waiting(1, priority=-1), waiting(2)], [2, 1]),
        ([waiting(1, expires=0), waiting(2)], [2]),  # expired at this time
        ([waiting(1, not_before=1), waiting(2, not_before=0)], [2]),  # not due yet
        ([waiting(1, priority=9, next_attempt=1), waiting(2)], [2]),  # to be tried again later
    ],
)
def test_commands_are_sent_by_priority_then_time(rows, order):
    assert due_commands(rows, NOW) == order


@pytest.mark.parametrize(
    ("old", "starts", "new", "new_starts", "is_gone"),
    [
        ("engine_stop", 0, "engine_resume", 1, True),
        ("engine_resume", 0, "engine_stop", 1, True),
        ("engine_stop", 0, "engine_stop", 1, False),
        ("engine_stop", 0, "position_request", 1, False),
        ("position_request", 0, "engine_stop", 1, False),
        ("arm", 0, "disarm", 0, True),
        ("engine_stop", 3600, "engine_resume", 0, False),  # tonight's stop outlives the resume of now
        ("engine_stop", 3600, "engine_resume", 3600, True),
    ],
)
def test_a_newer_opposite_supersedes_what_would_be_sent_before_it(old, starts, new, new_starts, is_gone):
    start, by_start = NOW + starts * SECOND, NOW + new_starts * SECOND
    assert is_superseded(old, start, by_type=new, by_starts_at=by_start) is is_gone


def test_each_opposite_is_mutual():
    pairs = {(one.name, one.opposite) for one in COMMAND_TYPES.values() if one.opposite}
    assert pairs == {(opposite, name) for name, opposite in pairs}


@pytest.mark.parametrize(
    ("chain", "tried", "order"),
    [
        (["session", "sms"], [], ["session", "sms"]),
        (["session", "sms"], ["session"], ["sms", "session"]),
        (["session", "sms"], ["session", "sms"], ["session", "sms"]),
        (["session", "sms"], ["session", "session", "sms"], ["sms", "session"]),
        (["session"], ["session", "sms"], ["session"]),
        ([], ["sms"], []),
    ],
)
def test_a_way_that_failed_comes_after_those_that_did_not(chain, tried, order):
    assert ways_in_order(chain, tried) == order


@pytest.mark.parametrize(
    ("type_name", "written", "attempts", "reached", "state"),
    [
        ("engine_stop", "nothing", 1, 0, "queued"),
        ("engine_stop", "unknown", 1, 1, "unconfirmed"),  # never blindly again
        ("engine_stop", "unknown", 5, 1, "unconfirmed"),
        ("reboot", "unknown", 1, 1, "unconfirmed"),
        ("custom", "unknown", 1, 1, "unconfirmed"),
        ("engine_resume", "unknown", 1, 1, "queued"),
        ("position_request", "unknown", 1, 1, "queued"),
        ("position_request", "unknown", MAX_WRITTEN_ATTEMPTS, MAX_WRITTEN_ATTEMPTS, "unconfirmed"),
        ("position_request", "nothing", MAX_ATTEMPTS - 1, 0, "queued"),
        ("position_request", "nothing", MAX_ATTEMPTS, 0, "failed"),
        ("position_request", "nothing", MAX_ATTEMPTS, 1, "unconfirmed"),
        ("engine_stop", "nothing", MAX_ATTEMPTS, 0, "failed"),
    ],
)
def test_what_may_have_arrived_is_repeated_only_if_that_changes_nothing(type_name, written, attempts, reached, state):
    assert after_attempt(type_name, written=written, attempts=attempts, written_attempts=reached).state == state


@pytest.mark.parametrize("type_name", [name for name, kind in COMMAND_TYPES.items() if not kind.is_idempotent])
def test_no_type_that_is_not_idempotent_is_repeated_after_an_unknown_attempt(type_name):
    for attempts in range(1, MAX_ATTEMPTS + 1):
        following = after_attempt(type_name, written="unknown", attempts=attempts, written_attempts=1)
        assert following.state == "unconfirmed"


def test_the_wait_before_the_next_attempt_doubles_up_to_a_minute():
    def wait(attempts):
        return after_attempt("reboot", written="nothing", attempts=attempts, written_attempts=0).delay_seconds

    assert [wait(number) for number in (1, 2, 3, 4, 5, 6, 20)] == [2, 4, 8, 16, 32, 60, 60]


OPEN = Asked(9, "T9", "Enable1", is_open=True, is_late=False)
LATE = Asked(8, "T8", "Enable1", is_open=False, is_late=True)
DONE = Asked(7, "T7", "StatusReq", is_open=False, is_late=False, answer="ok")


@pytest.mark.parametrize(
    ("attempts", "token", "name", "text", "match"),
    [
        ([OPEN, LATE, DONE], "T9", "", "ok", Match(9)),
        ([OPEN, LATE, DONE], "T8", "", "ok", Match(8)),  # late, while another is outstanding
        ([OPEN, LATE, DONE], "T7", "", "ok", Match(7, is_duplicate=True)),
        ([OPEN, LATE, DONE], "T7", "", "another", Match(None)),  # answered already: an event of its own
        ([OPEN, LATE, DONE], "T1", "", "ok", Match(None)),  # a token nobody knows is never given to another command
        ([OPEN, LATE, DONE], "T1", "Enable1", "ok", Match(None)),  # nor by its name
        ([OPEN, LATE, DONE], "", "enable1", "ok", Match(9)),
        ([LATE, DONE], "", "Enable1", "ok", Match(8)),
        ([OPEN, LATE, DONE], "", "Reboot", "ok", Match(None)),
        ([OPEN, LATE, DONE], "", "", "ok", Match(9)),  # by order
        ([LATE, DONE], "", "", "else", Match(8)),
        ([DONE, LATE], "", "", "ok", Match(7, is_duplicate=True)),  # the newest has this answer
        ([DONE, LATE], "", "", "else", Match(8)),
        ([DONE], "", "", "ok", Match(7, is_duplicate=True)),
        ([DONE], "", "", "else", Match(None)),
        ([], "", "", "ok", Match(None)),
        ([], "T9", "", "ok", Match(None)),
    ],
)
def test_an_answer_goes_to_its_token_else_its_name_else_by_order(attempts, token, name, text, match):
    assert matching_attempt(attempts, token=token, name=name, text=text) == match


@pytest.mark.parametrize(
    ("type_name", "is_success", "reports", "state"),
    [
        ("engine_stop", True, True, "acknowledged"),  # its effect is still to be seen
        ("engine_stop", None, True, "acknowledged"),
        ("engine_stop", False, True, "failed"),
        ("engine_stop", True, False, "done"),  # nothing will show the effect
        ("engine_stop", None, False, "acknowledged"),  # a text that says neither
        ("engine_resume", True, True, "acknowledged"),
        ("position_request", True, False, "done"),
        ("status_request", None, False, "done"),  # the text is what was asked for
        ("status_request", False, False, "failed"),
        ("custom", None, False, "acknowledged"),
        ("custom", True, False, "done"),
        ("reboot", None, False, "done"),
    ],
)
def test_an_answer_alone_makes_done_only_where_no_effect_can_be_seen(type_name, is_success, reports, state):
    assert answer_meaning(type_name, is_success=is_success, reports_effect=reports) == state


@pytest.mark.parametrize(
    ("type_name", "attributes", "fix_at", "sent_at", "is_shown"),
    [
        ("engine_stop", {"blocked": True}, 1, 0, True),
        ("engine_stop", {"blocked": True}, 0, 0, False),  # of the very time: it may be from before
        ("engine_stop", {"blocked": True}, -1, 0, False),
        ("engine_stop", {"blocked": False}, 1, 0, False),
        ("engine_stop", {}, 1, 0, False),
        ("engine_stop", {"blocked": 1}, 1, 0, True),
        ("engine_stop", {"blocked": True}, None, 0, False),
        ("engine_stop", {"blocked": True}, 1, None, False),
        ("engine_resume", {"blocked": False}, 1, 0, True),
        ("engine_resume", {"blocked": None}, 1, 0, False),
        ("engine_resume", {}, 1, 0, False),
        ("reboot", {"blocked": True}, 1, 0, False),
        ("position_request", {}, 1, 0, True),  # many trackers answer it by a fix alone
        ("position_request", {}, 0, 0, False),
        ("position_request", {}, None, 0, False),
    ],
)
def test_an_effect_is_seen_in_a_fix_of_after_the_sending(type_name, attributes, fix_at, sent_at, is_shown):
    def at(seconds):
        return None if seconds is None else NOW + seconds * SECOND

    shown = shows_effect(type_name, attributes=attributes, fix_time=at(fix_at), sent_at=at(sent_at))
    assert shown is is_shown


@pytest.mark.parametrize(
    ("text", "is_filled"),
    [
        ("TIMER,{unique_id}#", "TIMER,8612#"),
        ("{name}{name}", "Van {unique_id}Van {unique_id}"),  # what a name holds is not filled again
        ("{other} {0} {", "{other} {0} {"),
    ],
)
def test_placeholders_are_filled_once_and_nothing_else_is_touched(text, is_filled):
    given = {"text": text, "port": 5}
    assert filled(given, name="Van {unique_id}", unique_id="8612") == {"text": is_filled, "port": 5}


@pytest.mark.parametrize(
    ("allowed", "type_name", "expected"),
    [
        ("none", "position_request", False),
        ("none", "engine_stop", False),
        ("harmless", "position_request", True),
        ("harmless", "engine_resume", True),
        ("harmless", "engine_stop", False),
        ("harmless", "custom", False),
        ("all", "engine_stop", True),
    ],
)
def test_rules_send_what_their_fleet_allows_them(allowed, type_name, expected):
    assert may_rule_send(allowed, type_name) is expected
