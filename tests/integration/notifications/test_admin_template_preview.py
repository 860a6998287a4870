"""The preview of a message template while it is typed: with sample values or a real event, errors beside their fields."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from notifications_app.messages.template_values import samples
from notifications_app.models import MessageTemplate
from notifications_app.queries.examples import event_kinds_of
from notifications_app.services.texts import clear_cache
from tasks_app.models import Event
from tests.integration.notifications.test_admin_rule_drafts import NONSENSE
from tests.support.rights import changed_tables, database_state, give, pages_of

pytestmark = pytest.mark.django_db
TYPED = {"kind": "speed", "language": "en", "subject": "{{ vehicle }} at {{ speed }}", "text": "", "html": ""}


@pytest.fixture(autouse=True)
def no_memory():
    clear_cache()
    yield
    clear_cache()


def check(page, template=None, **fields):
    """Return the answer to the input of the form so far."""
    address = reverse("admin:notifications_app_messagetemplate_check", args=[template.pk] if template else [])
    answer = page.post(address, {**TYPED, **fields})
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.fixture
def speeding(device):
    data = {"speed_kph": 133, "speed_limit_kph": 80}
    return Event.objects.create(device=device, kind="overspeed", occurred_at=timezone.now(), data=data)


def test_it_shows_what_is_typed_with_sample_values(page):
    answer = check(page, html="<p>Slow <b>down</b></p>")
    assert answer["preview"]["subject"] == "Van 12 at 102 km/h"
    assert "Speed limit: 90 km/h" in answer["preview"]["text"]
    assert "<p>Slow <b>down</b></p>" in answer["preview"]["html"]
    assert {"vehicle", "speed", "speed_limit", "when"} <= set(answer["names"])
    assert answer["errors"] == {}
    assert not MessageTemplate.objects.exists()


def test_it_shows_a_real_event_of_the_readers_fleets(page, speeding, device, make_user):
    (example,) = check(page)["examples"]
    assert example["id"] == str(speeding.pk)
    assert check(page, example=speeding.pk)["preview"]["subject"] == "Van 1 at 133 km/h"
    assert check(page, kind="battery", example=speeding.pk)["examples"] == []
    clerk = pages_of(give(make_user(is_staff=True), "notifications_app.add_messagetemplate"))
    hidden = check(clerk, example=speeding.pk)
    assert (hidden["examples"], hidden["preview"]["subject"]) == ([], "Van 12 at 102 km/h")


def test_it_is_in_the_language_of_the_template_and_names_what_others_get(page):
    answer = check(page, language="pt-br", subject="", kind="geofence")
    assert answer["preview"]["subject"] == "Van 12 entrou em Depot"
    assert [one["subject"] for one in answer["others"]] == ["Van 12 entered Depot"]


def test_what_is_wrong_stands_beside_its_field_with_its_line(page):
    answer = check(page, subject="{{ vehicel }}", text="Hi\n{{ foo }}\n{{ bar }}", html="<p>\n<script>")
    assert answer["preview"] is None
    assert answer["errors"]["subject"][0].startswith("There is no vehicel; there are ")
    assert [text.split(";")[0] for text in answer["errors"]["text"]] == [
        "Line 2: There is no foo",
        "Line 3: There is no bar",
    ]
    assert answer["errors"]["html"] == ["Line 2: E-mails cannot contain <script>."]
    assert "vehicle" in answer["names"]


@pytest.mark.parametrize("text", [*NONSENSE, "{{", "{% if %}" * 99, "{{ vehicle }}" * 2000])
def test_nonsense_is_answered_with_sentences(page, text):
    before = database_state()
    for name in (*TYPED, "example"):
        check(page, **{name: text})
    assert changed_tables(before, database_state()) == []


def test_a_stored_template_is_shown_without_scripts_and_keeps_its_kind(page):
    template = MessageTemplate.objects.create(**TYPED)
    address = reverse("admin:notifications_app_messagetemplate_change", args=[template.pk])
    assert "Van 12 at 102 km/h" in page.get(address).content.decode()
    assert check(page, template, kind="battery")["preview"]["subject"] == "Van 12 at 102 km/h"
    refused = page.post(address, {**TYPED, "text": "{{ foo }}"}).content.decode()
    assert "Line 1: There is no foo" in refused


def test_only_those_who_may_write_templates_get_an_answer(make_user):
    template = MessageTemplate.objects.create(**TYPED)
    name = "admin:notifications_app_messagetemplate_check"
    looker = pages_of(give(make_user(is_staff=True), "notifications_app.view_messagetemplate"))
    assert {looker.post(reverse(name, args=args), TYPED).status_code for args in ([], [template.pk])} == {403}
    shown = looker.get(reverse("admin:notifications_app_messagetemplate_change", args=[template.pk]))
    assert "Van 12 at 102 km/h" in shown.content.decode()
    changer = pages_of(give(make_user(is_staff=True), "notifications_app.change_messagetemplate"))
    assert changer.post(reverse(name, args=[10**9]), TYPED).status_code == 404
    assert changer.get(reverse(name, args=[template.pk])).status_code == 405


def test_every_kind_that_is_about_events_finds_its_kinds_of_events():
    found = {kind: event_kinds_of(kind) for kind in samples()}
    assert found["geofence"] == {"geofence_enter", "geofence_exit"}
    assert found["speed"] == {"overspeed"}
    # What is wrong with the system is no event of a device.
    assert [kind for kind, events in found.items() if not events] == ["system"]
