"""Everybody signs in on one page, and is led to where they may go."""

from __future__ import annotations

import pytest
from axes.models import AccessAttempt, AccessLog
from django.test import Client
from django.urls import reverse

PASSWORD = "correct horse battery"
pytestmark = pytest.mark.django_db


def sign_in(user, next_page="", *, address="/login/", password=PASSWORD, client=None):
    body = {"username": user.username, "password": password, "next": next_page}
    return (client or Client()).post(address, body)


def led_to(answer) -> str:
    assert answer.status_code == 302, answer.content.decode()
    return answer.headers["Location"]


def test_a_visitor_is_asked_to_sign_in_and_then_gets_the_page(client, operator):
    asked = led_to(client.get("/"))
    assert asked == "/login/?next=/"
    assert led_to(sign_in(operator, "/", client=client)) == "/"
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/login/",
        "/logout/",
        "x" * 10_000,
    ],
)
def test_a_sign_in_leads_to_no_other_site_and_not_in_circles(operator, elsewhere):
    assert led_to(sign_in(operator, elsewhere)) in ("/", "x" * 10_000)


@pytest.mark.parametrize("asked_for", ["", "/admin/", "/admin/tasks_app/job/"])
def test_a_member_who_signs_in_at_the_admin_is_led_to_the_pages_of_members(operator, asked_for):
    assert led_to(sign_in(operator, asked_for, address="/admin/login/")) == "/"


def test_a_member_who_opens_the_admin_is_led_to_the_pages_of_members(operator):
    client = Client()
    client.force_login(operator)
    answer = client.get("/admin/tasks_app/job/", follow=True)
    assert answer.redirect_chain[-1] == ("/", 302)
    assert "staff" not in answer.content.decode()


def test_staff_who_sign_in_at_the_admin_stay_there(staff):
    assert led_to(sign_in(staff, address="/admin/login/")) == "/admin/"
    assert led_to(sign_in(staff, "/admin/tasks_app/job/", address="/admin/login/")) == "/admin/tasks_app/job/"
    assert led_to(sign_in(staff)) == "/"


@pytest.mark.parametrize("address", ["/login/", "/admin/login/"])
def test_a_signed_in_person_who_opens_the_sign_in_page_is_led_on(staff, address):
    client = Client()
    client.force_login(staff)
    assert led_to(client.get(f"{address}?next={address}")) == ("/" if address == "/login/" else "/admin/")


def test_a_wrong_password_is_answered_with_a_sentence_and_recorded(operator):
    answer = sign_in(operator, password="wrong")
    assert answer.status_code == 200
    assert "Please enter a correct username and password." in answer.content.decode()
    assert AccessAttempt.objects.get().path_info == "/login/"


def test_too_many_failures_are_refused_with_the_time_to_wait(operator, settings):
    settings.AXES_FAILURE_LIMIT = 2
    refused = [sign_in(operator, password="wrong") for _ in range(4)][-1]
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert "The password was not looked at." in refused.content.decode()


def test_a_sign_out_needs_a_form_and_is_recorded(operator):
    client = Client()
    sign_in(operator, client=client)
    assert client.get("/logout/").status_code == 405
    assert led_to(client.post("/logout/")) == "/login/"
    assert led_to(client.get("/")) == "/login/?next=/"
    assert AccessLog.objects.get().logout_time is not None


@pytest.mark.parametrize("address", ["/login/", "/admin/login/"])
def test_bad_input_gets_a_page_and_never_an_error(client, address):
    for text in ("", "🚚", "\u202eevil", "</script><b>", "x" * 10_000, "a\x00b"):
        answer = client.post(address, {"username": text, "password": text, "next": text})
        assert answer.status_code in (200, 429)
        assert "</script><b>" not in answer.content.decode()


def test_no_script_and_no_style_stands_in_a_page(client):
    policy = client.get(reverse("pages:login")).headers["Content-Security-Policy"]
    assert "unsafe" not in policy


def test_a_form_that_was_sent_after_the_log_out_leads_back_to_its_page_and_says_that_it_was_not_done(operator):
    client = Client()
    browser = {"Accept": "text/html", "Referer": "http://testserver/account/access/?a=1"}
    asked = client.post(reverse("pages:token_add"), {}, headers=browser)
    assert led_to(asked) == "/login/?next=/account/access/%3Fa%3D1"
    assert "You were logged out before you sent this, so it was not done." in client.get("/login/").content.decode()
    assert led_to(sign_in(operator, "/account/access/?a=1", client=client)) == "/account/access/?a=1"


@pytest.mark.parametrize("referer", ["", "https://evil.example/account/", "//evil.example", "http://[", "javascript:0"])
def test_a_form_that_names_no_page_of_ours_leads_back_to_its_own_address(client, referer):
    asked = client.post("/account/preferences/", {}, headers={"Accept": "text/html", "Referer": referer})
    assert led_to(asked) == "/login/?next=/account/preferences/"


def test_a_script_that_asks_after_the_log_out_leaves_no_sentence(client):
    for _time in range(2):
        client.post(reverse("pages:area_text"), {}, headers={"Accept": "*/*"})
    assert "You were logged out" not in client.get("/login/").content.decode()


@pytest.mark.parametrize("name", ["pages:home", "pages:devices", "pages:access", "admin:index", "pages:manifest"])
def test_nobody_goes_back_to_pages_of_a_person_who_logged_out(staff, name):
    client = Client()
    client.force_login(staff)
    kept = client.get(reverse(name)).headers["Cache-Control"]
    assert "no-store" in kept
    assert "private" in kept
