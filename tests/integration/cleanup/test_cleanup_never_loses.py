"""No setting, no order of cleanups and no interruption removes a device's last position or one that an event refers to."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.engine import JobCancelled
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.models import Device, Event, Fleet, PositionArchive, RetentionSettings
from tasks_app.services.cleanup import position_days, positions
from tasks_app.services.cleanup.duplicates import LOOK_BACK_DAYS, remove_duplicate_positions
from tasks_app.services.cleanup.events import remove_old_events
from tasks_app.services.cleanup.history import remove_old_history
from tasks_app.services.cleanup.orphans import remove_orphaned_data
from tasks_app.services.cleanup.position_archives import restore_archive
from tasks_app.services.cleanup.positions import remove_old_positions
from tests.support.retention import (
    NOW,
    days_ago,
    drop_all_partitions,
    make_event,
    missing_references,
    set_state,
    store,
    stored_times,
)

pytestmark = pytest.mark.django_db
DAYS = [400, 60, 40, 40.2, 6, 2, 1]
PER_DAY = 10


@pytest.fixture(autouse=True)
def surroundings(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    drop_all_partitions()
    yield
    set_current_job(None)
    if not connection.in_atomic_block:
        drop_all_partitions()


def restore_archives() -> None:
    for archive in PositionArchive.objects.all():
        restore_archive(archive, keep_days=1, now=NOW)


def delete_a_device() -> None:
    if device := Device.objects.order_by("-pk").first():
        device.delete()


STEPS = {
    "positions": lambda: remove_old_positions(now=NOW),
    "positions of at most a day": lambda: remove_old_positions(now=NOW, days_to_keep=1),
    "events": lambda: remove_old_events(now=NOW),
    "duplicates": lambda: remove_duplicate_positions(now=NOW),
    "orphans": lambda: remove_orphaned_data(now=NOW),
    "history": lambda: remove_old_history(now=NOW),
    "restore": restore_archives,
    "a device is deleted": delete_a_device,
}
DAYS_TO_KEEP = st.sampled_from([None, 1, 5, 39, 41, 36_500])
WISHES = st.one_of(
    st.just({}),
    st.just({"keep_positions_forever": True}),
    st.builds(lambda days: {"positions_days_to_keep": days}, DAYS_TO_KEEP.filter(bool)),
)
SETTINGS = st.fixed_dictionaries(
    {
        "positions_days": DAYS_TO_KEEP,
        "events_days": DAYS_TO_KEEP,
        "archives_days": DAYS_TO_KEEP,
        "archive_positions": st.booleans(),
        "duplicate_meters": st.sampled_from([None, 0, 100]),
        "duplicate_seconds": st.sampled_from([None, 0, 60]),
        "thin_standing_seconds": st.sampled_from([None, 10, 3600]),
    }
)
# Which step, and after how many questions its job turns out to be cancelled.
ORDERS = st.lists(
    st.tuples(st.sampled_from(sorted(STEPS)), st.sampled_from([None, 1, 2, 3, 5])), min_size=1, max_size=6
)


@settings(max_examples=40)
@given(
    setting=SETTINGS,
    fleet_wish=WISHES,
    device_wishes=st.tuples(WISHES, WISHES, WISHES),
    days=st.lists(st.sampled_from(DAYS), min_size=1, max_size=4, unique=True),
    apart=st.sampled_from([0.2, 1, 30]),
    event_at=st.integers(0, PER_DAY - 1),
    copied=st.sampled_from([0, 5, 20_000]),
    order=ORDERS,
)
def test_no_setting_and_no_order_removes_a_last_position_or_one_of_an_event(
    make_device, fleet, setting, fleet_wish, device_wishes, days, apart, event_at, copied, order
):
    with transaction.atomic(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(positions, "MAX_COPIED_ROWS", copied)
        patch.setattr(position_days, "BATCH_PAGES", 1)
        RetentionSettings.objects.create(pk=1, **setting)
        Fleet.objects.filter(pk=fleet.pk).update(**fleet_wish)
        for number, wish in enumerate(device_wishes):
            device = make_device(**wish)
            times = [days_ago(day) + timedelta(seconds=apart * n) for day in days for n in range(PER_DAY)]
            store(device, *times)
            set_state(device, max(times) if number else min(times))
            make_event(device, times[event_at])
        for step, questions in order:
            run_interrupted(STEPS[step], questions)
            assert missing_references() == [], step
            assert_kept_for_ever(days)
        transaction.set_rollback(True)
    drop_all_partitions()


def run_interrupted(step, questions: int | None) -> None:
    """As a job that is cancelled after so many questions; None: never. Asked by its own thread only, between statements."""
    answers = iter([False] * questions if questions else [])

    def is_cancelled() -> bool:
        is_own = threading.current_thread() is threading.main_thread()
        return bool(questions) and is_own and next(answers, True)

    set_current_job(CurrentJob(is_cancelled=is_cancelled))
    with suppress(JobCancelled):
        step()


def assert_kept_for_ever(days: list[float]) -> None:
    """A removed duplicate is no loss, so only days that no search for duplicates looks at are counted."""
    old = [day for day in days if day > LOOK_BACK_DAYS + 1]
    for device in Device.objects.filter(keep_positions_forever=True):
        kept = [at for at in stored_times(device) if at < days_ago(LOOK_BACK_DAYS + 1)]
        assert len(kept) == PER_DAY * len(old)


def test_the_invariant_can_fail(device):
    """Otherwise the test above would prove nothing."""
    at = days_ago(40)
    store(device, at)
    set_state(device, at)
    Event.objects.create(device=device, kind="overspeed", occurred_at=at + timedelta(seconds=1))
    assert missing_references() == [(device.pk, at + timedelta(seconds=1))]
