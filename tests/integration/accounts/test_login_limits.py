"""Guessing passwords is slow on every way in, and the owner of an account still gets in."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from axes.models import AccessAttempt, AccessLog
from django.http import HttpResponse
from django.test import Client

from tasks_app.services.accounts import login_limits
from tasks_app.services.accounts.login_limits import TooManyAttempts, admit, forget_failures, succeeded

PASSWORD = "correct horse battery"
pytestmark = pytest.mark.django_db


def by_api(username: str, password: str, address: str = "203.0.113.1", client: Client | None = None) -> HttpResponse:
    body = {"username": username, "password": password}
    return (client or Client()).post("/api/auth/login", body, "application/json", REMOTE_ADDR=address)


def by_admin(username: str, password: str, address: str = "203.0.113.1", client: Client | None = None) -> HttpResponse:
    body = {"username": username, "password": password, "next": "/admin/"}
    return (client or Client()).post("/admin/login/", body, REMOTE_ADDR=address)


def is_in(response: HttpResponse) -> bool:
    return response.status_code == 302 or (response.status_code == 200 and b'"token"' in response.content)


def addresses(number: int) -> list[str]:
    return [f"198.51.{index // 250}.{1 + index % 250}" for index in range(number)]


ways = pytest.mark.parametrize("log_in", [by_api, by_admin])
LogIn = Callable[..., HttpResponse]


def attack(log_in: LogIn, username: str, sources: list[str]) -> set[int]:
    return {log_in(username, f"guess {number}", address).status_code for number, address in enumerate(sources)}


@ways
def test_an_account_that_is_guessed_at_from_everywhere_is_slowed_down(log_in: LogIn, staff):
    assert 429 in attack(log_in, staff.username, addresses(60))
    refused = log_in(staff.username, "guess", "198.51.9.9")
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0


@ways
def test_an_address_that_guesses_at_many_accounts_is_slowed_down(log_in: LogIn, staff):
    statuses = {log_in(f"user-{number}", "guess").status_code for number in range(60)}
    assert 429 in statuses
    assert is_in(log_in(staff.username, PASSWORD, "203.0.113.2"))


@ways
def test_an_ipv6_network_counts_as_one_address(log_in: LogIn, db):
    statuses = {log_in(f"user-{n}", "guess", f"2001:db8:1:2::{n:x}").status_code for n in range(1, 60)}
    assert 429 in statuses


@ways
def test_guesses_from_one_address_do_not_lock_the_owner_out_elsewhere(log_in: LogIn, staff):
    attack(log_in, staff.username, ["203.0.113.66"] * 60)
    assert is_in(log_in(staff.username, PASSWORD, "203.0.113.2"))


@ways
def test_the_owner_gets_in_from_a_known_address_during_an_attack(log_in: LogIn, staff):
    assert is_in(log_in(staff.username, PASSWORD, "203.0.113.2"))
    attack(log_in, staff.username, addresses(60))
    assert is_in(log_in(staff.username, PASSWORD, "203.0.113.2"))
    assert log_in(staff.username, PASSWORD, "203.0.113.3").status_code == 429


@ways
def test_the_owner_gets_in_with_a_known_device_where_all_share_one_address(log_in: LogIn, staff):
    device = Client()
    assert is_in(log_in(staff.username, PASSWORD, client=device))
    assert 429 in attack(log_in, staff.username, ["203.0.113.1"] * 60)
    assert 429 in {log_in(f"user-{number}", "guess").status_code for number in range(60)}
    assert is_in(log_in(staff.username, PASSWORD, client=device))


def test_a_device_known_on_one_way_in_is_known_on_the_other(staff):
    device = Client()
    by_admin(staff.username, PASSWORD, client=device)
    attack(by_api, staff.username, addresses(60))
    assert is_in(by_api(staff.username, PASSWORD, "203.0.113.7", client=device))


def test_people_who_share_a_browser_are_known_side_by_side(staff, make_user):
    other, device = make_user(username="ben", is_staff=True), Client()
    for user in (staff, other):
        by_api(user.username, PASSWORD, client=device)
    attack(by_api, staff.username, addresses(60))
    assert is_in(by_api(staff.username, PASSWORD, "203.0.113.7", client=device))


def test_a_known_device_is_slowed_down_by_its_own_failures(staff, settings):
    settings.AXES_FAILURE_LIMIT = 3
    device = Client()
    by_api(staff.username, PASSWORD, client=device)
    statuses = [by_api(staff.username, "guess", client=device).status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]


def test_a_device_cookie_is_no_good_for_another_account_or_when_it_was_changed(staff, operator, settings):
    device = Client()
    by_api(operator.username, PASSWORD, client=device)
    (name,) = [name for name in device.cookies if name.startswith("device_")]
    morsel = device.cookies[name]
    assert morsel["httponly"]
    assert morsel["samesite"] == "Lax"
    value = morsel.value
    forged = Client()
    own_name = f"device_{login_limits.account_key(staff.username)[:12]}"
    forged.cookies[own_name] = value
    attack(by_api, staff.username, addresses(60))
    assert by_api(staff.username, PASSWORD, "203.0.113.7", client=forged).status_code == 429
    forged.cookies[own_name] = value[:-1] + ("a" if value[-1] != "a" else "b")
    assert by_api(staff.username, PASSWORD, "203.0.113.7", client=forged).status_code == 429


def test_the_wait_grows_up_to_its_maximum(settings):
    settings.AXES_FAILURE_LIMIT, settings.LOGIN_ACCOUNT_FAILURE_LIMIT, settings.LOGIN_ADDRESS_FAILURE_LIMIT = 1, 99, 99
    waits = []
    for _attempt in range(12):
        key = login_limits._key(admit(username="ana", address="203.0.113.1").budgets[0].name)
        with pytest.raises(TooManyAttempts) as refused:
            admit(username="ana", address="203.0.113.1")
        waits.append(refused.value.wait_seconds)
        login_limits.redis_client().hset(key, "until", 0)
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900]


def test_failures_are_forgotten_with_time(settings):
    settings.AXES_FAILURE_LIMIT = 2
    budget = admit(username="ana", address="203.0.113.1").budgets[0]
    key = login_limits._key(budget.name)
    admit(username="ana", address="203.0.113.1")
    with pytest.raises(TooManyAttempts):
        admit(username="ana", address="203.0.113.1")
    since = float(login_limits.redis_client().hget(key, "since"))
    login_limits.redis_client().hset(key, mapping={"since": since - 3 * budget.forget_seconds, "until": 0})
    admit(username="ana", address="203.0.113.1")
    admit(username="ana", address="203.0.113.1")


def test_a_clock_that_was_put_back_locks_nobody_out(settings):
    settings.AXES_FAILURE_LIMIT = 2
    key = login_limits._key(admit(username="ana", address="203.0.113.1").budgets[0].name)
    future = time.time() + 100_000
    login_limits.redis_client().hset(key, mapping={"since": future, "until": future})
    admit(username="ana", address="203.0.113.1")
    with pytest.raises(TooManyAttempts):
        admit(username="ana", address="203.0.113.1")


def test_attempts_at_the_same_moment_cannot_pass_together(settings):
    settings.AXES_FAILURE_LIMIT = 5

    def attempt(_number: int) -> bool:
        try:
            admit(username="ana", address="203.0.113.1")
        except TooManyAttempts:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(attempt, range(100))) == 5


def test_right_passwords_use_nothing_up():
    for _attempt in range(60):
        succeeded(admit(username="ana", address="203.0.113.1"))
    for number in range(25):
        succeeded(admit(username=f"user-{number}", address="203.0.113.1"))


def test_every_spelling_of_a_name_is_one_account(settings):
    settings.AXES_FAILURE_LIMIT = 2
    admit(username="ana", address="203.0.113.1")
    admit(username="ANA", address="203.0.113.1")
    with pytest.raises(TooManyAttempts):
        admit(username="ａｎａ", address="203.0.113.1")


@pytest.mark.parametrize("username", ["staff", "nobody"])
def test_a_name_without_an_account_is_slowed_down_alike(username, staff):
    statuses = [by_api(username, "guess").status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2


def test_an_administrator_lets_them_try_again(staff):
    attack(by_api, staff.username, [*addresses(60), *["203.0.113.1"] * 10])
    assert by_api(staff.username, PASSWORD).status_code == 429
    forget_failures(username=staff.username, address="203.0.113.1")
    assert is_in(by_api(staff.username, PASSWORD))


def test_deleting_an_access_attempt_lets_them_try_again(staff):
    attack(by_api, staff.username, [*addresses(60), *["203.0.113.1"] * 10])
    administrator = Client()
    administrator.force_login(staff)
    attempt = AccessAttempt.objects.filter(ip_address="198.51.0.1").get()
    administrator.post(f"/admin/axes/accessattempt/{attempt.pk}/delete/", {"post": "yes"})
    assert is_in(by_api(staff.username, PASSWORD, "203.0.113.2"))


def test_a_refused_attempt_writes_no_row(staff):
    attack(by_api, staff.username, ["203.0.113.1"] * 30)
    assert AccessAttempt.objects.get().failures_since_start == 10


def test_a_log_in_for_a_token_is_recorded_like_others(staff):
    by_api(staff.username, PASSWORD)
    by_admin(staff.username, PASSWORD, "203.0.113.2")
    recorded = set(AccessLog.objects.values_list("username", "ip_address"))
    assert recorded == {(staff.username, "203.0.113.1"), (staff.username, "203.0.113.2")}


def test_the_old_password_cannot_be_guessed_at_with_a_stolen_session(staff):
    thief = Client()
    thief.force_login(staff)
    new = {"new_password1": "entirely another staple 7", "new_password2": "entirely another staple 7"}
    for number in range(10):
        thief.post("/admin/password_change/", {"old_password": f"guess {number}", **new})
    response = thief.post("/admin/password_change/", {"old_password": PASSWORD, **new})
    assert response.status_code == 200
    assert response.context["form"].errors.as_data()["old_password"][0].code == "locked_out"
    assert is_in(by_api(staff.username, PASSWORD))


@ways
def test_without_redis_nobody_logs_in(log_in: LogIn, staff, monkeypatch):
    def away() -> Any:
        raise redis.ConnectionError("away")

    monkeypatch.setattr(login_limits, "redis_client", away)
    response = log_in(staff.username, PASSWORD)
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0


def test_a_refused_page_is_no_json_and_says_when_to_come_back(staff):
    attack(by_admin, staff.username, addresses(60))
    response = by_admin(staff.username, PASSWORD, "198.51.9.9")
    assert response["Content-Type"].startswith("text/html")
    assert response["Retry-After"] in response.content.decode()
