"""A person's own notifications: the count in the header, the list, marking as read, acknowledging."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifications_app.models import Notification
from tasks_app.models import Event, EventKind

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/notifications/"


@pytest.fixture
def ana(operator):
    client = Client()
    client.force_login(operator)
    return client


@pytest.fixture
def notify(operator, device):
    def make(subject, user=operator, **fields):
        event = Event.objects.create(device=device, kind=EventKind.ALARM, occurred_at=timezone.now())
        return Notification.objects.create(
            user=user,
            kind="alarm",
            event=event,
            device=device,
            dedupe_key=subject,
            subject=subject,
            body_text="Text",
            **fields,
        )

    return make


def text_of(answer):
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_header_counts_unread_ones_on_every_page(ana, notify):
    for number in range(3):
        notify(f"Alarm {number}")
    assert '<span class="tk-count">3' in text_of(ana.get("/"))


def test_it_lists_ones_own_only_and_marks_one_as_read(ana, notify, charlie):
    own, foreign = notify("Own alarm"), notify("Foreign alarm", user=charlie)
    text = text_of(ana.get(LIST))
    assert "Own alarm" in text
    assert "Foreign alarm" not in text
    mark = reverse("pages:notification_read", args=[own.pk])
    assert ana.post(mark, {"query": "state=unread"}).headers["Location"] == f"{LIST}?state=unread"
    assert "Own alarm" not in text_of(ana.get(LIST, {"state": "unread"}))
    assert ana.post(reverse("pages:notification_read", args=[foreign.pk])).status_code == 404


def test_acknowledging_is_kept_and_counts_as_read(ana, notify):
    alarm = notify("Alarm")
    ana.post(reverse("pages:notification_acknowledge", args=[alarm.pk]))
    alarm.refresh_from_db()
    assert alarm.acknowledged_at
    assert alarm.read_at
    assert "Alarm" not in text_of(ana.get(LIST, {"state": "open"})).split("<main")[1].split('class="tk-card"')[1]


def test_marking_all_leaves_out_what_came_after_the_page_was_shown(ana, notify):
    seen, newer = notify("Seen"), notify("Newer")
    Notification.objects.filter(pk=newer.pk).update(created_at=timezone.now() + timedelta(minutes=1))
    text = text_of(ana.post(reverse("pages:notifications_read"), {"shown_at": timezone.now().isoformat()}, follow=True))
    assert "1 notification was marked as read." in text
    seen.refresh_from_db()
    newer.refresh_from_db()
    assert seen.read_at
    assert newer.read_at is None


@pytest.mark.parametrize(
    "text", ["", "x" * 10_000, "🚚", "</script><b>", "0001-01-01T00:00:00+23:59", "https://evil.example/"]
)
def test_nonsense_in_forms_and_addresses_is_answered_with_a_page(ana, notify, text):
    alarm = notify("Alarm")
    assert ana.post(reverse("pages:notifications_read"), {"shown_at": text}).status_code == 302
    led = ana.post(reverse("pages:notification_read", args=[alarm.pk]), {"query": text}).headers["Location"]
    assert led.startswith(LIST)
    assert "</script><b>" not in text_of(ana.get(LIST, {"state": text, "kind": text, "before": text}))
