"""Staff's own texts in place of the built-in ones, from the admin to the message."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from notifications_app.messages.rendering import Recipient, recipient_locale
from notifications_app.messages.template_values import samples
from notifications_app.models import MessageTemplate, Notification, NotificationPreference
from notifications_app.services.texts import template_rendering
from notifications_app.services.texts.lazy_bodies import fill_bodies
from tasks_app.models import EventKind
from tests.support.notifications import make_rule, record_events
from tests.support.rights import give

RECIPIENT = Recipient("en", "America/Sao_Paulo")


@pytest.fixture(autouse=True)
def no_memory():
    template_rendering.clear_cache()
    yield
    template_rendering.clear_cache()


@pytest.fixture
def admin_page(staff) -> Client:
    client = Client()
    client.force_login(staff)
    return client


def own(**fields) -> MessageTemplate:
    return MessageTemplate.objects.create(**{"kind": "speed", "language": "en", **fields})


def test_people_read_the_own_texts_of_their_language(device, fleet, operator, make_user, run_jobs):
    own(subject="{{ vehicle }} too fast: {{ speed }}", text="Slow down, {{ vehicle }}!", html="<p>Slow <b>down</b></p>")
    bruno = give(make_user(username="bruno", is_staff=True), "tasks_app.view_device")
    NotificationPreference.objects.create(user=bruno, language="pt-br")
    make_rule(fleet, [operator, bruno], channels=["in_app"])
    record_events(device, EventKind.OVERSPEED, data={"speed_kph": 101, "speed_limit_kph": 90})
    run_jobs("notifications")
    written = {one.user.username: one for one in Notification.objects.all()}
    fill_bodies(written.values())
    assert written["ana"].subject == "Van 1 too fast: 101 km/h"
    assert written["ana"].body_text == "Slow down, Van 1!"
    assert "<p>Slow <b>down</b></p>" in written["ana"].body_html
    assert 'name="color-scheme"' in written["ana"].body_html
    assert written["bruno"].subject == "Van 1 está a 101 km/h (limite 90 km/h)"


def test_empty_parts_and_texts_that_are_off_are_the_built_in_ones(db):
    built_in = template_rendering.render_message(samples()["speed"], RECIPIENT)
    own(subject="{{ vehicle }}!")
    template_rendering.clear_cache()
    with_subject = template_rendering.render_message(samples()["speed"], RECIPIENT)
    assert with_subject.subject == "Van 12!"
    assert "Speed limit: 90 km/h" in with_subject.text
    MessageTemplate.objects.update(is_active=False)
    template_rendering.clear_cache()
    assert template_rendering.render_message(samples()["speed"], RECIPIENT) == built_in


def test_parts_of_which_nothing_is_left_are_the_built_in_ones(db):
    built_in = template_rendering.render_message(samples()["speed"], RECIPIENT)
    own(subject="{% if vehicle %}{% else %}none{% endif %}", text="{% if vehicle %}{% else %}none{% endif %}")
    template_rendering.clear_cache()
    assert template_rendering.render_message(samples()["speed"], RECIPIENT) == built_in
    assert template_rendering.render_subject(samples()["speed"], RECIPIENT) == built_in.subject


def test_a_value_adds_no_header_and_no_html(db):
    own(subject="{{ vehicle }}", html="<p>{{ vehicle }}</p>")
    message = samples()["speed"]
    nasty = type(message)(message.kind, {**message.context, "vehicle": "<script>\r\nBcc: eve@example.org"})
    rendered = template_rendering.render_message(nasty, RECIPIENT)
    assert rendered.subject == "<script> Bcc: eve@example.org"
    assert "<script>" not in rendered.html


def test_a_broken_text_is_replaced_by_the_built_in_one_and_administrators_are_notified_once(staff, run_jobs):
    template = own(subject="{{ of_an_older_release }}")
    for _ in range(2):
        assert template_rendering.render_message(samples()["speed"], RECIPIENT).subject.startswith("Van 12 is driving")
        with recipient_locale(RECIPIENT):
            assert template_rendering.render_subject(samples()["speed"], RECIPIENT).startswith("Van 12 is driving")
    run_jobs("notifications")
    notified = Notification.objects.get(kind="system")
    assert notified.user == staff
    assert "of_an_older_release" in notified.body_text
    template.refresh_from_db()
    assert "of_an_older_release" in template.last_error


def test_staff_save_and_look_at_a_text(admin_page):
    form = {
        "kind": "speed",
        "language": "en",
        "subject": "{{ vehicle }} at {{ speed }}",
        "text": "",
        "html": "<p>Hi</p>",
    }
    admin_page.post(reverse("admin:notifications_app_messagetemplate_add"), form)
    template = MessageTemplate.objects.get()
    assert not template.is_active
    page = admin_page.get(
        reverse("admin:notifications_app_messagetemplate_change", args=[template.pk])
    ).content.decode()
    assert "Van 12 at 102 km/h" in page
    assert "sandbox srcdoc=" in page
    assert "{{ speed_limit }}" in page


def test_html_that_was_saved_before_it_was_checked_loads_nothing(db):
    own(html='<p style="color:red">Hi</p><img srcset="//e.example/x"><a href="&#106;avascript:x">x</a>{{ vehicle }}')
    html = template_rendering.render_message(samples()["speed"], Recipient("en", "UTC")).html
    assert '<p style="color:red">Hi</p>' in html
    assert "e.example" not in html
    assert "<a>x</a>" in html


@pytest.mark.parametrize(
    ("field", "value", "notified"),
    [
        ("subject", "{{ password }}", "There is no password"),
        ("text", "{% load x %}", "not understood"),
        ("html", "<script>", "cannot contain"),
        ("html", '<img srcset="//e.example">', "cannot contain &lt;img&gt;"),
        ("kind", "daily_summary", "not one of the available choices"),
    ],
)
def test_staff_see_what_is_wrong_with_a_text(field, value, notified, admin_page):
    form = {"kind": "speed", "language": "en", "subject": "", "text": "", "html": "", field: value}
    page = admin_page.post(reverse("admin:notifications_app_messagetemplate_add"), form)
    assert notified in page.content.decode()
    assert not MessageTemplate.objects.exists()


@pytest.mark.parametrize("language", ["en", "pt-br"])
@pytest.mark.parametrize("kind", samples())
def test_every_sample_renders_in_the_built_in_words(kind, language, db):
    assert template_rendering.render_message(samples()[kind], Recipient(language, "America/Sao_Paulo")).subject
