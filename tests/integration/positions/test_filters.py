"""Filters in the pipeline: what is kept out is counted and kept with its reason, once, whatever comes twice or late."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.urls import reverse

from tasks_app.ingest.fix import Fix
from tasks_app.models import (
    DeviceState,
    DeviceStatus,
    Event,
    EventKind,
    FilterCount,
    FilteredFix,
    FilterSettings,
    Position,
)
from tasks_app.services.partitions import list_partitions
from tasks_app.services.positions.processing import process_batch
from tasks_app.services.positions.store import store_fixes

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def fix(seconds=0.0, latitude=-23.5, device_id="van-1", **fields):
    return Fix(device_id, NOON + timedelta(seconds=seconds), latitude, -46.63, **fields)


def store(*fixes, at=NOON, **options):
    result = store_fixes(fixes, at, **options)
    assert result.stored + result.duplicates + sum(result.filtered.values()) + len(result.rejected) == len(fixes)
    return result


def filter_counts():
    rows = FilterCount.objects.values_list("device__unique_id", "day", "reason", "count")
    return {(unique_id, reason): count for unique_id, day, reason, count in rows if day == NOON.date()}


def stored_seconds():
    times = Position.objects.order_by("fix_time").values_list("fix_time", flat=True)
    return [(timestamp - NOON).total_seconds() for timestamp in times]


@pytest.fixture
def filters(device):
    def make(**fields):
        return FilterSettings.objects.create(device=device, **fields)

    return make


def test_filters_are_off_but_for_the_future(device):
    wild = [fix(0, accuracy_meters=1e6), fix(1, 50.0), fix(2, attributes={"valid": False}), fix(-1e8)]
    assert store(*wild, fix(86_401)).filtered == {"future": 1}
    assert Position.objects.count() == 4


def test_what_is_filtered_is_not_stored_but_counted_and_kept_with_its_reason(device, filters):
    filters(max_accuracy_meters=50, drop_invalid=True, max_past_seconds=3600)
    result = store(
        fix(0, accuracy_meters=10),
        fix(1, accuracy_meters=51, speed_kph=7.0, attributes={"sat": 3}),
        fix(2, accuracy_meters=80),
        fix(3, attributes={"valid": False}),
        fix(-3601),
    )
    assert (result.stored, result.filtered) == (1, {"invalid": 1, "past": 1, "accuracy": 2})
    assert filter_counts() == {("van-1", "accuracy"): 2, ("van-1", "invalid"): 1, ("van-1", "past"): 1}
    kept = FilteredFix.objects.get(fix_time=NOON + timedelta(seconds=1))
    assert (kept.device, kept.reason, kept.received_at) == (device, "accuracy", NOON)
    assert (kept.latitude, kept.longitude) == (-23.5, -46.63)
    assert kept.data == {"speed_kph": 7.0, "accuracy_meters": 51.0, "attributes": {"sat": 3}}
    assert stored_seconds() == [0]


def test_the_result_of_a_batch_says_what_was_filtered(device, filters):
    filters(max_accuracy_meters=50)
    item = {"device_id": "van-1", "timestamp": NOON.isoformat(), "latitude": 1, "longitude": 1, "accuracy": 99}
    result = process_batch([item], received_at=NOON)
    assert (result["stored"], result["duplicates"], result["filtered"]) == (0, 0, {"accuracy": 1})


def test_a_devices_filters_come_before_its_fleets(fleet, device, make_device):
    make_device(unique_id="van-2")
    FilterSettings.objects.create(fleet=fleet, max_accuracy_meters=50)
    FilterSettings.objects.create(device=device, max_accuracy_meters=100)
    bad = [fix(n, device_id=unique_id, accuracy_meters=70) for n, unique_id in enumerate(("van-1", "van-2"))]
    assert store(*bad).filtered == {"accuracy": 1}
    assert filter_counts() == {("van-2", "accuracy"): 1}


def test_a_batch_that_comes_twice_is_counted_once(device, filters):
    filters(max_accuracy_meters=50, max_jump_kph=300, min_period_seconds=5, static_meters=20)
    batch = [
        fix(0),
        fix(3, -23.6),
        fix(10, -23.501),
        fix(20, 10.0),
        fix(30, 10.0),
        fix(40, -23.502),
        fix(50, -23.502),
        fix(60, accuracy_meters=99),
    ]
    first = store(*batch)
    assert first.filtered == {"accuracy": 1, "period": 1, "jump": 2, "static": 1}
    state, counts = DeviceState.objects.values().get(), filter_counts()
    second = store(*batch, at=NOON + timedelta(hours=1))
    assert (second.stored, second.duplicates, second.filtered) == (0, 3, first.filtered)
    assert filter_counts() == counts
    assert FilteredFix.objects.count() == 5
    assert DeviceState.objects.values().get() == state
    assert stored_seconds() == [0, 10, 40]


def test_a_second_delivery_does_not_make_a_jump_believed(device, filters):
    filters(max_jump_kph=300)
    store(fix(0))
    for _ in range(5):
        assert store(fix(10, 10.0), fix(20, 10.0)).filtered == {"jump": 2}
    assert store(fix(30, 10.0)).stored == 1
    assert filter_counts() == {("van-1", "jump"): 2}


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_it_does_not_matter_where_batches_are_cut(device, filters, size):
    filters(max_jump_kph=300, min_period_seconds=5, static_meters=20, static_silence_seconds=100)
    off, on = {"ignition": False}, {"ignition": True}
    places = [-23.5, -23.5, 9.0, 9.0, -23.5, 9.0, 9.0, 9.0, 9.001, -23.5, 9.002, 9.002, 9.002]
    batch = [fix(n * 12, place, attributes=on if n > 10 else off) for n, place in enumerate(places)]
    batch[3:3] = [fix(25, 9.0, attributes=off)]
    for start in range(0, len(batch), size):
        store(*batch[start : start + size])
    reasons = {(one.fix_time - NOON).total_seconds(): one.reason for one in FilteredFix.objects.all()}
    still = dict.fromkeys((12, 60, 72, 84, 144), "static")
    assert reasons == still | dict.fromkeys((24, 25, 48, 108), "jump")
    assert stored_seconds() == [0, 36, 96, 120, 132]


def test_a_device_that_only_sends_what_is_filtered_is_still_heard_of(device, filters):
    filters(max_accuracy_meters=50)
    store(fix(0))
    DeviceState.objects.update(status=DeviceStatus.OFFLINE, offline_since=NOON)
    later = NOON + timedelta(hours=1)
    result = store(fix(10, accuracy_meters=99), at=later)
    assert (result.stored, result.events) == (0, 1)
    state = DeviceState.objects.get()
    assert (state.status, state.last_seen_at, state.fix_time) == (DeviceStatus.ONLINE, later, NOON)
    assert Event.objects.get().kind == EventKind.DEVICE_ONLINE


def test_an_imported_file_may_be_old(device, filters):
    filters(max_past_seconds=3600)
    assert store(fix(-1e7), announce=False).stored == 1


def test_a_filtered_fix_makes_no_partition(device):
    before = list_partitions()
    store(fix(86_400 * 40))
    assert list_partitions() == before


def test_only_the_newest_filtered_fixes_stay_but_all_are_counted(device, filters, settings):
    settings.FILTERED_FIXES_KEPT = 5
    filters(max_accuracy_meters=50)
    for start in (0, 8):
        store(*(fix(start + n, accuracy_meters=99) for n in range(8)))
    kept = sorted((one.fix_time - NOON).total_seconds() for one in FilteredFix.objects.all())
    assert kept == [11, 12, 13, 14, 15]
    assert filter_counts() == {("van-1", "accuracy"): 16}


def test_counts_are_per_day_of_arrival(device, filters):
    filters(max_accuracy_meters=50)
    store(fix(0, accuracy_meters=99), fix(1, accuracy_meters=99), at=[NOON, NOON + timedelta(days=1)])
    assert set(FilterCount.objects.values_list("day", "count")) == {(date(2026, 11, 20), 1), (date(2026, 11, 21), 1)}


def test_late_fixes_are_compared_with_the_stored_ones_before_them(device, filters):
    filters(min_period_seconds=5)
    store(fix(0), fix(100))
    assert store(fix(3), fix(4), fix(50), fix(53)).filtered == {"period": 3}
    assert stored_seconds() == [0, 50, 100]


def test_settings_belong_to_a_fleet_or_to_a_device_and_are_sane(fleet, device):
    with pytest.raises(ValidationError):
        FilterSettings(fleet=fleet, max_jump_kph=0).full_clean()
    with pytest.raises(ValidationError):
        FilterSettings(fleet=fleet, jump_confirmations=1).full_clean()
    with pytest.raises(IntegrityError):
        FilterSettings.objects.create(fleet=fleet, device=device)


def inline_form(**fields):
    return {
        "filters-TOTAL_FORMS": "1",
        "filters-INITIAL_FORMS": "0",
        "filters-MIN_NUM_FORMS": "0",
        "filters-MAX_NUM_FORMS": "1",
        "filters-0-drop_invalid": "unknown",
        **{f"filters-0-{name}": value for name, value in fields.items()},
    }


def form_of(page, url):
    """Return the fields that the page would send back unchanged, without its filters."""
    context = page.get(url).context
    formsets = [one.formset.management_form for one in context["inline_admin_formsets"]]
    sent = {f"{form.prefix}-{name}": form[name].value() for form in formsets for name in form.fields}
    sent |= {name: field for name, field in context["adminform"].form.initial.items() if field is not None}
    return {name: "" if value is None else value for name, value in sent.items()}


@pytest.mark.parametrize("noun", ["fleet", "device"])
def test_staff_set_filters_on_the_page_of_a_fleet_or_device(page, device, noun):
    owner = device if noun == "device" else device.fleet
    url = reverse(f"admin:tasks_app_{noun}_change", args=[owner.pk])
    response = page.post(url, form_of(page, url) | inline_form(max_accuracy_meters="0.5"))
    assert b"greater than or equal to 1" in response.content
    response = page.post(url, form_of(page, url) | inline_form(max_accuracy_meters="50"))
    assert response.status_code == 302
    assert getattr(FilterSettings.objects.get(), noun) == owner
    assert store(fix(0, accuracy_meters=51)).filtered == {"accuracy": 1}


def test_staff_see_what_was_filtered(page, device, filters):
    filters(max_accuracy_meters=50)
    store(fix(0, accuracy_meters=51))
    kept = FilteredFix.objects.get()
    for url in (
        reverse("admin:tasks_app_filteredfix_changelist"),
        reverse("admin:tasks_app_filtercount_changelist"),
        reverse("admin:tasks_app_filteredfix_change", args=[kept.pk]),
    ):
        assert "Too inaccurate" in page.get(url).content.decode()
