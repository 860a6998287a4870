"""Recent notifications come from the cache and are never stale: after every write, beside slow readers, after a crash."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from notifications_app.models import Notification
from notifications_app.queries import inbox_cache
from notifications_app.services.inbox.read_state import acknowledge, mark_read
from notifications_app.services.notifications.notifying import notify
from notifications_app.services.notifications.retention import remove_old_notifications

pytestmark = pytest.mark.django_db(transaction=True)


def notify_in_app(user, key: str) -> list[int]:
    return notify(users=[user], kind="system", subject=key, body_text="Text", dedupe_key=key, channels=["in_app"])


def inbox_of(user) -> tuple[int, list[str]]:
    entry = inbox_cache.recent_notifications(user)
    return entry["unread"], [row["subject"] for row in entry["results"]]


def test_it_answers_from_the_cache_until_something_changes(operator, charlie, api, django_assert_num_queries):
    (first,) = notify_in_app(operator, "one")
    assert inbox_of(operator) == (1, ["one"])
    with django_assert_num_queries(0):
        assert inbox_of(operator) == (1, ["one"])
    notify_in_app(charlie, "other")
    with django_assert_num_queries(0):
        assert inbox_of(operator) == (1, ["one"])
    notify_in_app(operator, "two")
    assert inbox_of(operator) == (2, ["two", "one"])
    mark_read(user=operator, now=timezone.now(), notification_ids=[first])
    assert inbox_of(operator)[0] == 1
    acknowledge(user=operator, now=timezone.now(), notification_ids=[first])
    answer = api.get("/api/notifications/recent").json()
    assert answer["results"][1]["acknowledged_at"] is not None
    assert api.get("/api/notifications/unread-count").json() == {"unread": answer["unread"]} == {"unread": 1}


def test_what_retention_removes_is_counted_no_longer(operator):
    notify_in_app(operator, "one")
    assert inbox_of(operator) == (1, ["one"])
    later = timezone.now() + timedelta(days=40)
    assert remove_old_notifications(now=later, days_to_keep=30, dry_run=True)["dry_run"]
    assert inbox_of(operator) == (1, ["one"])
    remove_old_notifications(now=later, days_to_keep=30)
    assert inbox_of(operator) == (0, [])


def test_it_holds_no_more_than_the_newest_fifty(operator):
    for number in range(inbox_cache.MAX_RECENT + 5):
        notify_in_app(operator, f"{number}")
    unread, subjects = inbox_of(operator)
    assert (unread, len(subjects), subjects[0]) == (55, 50, "54")


def test_a_reader_that_was_slow_does_not_bring_back_what_was_before_a_change(operator, monkeypatch):
    notify_in_app(operator, "one")
    read = inbox_cache._read

    def slow_read(user):
        entry = read(user)
        with monkeypatch.context() as patch:
            patch.setattr(inbox_cache, "_read", read)
            notify_in_app(operator, "two")
        return entry

    monkeypatch.setattr(inbox_cache, "_read", slow_read)
    assert inbox_of(operator) == (1, ["one"])
    monkeypatch.setattr(inbox_cache, "_read", read)
    assert inbox_of(operator) == (2, ["two", "one"])


def test_a_process_that_dies_right_after_its_commit_leaves_nothing_stale(operator, monkeypatch):
    notify_in_app(operator, "one")
    assert inbox_of(operator) == (1, ["one"])
    monkeypatch.setattr("notifications_app.services.inbox.inbox_cache._renew_versions", lambda _user_ids: None)
    notify_in_app(operator, "two")
    assert inbox_of(operator) == (2, ["two", "one"])
    assert cache.get(inbox_cache.version_key(operator.pk)) == inbox_cache.CHANGING


def test_what_was_rolled_back_is_not_shown(operator):
    with transaction.atomic():
        notify_in_app(operator, "one")
        transaction.set_rollback(True)
    assert inbox_of(operator) == (0, [])


def test_it_reads_the_database_when_the_cache_cannot_be_reached(operator, settings):
    notify_in_app(operator, "one")
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"},
    }
    assert inbox_of(operator) == (1, ["one"])
    Notification.objects.update(created_at=timezone.now() - timedelta(days=1))
    notify_in_app(operator, "two")
    assert inbox_of(operator) == (2, ["two", "one"])
