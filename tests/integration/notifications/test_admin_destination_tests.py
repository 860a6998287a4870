"""Tests of destinations in the admin: sent by a button of their page, which shows the answer."""

from __future__ import annotations

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from notifications_app.models import Destination, Notification
from notifications_app.services.destinations import add_destination, send_test
from tests.support.receiver import status
from tests.support.rights import give, pages_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def hook(operator, receiver) -> Destination:
    return add_destination(user=operator, kind="webhook", name="Mine", url=receiver.url)


def address_of(hook) -> str:
    return reverse("admin:notifications_app_destination_test", args=[hook.pk])


def page_of(page, hook) -> str:
    answer = page.get(reverse("admin:notifications_app_destination_change", args=[hook.pk]))
    assert answer.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def test_the_page_shows_the_answer_its_status_and_how_long_it_took(page, hook, receiver, run_jobs):
    assert "Not tested yet" in page_of(page, hook)
    answer = page.post(address_of(hook), follow=True)
    assert "A test is on its way." in answer.content.decode()
    assert "data-test-pending" in answer.content.decode()
    run_jobs("notifications")
    text = page_of(page, hook)
    assert re.search(r"Test: Sent · .* Answer 200 thanks Duration \d+\.\d\d s", text)
    (received,) = receiver.received
    assert b'"kind":"test"' in received.body
    assert LogEntry.objects.get().get_change_message() == "Sent a test."
    assert Notification.objects.get(kind="test").user == hook.user


def test_the_page_shows_the_error(page, hook, receiver, run_jobs):
    receiver.answer = status(410)
    page.post(address_of(hook))
    run_jobs("notifications")
    text = page_of(page, hook)
    assert re.search(r"Switched off: 410 because Test: Failed · .* Answer 410 because", text)


def test_a_private_address_is_not_reached(page, hook, receiver, run_jobs, settings):
    settings.OUTGOING_ALLOWED_NETWORKS = []
    page.post(address_of(hook))
    run_jobs("notifications")
    assert "The address leads into a private network" in page_of(page, hook)
    assert receiver.received == []


def test_tests_are_limited_with_those_of_the_owner(page, hook, operator, settings):
    settings.CHANNEL_TESTS_PER_10_MINUTES = 1
    send_test(user=operator, kind="webhook", destination=hook, now=timezone.now())
    assert "Too many tests were sent" in page.post(address_of(hook), follow=True).content.decode()
    assert Notification.objects.filter(kind="test").count() == 1
    assert not LogEntry.objects.exists()


def test_it_is_for_those_who_may_change_destinations(make_user, hook, page):
    looker = pages_of(give(make_user(is_staff=True), "notifications_app.view_destination"))
    assert looker.post(address_of(hook)).status_code == 403
    assert "Send a test" not in page_of(looker, hook)
    assert page.get(address_of(hook)).status_code == 405
    assert page.post(reverse("admin:notifications_app_destination_test", args=[10**9])).status_code == 404
    assert not Notification.objects.exists()
