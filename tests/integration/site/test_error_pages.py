"""Addresses that do not exist or may not be opened answer with a page that leads on; programs get JSON."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from tasks_app.api.errors import server_error
from tasks_app.models import Fleet

pytestmark = pytest.mark.django_db
UNKNOWN = [("/admin/no/such/page/", "admin:tasks_app_device_changelist"), ("/nowhere", "pages:home")]


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(("address", "way_on"), UNKNOWN)
def test_an_unknown_address_keeps_the_navigation_around_it(page, settings, debug, address, way_on):
    settings.DEBUG = debug
    answer = page.get(address)
    text = answer.content.decode()
    assert answer.status_code == 404
    assert "There is nothing at this address" in text
    assert address in text
    assert f'href="{reverse(way_on)}"' in text


def test_an_unknown_address_leads_visitors_to_the_log_in(client, db):
    text = client.get("/nowhere").content.decode()
    assert f'href="{reverse("pages:login")}"' in text
    assert "nav-sidebar" not in text


def test_an_address_is_shown_as_text(page):
    text = page.get("/<script>alert(1)</script>" + "x" * 10_000).content.decode()
    assert "<script>alert(1)" not in text
    assert "x" * 300 not in text


def test_a_page_without_the_permission_names_the_account_and_the_way_on(make_user):
    clerk = make_user(username="clerk", is_staff=True)
    client = Client()
    client.force_login(clerk)
    answer = client.get(reverse("admin:tasks_app_device_changelist"))
    text = answer.content.decode()
    assert answer.status_code == 403
    assert "You are logged in as clerk" in text
    assert f'href="{reverse("admin:index")}"' in text
    assert f'action="{reverse("pages:logout")}"' in text


def test_a_member_reads_which_role_they_have_and_who_gives_another(operator, device):
    client = Client()
    client.force_login(operator)
    answer = client.get(reverse("pages:device_settings", args=[device.pk]))
    text = answer.content.decode()
    assert answer.status_code == 403
    assert "Depot North: " in text
    assert "Operator" in text
    assert "Ask the fleet manager" in text
    assert "Superusers" not in text
    assert f'href="{reverse("pages:devices")}"' in text


def test_someone_of_no_fleet_reads_so(charlie):
    client = Client()
    client.force_login(charlie)
    text = client.get(reverse("pages:report_ask")).content.decode()
    assert "You are a member of no fleet yet." in text


def test_a_member_reads_that_it_may_belong_to_another_fleet(charlie, device):
    client = Client()
    client.force_login(charlie)
    answer = client.get(reverse("pages:device", args=[device.pk]))
    assert answer.status_code == 404
    assert "a fleet of which you are no member" in answer.content.decode()


def test_it_says_so_in_the_language_of_the_reader(page):
    text = page.get("/nowhere", headers={"Accept-Language": "pt-BR"}).content.decode()
    assert "Não há nada neste endereço" in text


def test_a_form_without_its_token_is_refused_with_advice(staff):
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff)
    answer = client.post(reverse("admin:tasks_app_fleet_add"), {"name": "Mine"})
    assert answer.status_code == 403
    assert "reload the page, and send the form again" in answer.content.decode()


def test_programs_get_json(client, db):
    assert client.get("/api/nowhere").json()["code"] == "not_found"


def test_a_missing_slash_is_put_right(page):
    assert page.get("/admin/tasks_app/device?q=van").headers["Location"] == "/admin/tasks_app/device/?q=van"
    assert page.get("/admin").headers["Location"] == "/admin/"


IN_BOTH = [("en", "Nothing was changed."), ("pt-BR", "Nada foi alterado.")]


@pytest.mark.parametrize(("language", "sentence"), IN_BOTH)
def test_a_request_that_cannot_be_read_is_answered_with_a_page(page, language, sentence):
    many = {f"field{number}": "1" for number in range(1100)}
    for answer in (
        page.get("/login/", headers={"Host": "evil.example", "Accept-Language": language}),
        page.post("/login/", many, headers={"Accept-Language": language}),
    ):
        assert answer.status_code == 400
        assert sentence in answer.content.decode()


@pytest.mark.parametrize(("language", "sentence"), IN_BOTH)
def test_an_address_that_takes_forms_only_has_a_page_all_the_same(page, language, sentence):
    answer = page.get(reverse("pages:logout"), headers={"Accept-Language": language})
    text = answer.content.decode()
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST, OPTIONS")
    assert sentence in text
    assert f'href="{reverse("pages:home")}"' in text


def test_a_database_that_is_away_is_said_on_a_page_that_does_without(transactional_db, monkeypatch):
    client = Client(raise_request_exception=False)
    client.cookies["sessionid"] = "a" * 32
    connection.close()
    with monkeypatch.context() as patched:
        patched.setitem(connection.settings_dict, "HOST", "/nonexistent")
        answers = [
            client.get(address, headers={"Accept-Language": "pt-BR"}) for address in ("/", "/login/", "/nowhere")
        ]
        connection.close()
    assert {(answer.status_code, answer.headers["Retry-After"]) for answer in answers} == {(503, "5")}
    assert all("Tente de novo em instantes" in answer.content.decode() for answer in answers)


def test_what_a_second_click_or_another_person_stored_meanwhile_is_no_fault_of_ours(rf, fleet):
    try:
        with transaction.atomic():
            Fleet.objects.create(name=fleet.name)
    except IntegrityError:
        answer = server_error(rf.post("/geofences/add/"))
    assert answer.status_code == 409
    assert "Another change came in between" in answer.content.decode()


def test_a_fault_of_ours_is_said_with_the_number_of_the_request(operator, monkeypatch):
    client = Client(raise_request_exception=False)
    client.force_login(operator)
    monkeypatch.setattr("tasks_app.pages.devices.views.render", None)
    answer = client.get(reverse("pages:devices"), headers={"X-Request-ID": "number-7"})
    text = answer.content.decode()
    assert answer.status_code == 500
    assert "The fault is ours" in text
    assert "number-7" in text
