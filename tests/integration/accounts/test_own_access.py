"""A person's own tokens and sessions: names, scopes, last use, ends; and that nobody is locked out by their number."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from knox.models import AuthToken

from tasks_app.models import LoginSession, TokenDetails
from tasks_app.queries.sessions import session_rows_of
from tasks_app.services.accounts import issue_token, note_use
from tasks_app.websockets.identity import current_access, token_credential
from tests.support.rights import give
from tests.support.route_cases import address, body_of, make_world, operations
from tests.unit.test_token_scopes import expected

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
LIMIT = 20


def with_token(user, *scopes, **wish) -> dict:
    chosen = {"scopes": scopes} if scopes else {}
    token, _expiry = issue_token(user=user, now=timezone.now(), **chosen, **wish)
    return {"headers": {"Authorization": f"Token {token}"}}


def login(user, **wish):
    body = {"username": user.username, "password": PASSWORD, **wish}
    return Client().post("/api/auth/login", body, "application/json")


def signed_in(user) -> Client:
    client = Client()
    assert client.post("/login/", {"username": user.username, "password": PASSWORD}).status_code == 302
    return client


def test_every_operation_refuses_a_token_without_its_scope_and_lets_one_with_it_through(staff, fleet):
    world = make_world(fleet, staff)
    read, others = with_token(staff, "read"), with_token(staff, "write", "operate", "metrics")
    for method, route, _view in operations():
        wanted, path = expected(method, route), address(route, world)
        if not wanted or route == "/api/auth/logout-everywhere":
            continue
        body = json.dumps(body_of(method, route, world))
        refusing = read if "read" not in wanted else others
        if wanted != {"read", "metrics"}:
            answer = Client().generic(method, path, body, "application/json", **refusing)
            assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope"), f"{method} {route}"
        letting = others if "read" not in wanted else read
        answer = Client().generic(method, path, body, "application/json", **letting)
        assert b"insufficient_scope" not in getattr(answer, "content", b""), f"{method} {route}"


def test_a_scraper_with_its_token_sees_metrics_only(make_user):
    scraper = give(make_user(is_staff=True), "tasks_app.view_job")
    token = with_token(scraper, "metrics")
    assert Client().get("/metrics", **token).status_code == 200
    for path in ("/api/tasks/", "/api/tasks/queues", "/api/auth/tokens"):
        assert Client().get(path, **token).json()["code"] == "insufficient_scope"


@pytest.mark.parametrize(("scope", "opens"), [("read", True), ("write", False), ("operate", False), ("metrics", False)])
def test_live_connections_open_by_a_token_that_may_read(operator, scope, opens):
    token, _expiry = issue_token(user=operator, now=timezone.now(), scopes=[scope])
    assert bool(current_access([token_credential(token)])) is opens


def test_a_token_made_without_a_choice_may_what_tokens_may_before(operator):
    assert set(TokenDetails.objects.create(token=AuthToken.objects.create(operator)[0]).scopes) == {
        "read",
        "write",
        "operate",
    }
    made = login(operator).json()["token"]
    answer = Client().get("/api/auth/tokens", headers={"Authorization": f"Token {made}"}).json()["results"][0]
    assert answer["scopes"] == ["operate", "read", "write"]


def test_logging_in_makes_the_token_that_is_asked_for(operator):
    answer = login(operator, name="Cron", scopes=["read"], expires_in_days=None)
    assert (answer.status_code, answer["Cache-Control"], answer.json()["expiry"]) == (200, "no-store", None)
    (shown,) = (
        Client().get("/api/auth/tokens", headers={"Authorization": f"Token {answer.json()['token']}"}).json()["results"]
    )
    assert (shown["name"], shown["scopes"], shown["expires_at"]) == ("Cron", ["read"], None)
    assert answer.json()["token"].startswith(shown["token_key"])
    for wrong in ({"scopes": []}, {"scopes": ["root"]}, {"scopes": "read"}, {"expires_in_days": 0}, {"name": "x" * 61}):
        assert login(operator, **wrong).status_code == 400, wrong


def test_the_last_use_is_noted_once_a_minute_at_most(operator, django_assert_num_queries):
    token = with_token(operator)
    Client().get("/api/auth/tokens", **token)
    first = TokenDetails.objects.get().last_used_at
    assert timezone.now() - first < timedelta(minutes=1)
    row = AuthToken.objects.select_related("details").get()
    with django_assert_num_queries(0):
        note_use(token=row, now=first + timedelta(seconds=59))
    with django_assert_num_queries(1):
        note_use(token=row, now=first + timedelta(seconds=61))
    assert TokenDetails.objects.get().last_used_at == first + timedelta(seconds=61)


def test_a_token_of_a_former_version_gets_its_row_at_the_first_use(operator):
    row, token = AuthToken.objects.create(operator)
    assert Client().get("/api/tasks/", headers={"Authorization": f"Token {token}"}).status_code == 200
    assert TokenDetails.objects.get(token=row).last_used_at is not None


def test_too_many_tokens_lock_nobody_out(operator):
    for number in range(LIMIT):
        with_token(operator, name=f"t{number}")
    TokenDetails.objects.exclude(name="t7").update(last_used_at=timezone.now())
    refused = login(operator)
    assert (refused.status_code, refused.json()["code"]) == (403, "too_many_tokens")
    assert login(operator, replace="oldest").status_code == 200
    names = set(TokenDetails.objects.values_list("name", flat=True))
    assert (len(names), "t7" in names) == (LIMIT, False)
    assert login(operator, replace="all").status_code == 200
    assert AuthToken.objects.count() == 1
    for _number in range(LIMIT - 1):
        with_token(operator)
    person = signed_in(operator)
    key = AuthToken.objects.first().token_key
    assert person.post(reverse("pages:token_revoke", args=[key])).status_code == 302
    assert login(operator).status_code == 200


def test_no_token_makes_another_one_and_a_session_does(operator):
    body = {"name": "From a page", "scopes": ["read"], "expires_in_days": 5}
    refused = Client().post("/api/auth/tokens", body, "application/json", **with_token(operator))
    assert (refused.status_code, refused.json()["code"]) == (403, "session_needed")
    made = signed_in(operator).post("/api/auth/tokens", body, "application/json")
    assert (made.status_code, made["Cache-Control"]) == (200, "no-store")
    assert TokenDetails.objects.filter(name="From a page", scopes=["read"]).exists()


def test_own_tokens_and_sessions_are_ended_by_the_api_and_nobody_elses(operator, make_user):
    other = make_user()
    here, elsewhere, foreign = signed_in(operator), signed_in(operator), signed_in(other)
    token = with_token(operator)
    key, foreign_key = AuthToken.objects.get().token_key, None
    with_token(other)
    foreign_key = AuthToken.objects.get(user=other).token_key
    sessions = here.get("/api/auth/sessions").json()["results"]
    assert [one["is_present"] for one in sessions] == [True, False]
    (foreign_session,) = foreign.get("/api/auth/sessions").json()["results"]
    for path in (f"tokens/{foreign_key}", f"sessions/{foreign_session['id']}", "tokens/none", "sessions/none"):
        assert here.delete(f"/api/auth/{path}").status_code == 404
    assert here.delete(f"/api/auth/sessions/{sessions[1]['id']}").status_code == 204
    assert elsewhere.get("/").status_code == 302
    assert here.delete(f"/api/auth/tokens/{key}").status_code == 204
    assert Client().get("/api/tasks/", **token).status_code == 401
    assert foreign.get("/").status_code == 200


@pytest.mark.parametrize("way", ["page", "api"])
def test_logging_out_everywhere_ends_all_sessions_and_tokens_of_one_person(operator, make_user, way):
    here, elsewhere, foreign = signed_in(operator), signed_in(operator), signed_in(make_user())
    token = with_token(operator)
    if way == "page":
        assert here.post(reverse("pages:everything_end")).status_code == 302
    else:
        assert Client().generic("POST", "/api/auth/logout-everywhere", **token).status_code == 204
    assert [one.get("/").status_code for one in (here, elsewhere, foreign)] == [302, 302, 200]
    assert Client().get("/api/tasks/", **token).status_code == 401


def test_the_list_of_sessions_reads_the_rows_of_its_person_only(operator, make_user, django_assert_num_queries):
    here = signed_in(operator)
    for _number in range(5):
        signed_in(make_user())
    assert LoginSession.objects.count() == 6
    with django_assert_num_queries(1):
        assert [row.session_key for row in session_rows_of(operator)] == [here.session.session_key]
    plan = session_rows_of(operator).explain()
    assert "tasks_app_loginsession" in plan


def test_a_session_is_its_persons_after_a_password_change_too_and_gone_with_its_row(operator):
    here = signed_in(operator)
    body = {"old_password": PASSWORD, "new_password1": "staple 42 mountain", "new_password2": "staple 42 mountain"}
    here.post(reverse("pages:password"), body)
    assert session_rows_of(operator).filter(session_key=here.session.session_key).exists()
    Session.objects.all()._raw_delete(using="default")
    assert not LoginSession.objects.exists()


@pytest.mark.parametrize(("chosen", "days"), [("7", 7), ("never", None)])
def test_a_token_lives_as_long_as_the_form_says(operator, chosen, days):
    signed_in(operator).post(reverse("pages:token_add"), {"scopes": ["read"], "lifetime": chosen})
    token = AuthToken.objects.get()
    assert (token.expiry and round((token.expiry - token.created) / timedelta(days=1))) == days


@pytest.mark.parametrize(
    "wish",
    [{"scopes": []}, {"scopes": ["root"]}, {"scopes": ["read"], "lifetime": "12"}, {"scopes": ["read"]}],
)
def test_a_form_for_a_token_that_is_not_right_makes_none_and_says_so_beside_the_field(operator, wish):
    answer = signed_in(operator).post(reverse("pages:token_add"), {"name": "x", **wish})
    assert answer.status_code == 200
    assert "has-errors" in answer.content.decode()
    assert not AuthToken.objects.exists()
