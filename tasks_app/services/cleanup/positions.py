"""Retention of positions: whole days are dropped with their partition, so that it costs the same for any number.

A day of which little is kept gets a small new partition in its place; only of a day of which much is kept the rest is
deleted in batches. What was taken out of the table is called ..._going until it is archived (where that is wanted) and
dropped, so that a run that was killed is taken up by the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db import DatabaseError
from django.utils.translation import gettext as _

from tasks_app.engine import current_job
from tasks_app.engine.database import sqlstate
from tasks_app.models import Device, DirtyDay, Position, PositionArchive
from tasks_app.queries.retention import archives_positions
from tasks_app.queries.retention import days_to_keep as days_from_settings
from tasks_app.services.cleanup.position_archives import archive_table, discard_archive, is_archived
from tasks_app.services.cleanup.position_days import (
    DayPlan,
    copy_going,
    copy_kept,
    delete_going,
    lacks_kept,
    plan_day,
    stored_device_ids,
)
from tasks_app.services.cleanup.position_policy import PositionPolicy, RetentionOverride, make_policy, oldest_kept_day
from tasks_app.services.cleanup.runs import InvalidLimit, Run, cutoff, run_exclusively
from tasks_app.services.partitions import (
    detach_partition,
    drop_going,
    drop_replacements,
    going_name,
    list_going,
    list_partitions,
    make_replacement,
)
from tasks_app.services.transactions import LOCK_TIMEOUT
from tasks_app.signals import needed_positions_asked

# So few kept positions are compared under the lock in some milliseconds.
MAX_COPIED_ROWS = 20_000
# Positions stay until the roll-up of their day is computed, which takes minutes; one that fails does not keep them for ever.
ROLL_UP_WITHIN = timedelta(days=2)

_TABLE = Position._meta.db_table


def remove_old_positions(
    *,
    now: datetime,
    days_to_keep: int | None = None,
    device_id: int | None = None,
    dry_run: bool = False,
    max_seconds: float | None = None,
) -> dict[str, Any]:
    """Remove the positions of UTC days that ended `days_to_keep` days ago or earlier.

    What a device, or else its fleet, says of its own retention counts before `days_to_keep`, which replaces the system's
    setting. Each device's last known position survives, and those an event happened at; days that an unfinished report,
    a roll-up that is not computed yet or a restored archive needs are left alone. Returns, beside the figures of every
    run, partitions_dropped, positions_kept, needed (days left alone for one of these reasons), postponed (names of
    partitions that were too busy: next time). Raises InvalidLimit (also for an unknown device), ArchiveFailed, JobCancelled.
    """
    days = days_from_settings("positions") if days_to_keep is None else days_to_keep
    cutoff(now, days)
    if device_id is not None and not Device.objects.filter(pk=device_id).exists():
        raise InvalidLimit(_("There is no device %(id)s.") % {"id": device_id})

    def work(run: Run) -> dict[str, Any]:
        return _Removal(run, now, days, device_id).remove()

    return run_exclusively("old_positions", work, dry_run=dry_run, max_seconds=max_seconds)


def read_policy(default_days: int, *, only_device: int | None = None) -> PositionPolicy:
    """The policy from the current settings of fleets and devices."""
    rows = Device.objects.values_list(
        "pk",
        "positions_days_to_keep",
        "keep_positions_forever",
        "fleet__positions_days_to_keep",
        "fleet__keep_positions_forever",
    ).exclude(
        positions_days_to_keep=None,
        keep_positions_forever=False,
        fleet__positions_days_to_keep=None,
        fleet__keep_positions_forever=False,
    )
    overrides = (
        (pk, RetentionOverride(days, forever), RetentionOverride(fleet_days, ever))
        for pk, days, forever, fleet_days, ever in rows
    )
    return make_policy(default_days, overrides, only_device=only_device)


class _Removal:
    """One run over all days."""

    def __init__(self, run: Run, now: datetime, days: int, only_device: int | None) -> None:
        self.run = run
        self.now = now
        self.days = days
        self.only_device = only_device
        self.policy = self._read_policy()
        self.archives = archives_positions()
        self.done: dict[str, Any] = {"partitions_dropped": 0, "positions_kept": 0, "needed": [], "postponed": []}

    def remove(self) -> dict[str, Any]:
        self.run.add(_TABLE, 0)
        if not self.run.dry_run:
            drop_replacements()
            for name, day in list_going():
                self._finish(name, day)
        until = self.policy.newest_day_to_look_at(self.now)
        days = [(name, day) for name, day in list_partitions() if day < until]
        for number, (name, day) in enumerate(days, start=1):
            if not self.run.has_time():
                break
            with self.run.interruptible(at_window_end=False):
                if not self._remove_day(name, day):
                    break
            current_job().progress(number, len(days), str(day))
        return self.done

    def _remove_day(self, name: str, day: date) -> bool:
        """False when the table is too busy to take anything out of it now."""
        if self._is_needed(day):
            self.done["needed"].append(str(day))
            return True
        stored = self._device_ids(name)
        going = [device_id for device_id in stored if self.policy.goes(device_id, day, self.now)]
        if not going and (stored or self.only_device is not None):
            return True
        plan = plan_day(name, day, going, sorted({*stored} - {*going}))
        self.done["positions_kept"] += plan.kept_rows
        if not plan.rows and plan.kept_rows:
            return True
        if plan.kept_rows > min(MAX_COPIED_ROWS, plan.rows):
            self._delete(plan)
            return True
        return self._take_out(plan)

    def _device_ids(self, name: str) -> list[int]:
        """Devices that may have positions in this partition. Not queried where all go alike: it reads more than dropping."""
        if self.policy.by_device or self.only_device is not None:
            return stored_device_ids(name)
        return list(Device.objects.order_by("pk").values_list("pk", flat=True))

    def _take_out(self, plan: DayPlan) -> bool:
        """Drop the partition, or replace it by one with the kept rows."""
        if not self.run.dry_run:
            going = self._detach(plan)
            if going is None:
                self.done["postponed"].append(plan.name)
                self.run.is_finished = False
                return False
            if self.archives:
                self._finish(going, plan.day)
        self.run.add(_TABLE, plan.rows, plan.going_bytes)
        self.done["partitions_dropped"] += not plan.kept_rows
        return True

    def _detach(self, plan: DayPlan) -> str | None:
        """Detach and, where configured, archive the partition; return its name, None where it may not go now."""
        archive = archive_table(plan.name, plan.day, now=self.now) if self.archives else None
        going = self._detach_archived(plan)
        if going is None and archive is not None:
            discard_archive(archive)
        return going

    def _detach_archived(self, plan: DayPlan) -> str | None:
        replacement = None
        if plan.kept_rows:
            replacement = make_replacement(plan.name)
            copy_kept(plan, replacement)
        try:
            return detach_partition(
                plan.name,
                may_go=lambda: self._may_go(plan, replacement),
                replacement=replacement,
                keep_table=self.archives,
            )
        except DatabaseError as error:
            if sqlstate(error) != LOCK_TIMEOUT:
                raise
            return None

    def _delete(self, plan: DayPlan) -> None:
        if self.run.dry_run:
            self.run.add(_TABLE, plan.rows, plan.going_bytes)
            return
        copied = None
        if self.archives:
            copied = going_name(plan.name)
            copy_going(plan, copied)
            archive_table(copied, plan.day, now=self.now)
        deleted = delete_going(plan, self.run, copied_to=copied)
        if copied:
            drop_going(copied)
        self.run.add(_TABLE, deleted, int(plan.going_bytes * deleted / max(1, plan.rows)))

    def _finish(self, going: str, day: date) -> None:
        """Archive (again, where rows came in after the first time) and drop the detached partition."""
        if self.archives and not is_archived(going, day):
            archive_table(going, day, now=self.now)
        drop_going(going)

    def _may_go(self, plan: DayPlan, replacement: str | None) -> bool:
        """Checked under the lock: a report of the day may have been requested since it was planned."""
        return not self._is_needed(plan.day) and not lacks_kept(plan, self._staying(plan.day), replacement)

    def _is_needed(self, day: date) -> bool:
        return any(first <= day <= last for first, last in _needed_ranges(self.now))

    def _staying(self, day: date) -> Sequence[int]:
        """Devices whose positions of this day stay by the current policy."""
        self.policy = self._read_policy()
        if self.policy.only_device is None and self._default_goes(day):
            known: Any = self.policy.by_device
        else:
            known = Device.objects.values_list("pk", flat=True)
        return [device_id for device_id in known if not self.policy.goes(device_id, day, self.now)]

    def _default_goes(self, day: date) -> bool:
        return day < oldest_kept_day(self.now, self.policy.default_days)

    def _read_policy(self) -> PositionPolicy:
        return read_policy(self.days, only_device=self.only_device)


def _needed_ranges(now: datetime) -> list[tuple[date, date]]:
    """First and last UTC day still in use: by reports and roll-ups to be made, or restored archives."""
    dirty = DirtyDay.objects.filter(marked_at__gt=now - ROLL_UP_WITHIN).values_list("day", flat=True).distinct()
    restored = PositionArchive.objects.filter(restored_until__gt=now).values_list("day", flat=True)
    answers: list[Any] = needed_positions_asked.send(sender="tasks_app")
    ranges = [span for _receiver, spans in answers for span in spans or ()]
    # An end is exclusive; a moment before it is the last that is needed.
    days = [(start.date(), (end - timedelta(microseconds=1)).date()) for start, end in ranges]
    days += [(day - timedelta(days=1), day + timedelta(days=1)) for day in dirty]
    return days + [(day, day) for day in restored]
