"""The quarantine: bounded, without secrets, readable by staff."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.models import FixSource, QuarantinedFix
from tasks_app.services.intake.quarantine import QuarantineEntry, printable, quarantine_entries

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def keep(*bodies, device=None, received_at=NOON, code="invalid_latitude", **fields) -> None:
    entries = [QuarantineEntry(code, "too far north", body, **fields) for body in bodies]
    quarantine_entries(entries, source=FixSource.OSMAND, device_pk=device and device.pk, received_at=received_at)


def bodies(**which) -> list[str]:
    return list(QuarantinedFix.objects.filter(**which).order_by("id").values_list("body", flat=True))


def test_of_each_device_the_newest_are_kept(make_device, settings):
    settings.QUARANTINE_MAX_ROWS = 3
    one, other = make_device(), make_device()
    keep("other", device=other)
    for number in range(7):
        keep(str(number), device=one)
        keep(f"unknown {number}")
    keep("7", "8", "9", "10", device=one)
    assert bodies(device=one) == ["8", "9", "10"]
    assert bodies(device=other) == ["other"]
    assert bodies(device=None) == ["unknown 4", "unknown 5", "unknown 6"]


def test_of_one_request_a_hundred_are_kept(device):
    keep(*map(str, range(500)), device=device)
    assert QuarantinedFix.objects.count() == 100


def test_what_is_repeated_adds_no_row(make_device, settings):
    settings.QUARANTINE_MAX_ROWS = 3
    one, other = make_device(), make_device()
    keep("same", "same", "once", device=one, received_at=NOON)
    for minutes in (1, 2):
        keep("same", "more", device=one, received_at=NOON + timedelta(minutes=minutes))
    keep("same", device=other)
    keep("same", device=one, code="invalid_longitude")
    columns = ("body", "code", "count", "received_at", "last_received_at")
    assert list(QuarantinedFix.objects.filter(device=one).order_by("id").values_list(*columns)) == [
        ("once", "invalid_latitude", 1, NOON, None),
        ("more", "invalid_latitude", 2, NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)),
        ("same", "invalid_longitude", 1, NOON, None),
    ]
    assert QuarantinedFix.objects.get(device=other).count == 1
    keep("more", "once", device=one)
    assert list(QuarantinedFix.objects.filter(device=one).order_by("id").values_list("count", flat=True)) == [2, 3, 1]


def test_unknown_senders_of_the_same_are_told_apart():
    for unique_id in ("one", "two", "one"):
        keep("same", unique_id=unique_id)
    assert list(QuarantinedFix.objects.order_by("id").values_list("unique_id", "count")) == [("one", 2), ("two", 1)]


def test_a_large_body_is_shortened(device):
    keep(b"x" * 5_000_000, device=device, unique_id="y" * 5000)
    row = QuarantinedFix.objects.get()
    assert (len(row.body), len(row.unique_id)) == (4000, 128)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("key=SECRET&id=7", "key=***&id=7"),
        ("id=7&token=SECRET", "id=7&token=***"),
        ("id=7&notificationToken=SECRET&lat=1", "id=7&notificationToken=***&lat=1"),
        ('{"key": "SECRET", "monkey": "shown"}', '{"key": "***", "monkey": "shown"}'),
        (b"monkey=shown", "monkey=shown"),
        (b"a\x00\xff", "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_body_is_kept_as_text_without_secrets(given, kept):
    assert printable(given) == kept


@settings(max_examples=100)
@given(body=st.one_of(st.binary(max_size=50), st.text(st.characters(), max_size=50)))
def test_any_body_can_be_kept(body, device):
    keep(body, device=device)


def test_it_goes_with_its_device(device):
    keep("x", device=device)
    device.delete()
    assert QuarantinedFix.objects.count() == 0


def test_what_a_device_sent_that_was_deleted_meanwhile_is_that_of_an_unknown_one(device):
    """Its connection is closed within a minute; until then it holds up nobody."""
    sent_by = SimpleNamespace(pk=device.pk)
    device.delete()
    keep("x", device=sent_by, unique_id="van-1")
    assert QuarantinedFix.objects.values_list("device", "unique_id").get() == (None, "van-1")


def test_staff_read_it_and_change_nothing(staff, device):
    body = "<script>alert(1)</script>"
    keep(*[body] * 43, device=device, unique_id="van-1")
    client = Client()
    client.force_login(staff)
    listed = client.get(reverse("admin:tasks_app_quarantinedfix_changelist") + "?source__exact=osmand&q=van-1")
    assert "invalid_latitude" in listed.content.decode()
    assert "43 (" in listed.content.decode()
    address = reverse("admin:tasks_app_quarantinedfix_change", args=[QuarantinedFix.objects.get().pk])
    page = client.get(address).content.decode()
    assert "&lt;script&gt;" in page
    assert "<script>alert(1)" not in page
    assert client.post(address, {"code": "changed"}).status_code == 403
    assert client.get(reverse("admin:tasks_app_quarantinedfix_add")).status_code == 403
