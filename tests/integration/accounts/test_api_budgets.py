"""Budgets of requests: each person's, by what a request does; said in the headers of every answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis
from django.utils import timezone
from rest_framework.test import APIClient

from tasks_app.api import throttling
from tasks_app.services.accounts.tokens import issue_token
from tasks_app.utils import budgets
from tasks_app.utils.budgets import take
from tasks_app.web import login
from tests.support.cluster import wait_until

pytestmark = pytest.mark.django_db

DEVICES = "/api/devices"
REPORT = "/api/tasks/report/device"
STATUS = "/api/tasks/position/status"
FLEETS = "/api/fleets"


@pytest.fixture
def limits(settings) -> Callable[..., None]:
    """Small limits, set by name; what is not set is unlimited."""

    def set_to(**limits: int) -> None:
        settings.API_REQUESTS_PER_MINUTE = dict.fromkeys(settings.API_REQUESTS_PER_MINUTE, 0) | limits

    return set_to


def codes(count, ask) -> list[int]:
    return [ask().status_code for _turn in range(count)]


def test_every_answer_says_what_is_left(api, limits):
    limits(reads=10)
    answer = api.get(FLEETS)
    assert answer.status_code == 200
    assert {name: answer[name] for name in answer.headers if name.startswith("RateLimit")} == {
        "RateLimit-Limit": "10",
        "RateLimit-Remaining": "9",
        "RateLimit-Reset": "6",
        "RateLimit-Policy": '"reads";q=10;w=60',
        "RateLimit": '"reads";r=9;t=6',
    }


def test_beyond_its_budget_a_request_is_refused_and_told_when_to_come_again(api, limits):
    limits(reads=3)
    assert codes(3, lambda: api.get(FLEETS)) == [200] * 3
    refused = api.get(FLEETS)
    assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
    assert 1 <= int(refused["Retry-After"]) <= 20
    assert refused["RateLimit-Remaining"] == "0"


def test_reading_writing_reports_and_alerts_have_budgets_of_their_own(api, device, limits):
    limits(reads=2, writes=2, reports=1)
    report = {"device_id": device.pk, "start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
    assert codes(2, lambda: api.post(REPORT, report, format="json")) == [202, 429]
    assert codes(3, lambda: api.post(STATUS, {"device_id": device.pk}, format="json")) == [202, 202, 429]
    assert codes(3, lambda: api.get(FLEETS)) == [200, 200, 429]


def test_all_tokens_and_sessions_of_a_person_draw_on_one_budget_and_others_have_theirs(operator, make_user, limits):
    limits(reads=3)
    clients = []
    for _turn in range(2):
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Token {issue_token(user=operator, now=timezone.now())[0]}")
        clients.append(client)
    session = APIClient()
    session.force_login(operator)
    assert [one.get(FLEETS).status_code for one in (*clients, session, clients[0])] == [200, 200, 200, 429]
    other = APIClient()
    other.force_authenticate(make_user(username="bruno"))
    assert other.get(FLEETS).status_code == 200


def test_one_token_takes_a_part_of_the_budget_and_leaves_the_rest(operator, limits):
    limits(reads=10)
    client, session = APIClient(), APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {issue_token(user=operator, now=timezone.now())[0]}")
    session.force_login(operator)
    answers = [client.get(FLEETS) for _turn in range(9)]
    assert [one.status_code for one in answers] == [200] * 8 + [429]
    assert answers[0]["RateLimit-Policy"] == '"reads-token";q=8;w=60'
    assert 1 <= int(answers[-1]["Retry-After"]) <= 8
    # What was refused for the token was not taken from the person either.
    assert codes(3, lambda: session.get(FLEETS)) == [200, 200, 429]


def test_a_request_takes_from_all_its_budgets_in_one_round_trip(limits, monkeypatch):
    limits(reads=10)
    calls = []
    run = budgets.run_script
    monkeypatch.setattr(budgets, "run_script", lambda *args: calls.append(args) or run(*args))
    assert take("reads", "user:1", token="t").remaining == 7
    assert len(calls) == 1


def test_requests_that_are_refused_for_want_of_a_log_in_are_counted_by_address(limits):
    limits(anonymous=2)
    client = APIClient()
    assert codes(3, lambda: client.get(FLEETS)) == [401, 401, 429]
    assert client.get(FLEETS, REMOTE_ADDR="192.0.2.7").status_code == 401


def test_log_ins_have_a_budget_of_their_own_right_or_wrong(operator, make_user, limits):
    limits(logins=2, reads=1)
    body = {"username": operator.username, "password": "correct horse battery"}

    def log_in(client=None, **where):
        return (client or APIClient()).post("/api/auth/login", body, format="json", **where)

    known = APIClient()
    answers = [log_in(known), log_in(), log_in()]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert answers[0]["RateLimit-Policy"] == '"logins";q=2;w=60'
    assert int(answers[2]["Retry-After"]) >= 1
    # A device that logged in before answers for itself, and so does another address.
    assert log_in(known).status_code == 200
    assert log_in(REMOTE_ADDR="192.0.2.7").status_code == 200
    page = APIClient().post("/login/", body)
    assert (page.status_code, int(page["Retry-After"]) >= 1) == (429, True)


def test_a_budget_fills_evenly(limits, clean_redis):
    limits(reads=60)
    taken = [take("reads", "user:1")]
    while taken[-1].is_within:
        taken.append(take("reads", "user:1"))
    # One comes back each second, also while these are taken.
    assert 60 < len(taken) < 600
    assert 0 < taken[-1].wait_seconds <= 1
    wait_until(lambda: take("reads", "user:1").is_within, what="a second to pass")


def test_requests_without_a_log_in_are_counted_by_address(limits):
    limits(anonymous=2)
    client = APIClient()
    assert codes(3, lambda: client.get("/api/schema/")) == [200, 200, 429]
    assert client.get("/api/schema/", REMOTE_ADDR="192.0.2.7").status_code == 200
    assert codes(5, lambda: client.get("/health/live")) == [200] * 5


def test_while_redis_is_away_requests_are_not_limited(api, limits, monkeypatch):
    limits(reads=1)

    def fail(*args, **_more):
        raise redis.ConnectionError("away")

    monkeypatch.setattr(throttling, "take", fail)
    answer = api.get(FLEETS)
    assert (answer.status_code, "RateLimit" in answer.headers) == (200, False)
    assert codes(3, lambda: api.get(FLEETS)) == [200] * 3
    # It is not asked again for some seconds, which a frozen one would take to answer each request.
    assert throttling.outage.is_on()


def test_while_redis_is_away_nobody_logs_in(operator, limits, monkeypatch):
    def fail(*args, **_more):
        raise redis.ConnectionError("away")

    monkeypatch.setattr(login, "take", fail)
    body = {"username": operator.username, "password": "correct horse battery"}
    answer = APIClient().post("/api/auth/login", body, format="json")
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "redis_unavailable", "5")


def test_nothing_is_limited_or_said_where_the_setting_is_zero(api, limits):
    limits()
    answers = [api.get(FLEETS) for _turn in range(30)]
    assert {answer.status_code for answer in answers} == {200}
    assert not any("RateLimit" in answer.headers for answer in answers)
