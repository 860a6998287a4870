"""Logging in, tokens, logging out."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from axes.models import AccessLog
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db.models.signals import post_save
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def login(username: str, password: str = PASSWORD, **extra):
    return APIClient().post("/api/auth/login", {"username": username, "password": password}, format="json", **extra)


def client_with(token: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return client


def test_it_gives_a_token_that_works_until_log_out(operator):
    response = login(operator.username)
    assert response.status_code == 200
    assert response.json()["expiry"].endswith("Z")
    client = client_with(response.json()["token"])
    assert client.get("/api/tasks/").status_code == 200
    assert client.post("/api/auth/logout").status_code == 204
    assert client.get("/api/tasks/").status_code == 401


CHANGES = {
    "password": lambda user: (user.set_password("another one 42"), user.save()),
    "deactivated": lambda user: (setattr(user, "is_active", False), user.save()),
    "deleted": lambda user: user.delete(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_no_token_comes_of_a_log_in_that_the_end_of_all_tokens_overtook(operator, change):
    def meanwhile(**_signal: object) -> None:
        change(User.objects.get(pk=operator.pk))

    post_save.connect(meanwhile, sender=AccessLog)
    try:
        response = login(operator.username)
    finally:
        post_save.disconnect(meanwhile, sender=AccessLog)
    assert (response.status_code, "log in again" in response.json()["detail"]) == (401, True)
    assert not AuthToken.objects.exists()


def test_it_stores_no_token_in_clear(operator):
    token = login(operator.username).json()["token"]
    row = AuthToken.objects.get(user=operator)
    assert token not in (row.digest, row.token_key)


def test_it_refuses_an_expired_token_and_one_of_an_inactive_user(operator):
    token = login(operator.username).json()["token"]
    AuthToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    expired = client_with(token).get("/api/tasks/")
    assert (expired.status_code, expired.json()["code"]) == (401, "token_expired")
    AuthToken.objects.update(expiry=None)
    operator.is_active = False
    operator.save()
    assert client_with(token).get("/api/tasks/").status_code == 401


def test_it_finds_a_token_in_one_query(operator, django_assert_num_queries):
    client = client_with(login(operator.username).json()["token"])
    client.delete("/api/tasks/")  # Its use is noted once a minute.
    with django_assert_num_queries(1):
        assert client.delete("/api/tasks/").status_code == 405


@pytest.mark.parametrize("username", ["ana", "nobody"])
def test_it_says_the_same_of_a_wrong_password_and_an_unknown_user(operator, username):
    response = login(username, "wrong")
    assert (response.status_code, response.json()["code"]) == (401, "authentication_failed")
    assert response["WWW-Authenticate"] == "Token"


def test_it_locks_out_after_too_many_failures_even_with_the_right_password(operator, settings):
    settings.AXES_FAILURE_LIMIT = 3
    for _attempt in range(3):
        response = login(operator.username, "wrong")
    response = login(operator.username)
    assert (response.status_code, response.json()["code"]) == (429, "locked_out")
    assert int(response["Retry-After"]) > 0


def test_it_throttles_logins_of_one_address():
    codes = {login(f"user-{number}", "wrong").status_code for number in range(25)}
    assert codes == {401, 429}


def test_it_refuses_more_tokens_than_the_limit_and_forgets_expired_ones(operator):
    for _number in range(20):
        AuthToken.objects.create(operator)
    response = login(operator.username)
    assert (response.status_code, response.json()["code"]) == (403, "too_many_tokens")
    AuthToken.objects.update(expiry=timezone.now() - timedelta(days=1))
    assert login(operator.username).status_code == 200
    assert AuthToken.objects.filter(user=operator).count() == 1


def test_the_command_prints_a_working_token(operator):
    out, err = StringIO(), StringIO()
    call_command("api_token", operator.username, stdout=out, stderr=err)
    assert client_with(out.getvalue().strip()).get("/api/tasks/").status_code == 200
    assert "expires" in err.getvalue()


def test_the_command_refuses_unknown_users(db):
    with pytest.raises(CommandError, match="nobody"):
        call_command("api_token", "nobody")


def test_a_session_must_bring_its_csrf_token(operator):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(operator)
    assert client.get("/api/tasks/").status_code == 200
    response = client.post("/api/notifications/mark-read", {}, format="json")
    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
