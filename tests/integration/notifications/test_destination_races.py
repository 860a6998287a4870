"""Destinations added, tested and deleted at once: limits hold, and the loser gets an answer."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from notifications_app.messages.unsubscribe_links import Subscription
from notifications_app.models import Destination, Notification, Rule
from notifications_app.services.destinations import is_unsubscribed, send_test, subscribe_again, unsubscribe
from tasks_app.services.rows import RowGone
from tests.support.threads import in_threads


def at_once(user, path: str, body: dict) -> list[int]:
    """The statuses of six of these requests that begin together."""
    start, statuses = threading.Barrier(6), []

    def ask() -> None:
        client = APIClient(raise_request_exception=False)
        client.force_authenticate(user)
        start.wait()
        statuses.append(client.post(path, body, format="json").status_code)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(statuses)


@pytest.mark.django_db(transaction=True)
def test_requests_at_once_keep_to_names_and_limits(operator, settings):
    settings.CHANNEL_TESTS_PER_10_MINUTES = 2
    body = {"kind": "webhook", "name": "Mine", "url": "https://example.org/"}
    assert at_once(operator, "/api/destinations", body) == [201, *[400] * 5]
    assert at_once(operator, "/api/channels/email/test", {}) == [202, 202, *[429] * 4]
    assert Notification.objects.filter(user=operator).count() == 2


@pytest.mark.django_db
def test_a_destination_deleted_meanwhile_is_not_tested(operator):
    gone = Destination.objects.create(user=operator, kind="webhook", name="Mine", address="https://example.org")
    Destination.objects.all().delete()
    with pytest.raises(RowGone):
        send_test(user=operator, kind="webhook", destination=gone, now=timezone.now())


@pytest.mark.django_db(transaction=True)
def test_one_link_followed_by_many_at_once_is_no_error(operator, fleet):
    """Mail programs post by themselves while the person reads the page and changes their mind."""
    rule = Rule.objects.create(fleet=fleet, name="Night", event_kinds=["alarm"], channels=["email"])
    subscription = Subscription(operator.pk, rule.pk, "alarm")

    def to_and_fro() -> None:
        for _ in range(15):
            unsubscribe(subscription)
            subscribe_again(subscription)

    in_threads(*[to_and_fro] * 4)
    unsubscribe(subscription)
    assert is_unsubscribed(subscription)
