"""Lists of tables that grow: what stands around the rows asks for no look at all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifications_app.models import Delivery, Notification
from tasks_app.admin import long_lists
from tasks_app.models import Event, EventKind

# The lists with a choice of days. What an index or a bound does not answer in them becomes slower with every row.
LISTS = [
    "tasks_app_event", "tasks_app_auditentry", "tasks_app_quarantinedfix", "tasks_app_command", "tasks_app_filtercount",
    "notifications_app_notification", "notifications_app_delivery",
]  # fmt: skip


@pytest.fixture
def events(device):
    """Three events of a device: two in January, one in March."""
    times = [
        datetime(2026, 1, 3, 1, tzinfo=UTC),
        datetime(2026, 1, 5, 12, tzinfo=UTC),
        datetime(2026, 3, 1, tzinfo=UTC),
    ]
    return [Event.objects.create(device=device, kind=EventKind.IGNITION_ON, occurred_at=at) for at in times]


def shown(page, query: str = "") -> str:
    return page.get(reverse("admin:tasks_app_event_changelist") + query).content.decode()


@pytest.mark.parametrize("name", LISTS)
def test_no_list_reads_all_rows_for_its_days_or_its_number(name, page):
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert page.get(reverse(f"admin:{name}_changelist")).status_code == 200
    statements = [one["sql"] for one in asked.captured_queries]
    assert any("MIN(" in one for one in statements)
    assert [one for one in statements if "DATE_TRUNC" in one] == []
    if name != "notifications_app_delivery":
        assert [one for one in statements if "COUNT(*)" in one and "LIMIT" not in one] == []


@pytest.mark.parametrize("name", [*LISTS, "tasks_app_positionarchive"])
@pytest.mark.parametrize("year", ["9" * 23, "9999", "10000", "0", "-1", "1", "²", ""])
def test_a_year_of_no_calendar_leads_to_a_page(name, year, page):
    field = {"tasks_app_event": "occurred_at", "tasks_app_quarantinedfix": "received_at"}.get(name, "created_at")
    field = "day" if name in ("tasks_app_filtercount", "tasks_app_positionarchive") else field
    answer = page.get(reverse(f"admin:{name}_changelist"), {f"{field}__year": year}, follow=True)
    assert answer.status_code == 200


def test_it_leads_to_the_months_and_days_of_its_rows_in_the_readers_zone(page, events):
    assert all(f"occurred_at__month={month}" in shown(page) for month in (1, 2, 3))
    january = shown(page, "?occurred_at__year=2026&occurred_at__month=1")
    assert [day for day in range(1, 32) if f"occurred_at__day={day}&" in january] == [3, 4, 5]
    with timezone.override(ZoneInfo("America/Sao_Paulo")):
        days = long_lists.SpannedQuerySet.of(Event.objects.filter(occurred_at__month=1)).datetimes("occurred_at", "day")
    assert [day.day for day in days] == [2, 3, 4, 5]


def test_rows_that_are_not_counted_are_said_to_be_there(page, events, monkeypatch):
    assert "3 events" in " ".join(shown(page).split())
    monkeypatch.setattr(long_lists, "MOST_COUNTED", 2)
    text = " ".join(shown(page).split())
    assert "more than 2 events; choose a day for older ones" in text
    assert "2 results" not in text
    # What a day leaves is counted.
    march = " ".join(shown(page, "?occurred_at__year=2026&occurred_at__month=3").split())
    assert "1 event " in march
    assert "1 result " in march


def test_a_large_number_is_written_as_the_language_does(page, staff, monkeypatch):
    monkeypatch.setattr(long_lists.BoundedPaginator, "counted", 12_345)
    assert "12,345 events" in " ".join(shown(page).split())
    answer = page.get(reverse("admin:tasks_app_event_changelist"), headers={"accept-language": "pt-br"})
    assert "12.345 eventos" in " ".join(answer.content.decode().split())


@pytest.mark.parametrize("model", [Notification, Delivery])
def test_the_newest_rows_are_found_by_an_index(model, db):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        plan = model.objects.all()[:50].explain()
    assert f"{model._meta.model_name}_by_time" in plan
