"""E-mails as they arrive in a mailbox: the sketch of the place, and a way to unsubscribe that needs no login."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from PIL import Image

from notifications_app.messages.unsubscribe_links import Subscription, read_token, token_of
from notifications_app.models import Delivery, EmailOptOut, Notification, NotificationPreference
from notifications_app.services.digests.held_alerts import send_due_digests
from tasks_app.models import EventKind, Fleet
from tests.support.notifications import make_geofence, make_rule, record_events

pytestmark = pytest.mark.usefixtures("site")


@pytest.fixture
def browser() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def rule(fleet, operator):
    return make_rule(fleet, [operator], channels=["email"], name="Depot by night")


def test_a_name_that_looks_like_an_encoded_word_is_not_decoded_in_the_subject(sink, rule, device, run_jobs):
    type(device).objects.update(name="=?utf-8?q?Bcc=3A_eve=40example.org?=")
    record_events(device, EventKind.IGNITION_ON)
    run_jobs("notifications")
    subject = sink.messages[0]["Subject"]
    assert subject.replace("\u2060", "").strip() == "=?utf-8?q?Bcc=3A_eve=40example.org?=: ignition on"


def leave_path(mail) -> str:
    return re.fullmatch(r"<https://tracker\.example\.org(/unsubscribe/\S+)>", mail["List-Unsubscribe"].strip())[1]


def test_it_shows_a_sketch_of_the_place_inside_the_email(sink, rule, device, fleet, run_jobs):
    geofence = make_geofence(fleet)
    record_events(device, EventKind.GEOFENCE_ENTER, geofence=geofence, latitude=-23.55, longitude=-46.63)
    run_jobs("notifications")
    (mail,) = sink.messages
    assert mail.get_content_type() == "multipart/related"
    picture = next(part for part in mail.walk() if part.get_content_type() == "image/png")
    assert picture["Content-ID"] == "<map>"
    assert Image.open(io.BytesIO(picture.get_content())).size == (756, 315)
    html = mail.get_body(("html",)).get_content()
    assert re.findall(r'\bsrc="([^"]*)"', html) == ["cid:map"]
    assert 'alt="A sketch of the place' in html


def test_it_sends_no_picture_of_a_mere_point_or_of_nothing(sink, rule, device, run_jobs):
    record_events(device, EventKind.OVERSPEED, latitude=-23.55, longitude=-46.63)
    record_events(device, EventKind.IGNITION_ON)
    run_jobs("notifications")
    assert len(sink.messages) == 2
    for mail in sink.messages:
        assert [part for part in mail.walk() if part.get_content_maintype() == "image"] == []
        assert "cid:" not in mail.get_body(("html",)).get_content()


def test_every_email_says_how_to_unsubscribe(sink, rule, device, run_jobs, browser, operator):
    record_events(device, EventKind.OVERSPEED)
    run_jobs("notifications")
    (mail,) = sink.messages
    path = leave_path(mail)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert path in mail.get_body(("plain",)).get_content()
    assert path in mail.get_body(("html",)).get_content()
    # A mail program's button: one POST, without cookies.
    assert browser.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    record_events(device, EventKind.OVERSPEED)
    run_jobs("notifications")
    assert len(sink.messages) == 1
    assert Notification.objects.filter(user=operator, kind="speed").count() == 2


def subscription_of(user: User, rule_id: int = 0) -> Subscription:
    return Subscription(user.pk, rule_id, "speed")


def test_looking_at_the_page_changes_nothing_and_its_button_does(browser, operator):
    path = f"/unsubscribe/{token_of(subscription_of(operator))}"
    page = browser.get(path)
    assert "No more of these e-mails?" in page.content.decode()
    assert not EmailOptOut.objects.exists()
    for _ in range(2):
        assert "You get no more of these e-mails" in browser.post(path).content.decode()
    assert EmailOptOut.objects.get().user == operator
    assert "Send them again" in browser.get(path).content.decode()
    browser.post(path, {"action": "subscribe"})
    assert not EmailOptOut.objects.exists()


def test_the_page_speaks_the_language_of_the_person(browser, operator):
    NotificationPreference.objects.create(user=operator, language="pt-br")
    page = browser.get(f"/unsubscribe/{token_of(subscription_of(operator))}", headers={"accept-language": "en"})
    assert '<html lang="pt-br"' in page.content.decode()
    browser.cookies["django_language"] = "en"
    chosen_here = browser.get(f"/unsubscribe/{token_of(subscription_of(operator))}")
    assert '<html lang="en"' in chosen_here.content.decode()


@pytest.mark.parametrize("change", ["", "x", "cut", "other"])
def test_a_link_that_is_not_ours_changes_nothing(change, browser, operator):
    token = token_of(subscription_of(operator))
    wrong = {"": "", "x": "x", "cut": token[:-3], "other": token.replace(token[3], "A" if token[3] != "A" else "B", 1)}
    for answer in (browser.get(f"/unsubscribe/{wrong[change]}"), browser.post(f"/unsubscribe/{wrong[change]}")):
        assert answer.status_code == 404
    assert not EmailOptOut.objects.exists()


def test_a_link_of_somebody_or_something_that_is_gone_is_harmless(browser, operator, rule):
    paths = [f"/unsubscribe/{token_of(one)}" for one in (subscription_of(operator), subscription_of(operator, 987_654))]
    operator.delete()
    for path in paths:
        assert browser.post(path).status_code == 200
    assert not EmailOptOut.objects.exists()


def test_unsubscribing_from_a_rule_leaves_its_kind_of_other_rules(browser, operator, rule, device, run_jobs, fleet):
    browser.post(f"/unsubscribe/{token_of(subscription_of(operator, rule.pk))}")
    assert EmailOptOut.objects.get().rule == rule
    assert (
        "Depot by night" in browser.get(f"/unsubscribe/{token_of(subscription_of(operator, rule.pk))}").content.decode()
    )


@pytest.mark.parametrize(("channels", "unsubscribes"), [(["email"], True), (["in_app"], False)])
def test_an_email_belongs_to_the_rule_that_asks_for_it_though_another_matches_too(
    channels, unsubscribes, sink, fleet, operator, device, run_jobs
):
    first = make_rule(fleet, [operator], channels=channels, name="First")
    second = make_rule(fleet, [operator], channels=["email"], name="Second")
    if unsubscribes:
        EmailOptOut.objects.create(user=operator, rule=first)
    record_events(device, EventKind.OVERSPEED)
    run_jobs("notifications")
    (mail,) = sink.messages
    assert read_token(leave_path(mail).removeprefix("/unsubscribe/")).rule_id == second.pk


def test_the_emails_of_a_rule_end_in_digests_too(sink, rule, fleet, operator, device, run_jobs):
    EmailOptOut.objects.create(user=operator, rule=rule)
    NotificationPreference.objects.create(user=operator, digest_every_minutes=10)
    record_events(device, EventKind.OVERSPEED)
    make_rule(fleet, [operator], channels=["in_app"], kinds=["ignition_on"])
    record_events(device, EventKind.IGNITION_ON)
    assert send_due_digests(now=timezone.now() + timedelta(minutes=11)) == 1
    run_jobs("notifications")
    assert sink.messages == []
    assert Notification.objects.get().subject == "1 event gathered for you"


def test_what_waits_for_a_digest_is_not_emailed_once_its_rule_was_unsubscribed_from(
    sink, rule, fleet, operator, device, run_jobs
):
    NotificationPreference.objects.create(user=operator, digest_every_minutes=10)
    record_events(device, EventKind.OVERSPEED)
    make_rule(fleet, [operator], channels=["email"], kinds=["ignition_on"])
    record_events(device, EventKind.IGNITION_ON)
    EmailOptOut.objects.create(user=operator, rule=rule)
    assert send_due_digests(now=timezone.now() + timedelta(minutes=11)) == 1
    run_jobs("notifications")
    (mail,) = sink.messages
    assert mail["Subject"] == "1 event gathered for you"


@pytest.mark.parametrize(
    ("about", "mails"),
    [({}, 1), ({"fleet": None}, 1), ({"is_active": False}, 0), ({"fleet": "Other"}, 0), ({"roles": ["viewer"]}, 0),
     ({"roles": ["operator"]}, 1)],
)  # fmt: skip
def test_an_event_that_waits_is_emailed_for_another_rule_only_if_that_one_emails_it_to_this_person(
    about, mails, sink, rule, fleet, operator, device, run_jobs
):
    NotificationPreference.objects.create(user=operator, digest_every_minutes=10)
    record_events(device, EventKind.OVERSPEED)
    fields = {"fleet": fleet, **about}
    if fields["fleet"] == "Other":
        fields["fleet"] = Fleet.objects.create(name="Other")
    make_rule(fields.pop("fleet"), [] if "roles" in about else [operator], channels=["email"], **fields)
    EmailOptOut.objects.create(user=operator, rule=rule)
    send_due_digests(now=timezone.now() + timedelta(minutes=11))
    run_jobs("notifications")
    assert len(sink.messages) == mails


def test_an_email_that_waits_is_not_sent_any_more_once_it_was_unsubscribed_from(
    sink, rule, operator, device, browser, run_jobs
):
    record_events(device, EventKind.OVERSPEED)
    browser.post(f"/unsubscribe/{token_of(subscription_of(operator, rule.pk))}")
    run_jobs("notifications")
    assert sink.messages == []
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.last_error) == ("failed", "The user unsubscribed from these e-mails.")
