"""Log-in with a second factor: set up, asked for on every way in, limited, recovered from, demanded of staff."""

from __future__ import annotations

import re
import time
from binascii import unhexlify

import pytest
import redis
from axes.models import AccessAttempt
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from tasks_app.services.accounts import (
    is_right_code,
    issue_token,
    login_limits,
    new_key,
    renew_recovery_codes,
    set_second_factor,
)
from tasks_app.web import second_factor
from tasks_app.websockets.identity import Credential, current_access
from tests.support.rights import pages_of
from tests.support.threads import in_threads

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
SET_UP = "/account/two-factor/"
CODE = "/login/code/"


def code_of(key: str, steps_ahead: int = 0) -> str:
    totp = TOTP(unhexlify(key))
    totp.time = time.time() + 30 * steps_ahead
    return f"{totp.token():06d}"


def with_second_factor(user) -> tuple[str, list[str]]:
    """The key of the user's app, whose next code is good, and the recovery codes."""
    key = new_key()
    codes = set_second_factor(user=user, key=key, code=code_of(key))
    TOTPDevice.objects.filter(user=user).update(last_t=-1)
    return key, codes


def by_password(user, client=None, **query) -> tuple[Client, object]:
    client = client or Client()
    answer = client.post("/login/", {"username": user.username, "password": PASSWORD, **query})
    return client, answer


def by_api(user, **more):
    body = {"username": user.username, "password": PASSWORD, **more}
    return Client().post("/api/auth/login", body, "application/json")


def is_in(client) -> bool:
    return client.get("/").status_code == 200


def test_it_is_set_up_with_a_code_of_the_key_that_the_page_shows(operator):
    ana = pages_of(operator)
    page = ana.get(SET_UP).content.decode()
    assert "<svg" in page
    assert "style=" not in page.partition("<svg")[2].partition("</svg>")[0]
    key = ana.session["two_factor_key"]
    assert "This code is wrong" in ana.post(SET_UP, {"code": code_of(new_key())}).content.decode()
    answer = ana.post(SET_UP, {"code": code_of(key)})
    codes = re.findall(r"\b(?:[0-9a-f]{4}-){3}[0-9a-f]{4}\b", answer.content.decode())
    assert (len(codes), "no-store" in answer["Cache-Control"]) == (10, True)
    assert not StaticToken.objects.filter(token__in=[code.replace("-", "") for code in codes]).exists()
    assert is_in(ana)


def test_the_password_alone_opens_nothing_and_the_code_leads_to_the_page_that_was_asked_for(operator):
    key, _codes = with_second_factor(operator)
    client, answer = by_password(operator, next="/devices/")
    assert (answer.status_code, answer["Location"]) == (302, CODE)
    assert not is_in(client)
    assert client.post(CODE, {"code": code_of(new_key())}).status_code == 200
    assert not is_in(client)
    answer = client.post(CODE, {"code": code_of(key)})
    assert (answer.status_code, answer["Location"]) == (302, "/devices/")
    assert is_in(client)


def test_a_code_is_good_once(operator):
    key, codes = with_second_factor(operator)
    for code in (code_of(key), codes[0]):
        first, second = by_password(operator)[0], by_password(operator)[0]
        assert first.post(CODE, {"code": code}).status_code == 302
        assert "used already" in second.post(CODE, {"code": code}).content.decode()
        assert [is_in(first), is_in(second)] == [True, False]
    spaced = codes[1].replace("-", " ").upper()
    assert by_password(operator)[0].post(CODE, {"code": spaced}).status_code == 302
    assert StaticToken.objects.count() == 8


@pytest.mark.parametrize("code", ["", " ", "12345", "1234567", "٠٠٠٠٠٠", "\x00", "🚚", "x" * 5000, "-" * 40, "0x1234"])
def test_what_is_no_code_is_refused_beside_the_field(operator, code):
    with_second_factor(operator)
    client, _answer = by_password(operator)
    answer = client.post(CODE, {"code": code})
    assert (answer.status_code, "has-errors" in answer.content.decode()) == (200, True)
    assert by_api(operator, code=code).status_code in (400, 401)


def test_the_page_of_the_code_is_for_those_who_gave_a_password_and_for_some_minutes(operator):
    with_second_factor(operator)
    assert Client().get(CODE)["Location"] == reverse("pages:login")
    client, _answer = by_password(operator)
    assert client.get(CODE).status_code == 200
    session = client.session
    session["pending_log_in"] = {**session["pending_log_in"], "until": time.time() - 1}
    session.save()
    assert client.get(CODE).status_code == 302
    client, _answer = by_password(operator)
    operator.set_password("another one 42")
    operator.save()
    assert client.get(CODE).status_code == 302


def test_guessing_codes_is_limited_and_a_known_device_is_not_locked_out(operator, settings):
    key, codes = with_second_factor(operator)
    known, _answer = by_password(operator)
    assert known.post(CODE, {"code": codes[0]}).status_code == 302
    known.post("/logout/")
    settings.AXES_FAILURE_LIMIT = settings.LOGIN_ACCOUNT_FAILURE_LIMIT = 2
    attacker, _answer = by_password(operator, Client(REMOTE_ADDR="192.0.2.9"))
    texts = [attacker.post(CODE, {"code": "000000"}).content.decode() for _turn in range(4)]
    assert "Too many failed logins" in texts[-1]
    assert "Too many failed logins" in attacker.post(CODE, {"code": code_of(key)}).content.decode()
    by_password(operator, known)
    assert known.post(CODE, {"code": code_of(key)}).status_code == 302


def test_the_api_asks_for_the_code_too(operator):
    key, codes = with_second_factor(operator)
    assert (by_api(operator).status_code, by_api(operator).json()["code"]) == (401, "second_factor_needed")
    assert by_api(operator, code="000000").json()["code"] == "wrong_code"
    assert by_api(operator, code=code_of(key)).status_code == 200
    assert by_api(operator, code=codes[0]).status_code == 200
    body = {"username": operator.username, "password": "wrong", "code": codes[1]}
    assert Client().post("/api/auth/login", body, "application/json").json()["code"] == "authentication_failed"


def test_a_log_in_that_finds_no_room_for_its_token_leaves_the_code_good(operator):
    _key, codes = with_second_factor(operator)
    for _number in range(20):
        issue_token(user=operator, now=timezone.now())
    assert by_api(operator, code=codes[0]).json()["code"] == "too_many_tokens"
    assert by_api(operator, code=codes[0], replace="oldest").status_code == 200


def test_a_code_that_is_right_leads_in_though_redis_goes_away_at_that_moment(operator, monkeypatch):
    _key, codes = with_second_factor(operator)
    client, _answer = by_password(operator)

    def away():
        raise redis.ConnectionError("away")

    def used_up(**given):
        is_right = is_right_code(**given)
        monkeypatch.setattr(login_limits, "redis_client", away)
        return is_right

    monkeypatch.setattr(second_factor, "is_right_code", used_up)
    assert client.post(CODE, {"code": codes[0]}).status_code == 302
    assert is_in(client)


def test_a_right_password_without_its_code_does_not_count_as_a_failure(operator, settings):
    settings.AXES_FAILURE_LIMIT = 3
    with_second_factor(operator)
    assert {by_api(operator).json()["code"] for _turn in range(6)} == {"second_factor_needed"}


def test_codes_are_renewed_and_it_is_switched_off_with_a_code_only(operator):
    _key, codes = with_second_factor(operator)
    ana = pages_of(operator)
    assert "10 recovery codes are left" in ana.get(SET_UP).content.decode()
    ana.post(SET_UP, {"code": "000000", "remove": "1"})
    assert TOTPDevice.objects.exists()
    ana.post(SET_UP, {"code": codes[0], "renew": "1"})
    assert "wrong" in ana.post(SET_UP, {"code": codes[1], "remove": "1"}).content.decode()
    key = TOTPDevice.objects.get().key
    assert ana.post(SET_UP, {"code": code_of(key), "remove": "1"}).status_code == 302
    assert not TOTPDevice.objects.exists()
    assert is_in(by_password(operator)[0])


def test_staff_open_nothing_before_they_have_the_demanded_factor(staff, settings):
    settings.STAFF_TWO_FACTOR = True
    client, _answer = by_password(staff)
    for path in ("/", "/admin/", "/devices/", "/account/access/"):
        assert client.get(path)["Location"] == SET_UP, path
    refused = client.get("/api/tasks/")
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_missing")
    assert (by_api(staff).status_code, by_api(staff).json()["code"]) == (403, "second_factor_missing")
    client.get(SET_UP)
    key = client.session["two_factor_key"]
    assert client.post(SET_UP, {"code": code_of(key)}).status_code == 200
    assert client.get("/admin/").status_code == 200
    assert "Switch two-factor log-in off" not in client.get(SET_UP).content.decode()
    TOTPDevice.objects.update(last_t=-1)
    refused = client.post(SET_UP, {"code": code_of(key), "remove": "1"})
    assert "Staff need a second factor" in refused.content.decode()
    assert TOTPDevice.objects.exists()


def test_links_that_work_without_a_log_in_work_for_staff_without_the_demanded_factor(staff, settings):
    settings.STAFF_TWO_FACTOR, settings.SECURITY_CONTACTS = True, ["mailto:a@example.org"]
    client = pages_of(staff)
    links = {
        reverse("unsubscribe", args=["x"]): 404,
        reverse("shared-report", args=["x"]): 404,
        reverse("security_txt"): 200,
    }
    assert {path: client.get(path).status_code for path in links} == links


def test_a_session_of_before_the_factor_was_set_up_begins_again(staff, settings):
    before = pages_of(staff)
    key, _codes = with_second_factor(staff)
    settings.STAFF_TWO_FACTOR = True
    assert before.get("/admin/")["Location"] == "/login/?next=/admin/"
    by_password(staff, before, next="/admin/")
    assert before.post(CODE, {"code": code_of(key)})["Location"] == "/admin/"
    assert before.get("/admin/").status_code == 200


def test_a_session_that_had_the_factor_opens_nothing_for_staff_once_it_is_switched_off(operator, settings):
    _key, codes = with_second_factor(operator)
    client, _answer = by_password(operator)
    client.post(CODE, {"code": codes[0]})
    assert client.post(SET_UP, {"code": codes[1], "remove": "1"}).status_code == 302
    settings.STAFF_TWO_FACTOR = True
    assert is_in(client)
    credential = Credential("session", client.session.session_key)
    assert current_access([credential])
    operator.is_staff = True
    operator.save()
    assert client.get("/")["Location"] == SET_UP
    assert current_access([credential]) == {}


def test_staff_do_not_take_their_own_factor_off_among_the_users(staff, operator):
    with_second_factor(staff)
    with_second_factor(operator)
    chosen = {"action": "remove_second_factors", "_selected_action": [staff.pk, operator.pk]}
    answer = pages_of(staff).post("/admin/auth/user/", chosen, follow=True)
    assert "with a code" in answer.content.decode()
    assert TOTPDevice.objects.get().user == staff


def test_a_right_password_of_staff_without_the_demanded_factor_is_no_failure(staff, settings):
    settings.STAFF_TWO_FACTOR, settings.AXES_FAILURE_LIMIT = True, 2
    assert {by_api(staff).json()["code"] for _turn in range(4)} == {"second_factor_missing"}


def test_a_key_that_was_shown_is_told_from_the_one_that_was_set_up_elsewhere(operator):
    here, there = pages_of(operator), pages_of(operator)
    keys = []
    for client in (here, there):
        client.get(SET_UP)
        keys.append(client.session["two_factor_key"])
    assert here.post(SET_UP, {"code": code_of(keys[0])}).status_code == 200
    answer = there.post(SET_UP, {"code": code_of(keys[1])}, follow=True)
    assert "was set up elsewhere" in answer.content.decode()
    assert "was set up elsewhere" not in there.get(SET_UP).content.decode()
    assert TOTPDevice.objects.get().key == keys[0]


def test_who_waits_for_a_code_when_the_factor_is_removed_begins_again(operator, staff):
    with_second_factor(operator)
    client, _answer = by_password(operator)
    chosen = {"action": "remove_second_factors", "_selected_action": [operator.pk]}
    pages_of(staff).post("/admin/auth/user/", chosen)
    assert client.post(CODE, {"code": "000000"})["Location"] == "/login/"


def test_nobody_is_asked_for_the_code_of_another_account_that_waited_in_their_browser(operator, staff):
    _key, codes = with_second_factor(operator)
    client, _answer = by_password(operator)
    by_password(staff, client)
    assert client.post(CODE, {"code": codes[0]})["Location"] == "/login/"
    assert client.session["_auth_user_id"] == str(staff.pk)


def test_names_typed_at_the_log_in_do_not_use_the_tries_at_codes_up(operator, settings):
    settings.AXES_FAILURE_LIMIT = settings.LOGIN_ACCOUNT_FAILURE_LIMIT = 2
    key, _codes = with_second_factor(operator)
    for _turn in range(3):
        Client().post("/login/", {"username": f"second factor {operator.username}", "password": "x"})
    assert by_password(operator)[0].post(CODE, {"code": code_of(key)}).status_code == 302


def test_deleting_a_failed_log_in_lets_them_try_codes_and_known_devices_again(operator, staff, settings):
    settings.AXES_FAILURE_LIMIT = 2
    key, codes = with_second_factor(operator)
    known, _answer = by_password(operator)
    known.post(CODE, {"code": codes[0]})
    known.post("/logout/")
    for client in (known, Client()):
        by_password(operator, client)
        for code in ("000000", "000000", code_of(key)):
            assert client.post(CODE, {"code": code}).status_code == 200
    for _turn in range(3):
        answer = known.post("/login/", {"username": operator.username, "password": "x"})
    assert answer.status_code == 429
    assert "000000" not in AccessAttempt.objects.latest("pk").post_data
    pages_of(staff).post(f"/admin/axes/accessattempt/{AccessAttempt.objects.latest('pk').pk}/delete/", {"post": "yes"})
    by_password(operator, known)
    assert known.post(CODE, {"code": codes[1]}).status_code == 302
    assert by_password(operator)[0].post(CODE, {"code": codes[2]}).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_set_up_in_two_browsers_at_once_leaves_one_factor_and_its_codes(operator):
    shown = []

    def set_up() -> None:
        key = new_key()
        shown.append(set_second_factor(user=operator, key=key, code=code_of(key)))

    in_threads(*[set_up] * 4)
    assert sorted(map(len, shown)) == [0, 0, 0, 10]
    assert (TOTPDevice.objects.count(), StaticToken.objects.count()) == (1, 10)
    in_threads(*[lambda: renew_recovery_codes(user=operator)] * 4)
    assert StaticToken.objects.count() == 10


def test_members_and_tokens_that_exist_are_not_asked_for_it(operator, staff, settings):
    token, _expiry = issue_token(user=staff, now=timezone.now())
    settings.STAFF_TWO_FACTOR = True
    assert is_in(by_password(operator)[0])
    assert Client().get("/api/tasks/", headers={"Authorization": f"Token {token}"}).status_code == 200


def test_administrators_and_the_shell_let_a_person_in_again(operator, staff):
    with_second_factor(operator)
    token, _expiry = issue_token(user=operator, now=timezone.now())
    chosen = {"action": "remove_second_factors", "_selected_action": [operator.pk]}
    assert pages_of(staff).post("/admin/auth/user/", chosen).status_code == 302
    assert not TOTPDevice.objects.exists()
    assert Client().get("/api/tasks/", headers={"Authorization": f"Token {token}"}).status_code == 401
    assert is_in(by_password(operator)[0])
    with_second_factor(operator)
    call_command("remove_second_factor", operator.username)
    assert is_in(by_password(operator)[0])
    for name in (operator.username, "nobody"):
        with pytest.raises(CommandError, match=name):
            call_command("remove_second_factor", name)
