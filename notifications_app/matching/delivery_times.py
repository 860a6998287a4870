"""Times of delivery: quiet hours and digests in a person's time zone. Pure: values in, values out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo


@dataclass(frozen=True, slots=True)
class Digest:
    """The interval of a digest: so many minutes, or daily at a local time. Empty: no digest."""

    every_minutes: int | None = None
    daily_at: time | None = None

    def __bool__(self) -> bool:
        return self.every_minutes is not None or self.daily_at is not None

    @property
    def key(self) -> str:
        """The digest as a short text, which `digest_of` reads; "" for none."""
        if self.daily_at is not None:
            return f"daily {self.daily_at:%H:%M}"
        return "" if self.every_minutes is None else f"every {self.every_minutes}"


NO_DIGEST = Digest()


def digest_of(key: str) -> Digest:
    """The digest of a key, none of any other text."""
    rhythm, _space, value = key.partition(" ")
    if rhythm == "daily":
        return Digest(daily_at=time.fromisoformat(value))
    return Digest(every_minutes=int(value)) if rhythm == "every" else NO_DIGEST


@dataclass(frozen=True, slots=True)
class Person:
    """An active user's time zone, quiet hours and digest."""

    user_id: int
    zone: tzinfo
    quiet_from: time | None = None
    quiet_to: time | None = None
    digest: Digest = NO_DIGEST


def quiet_until(person: Person, at: datetime) -> datetime | None:
    """The end of the quiet hours that `at` is in; None outside of them. Equal begin and end mean no quiet hours."""
    begin, end = person.quiet_from, person.quiet_to
    if begin is None or end is None or begin == end:
        return None
    local = at.astimezone(person.zone)
    clock = local.time().replace(tzinfo=None)
    is_quiet = begin <= clock < end if begin < end else clock >= begin or clock < end
    return _not_skipped(_next(end, local, folds=(0, 1))) if is_quiet else None


def digest_due(digest: Digest, person: Person, at: datetime) -> datetime:
    """The due time of a digest whose first event came at `at`; never inside quiet hours."""
    if digest.daily_at is not None:
        due = _next(digest.daily_at, at.astimezone(person.zone))
    else:
        due = at + timedelta(minutes=digest.every_minutes or 0)
    return quiet_until(person, due) or due


def digest_due_again(digest: Digest, person: Person, *, first_at: datetime, now: datetime) -> datetime:
    """The due time of a digest that has waited since `first_at`, now that the person's times are others.

    Without a digest what waits is due now; never inside quiet hours.
    """
    if digest.daily_at is not None:
        return digest_due(digest, person, now)
    due = max(now, first_at + timedelta(minutes=digest.every_minutes or 0))
    return quiet_until(person, due) or due


def is_due_daily(clock: time, zone: tzinfo, at: datetime, *, within: timedelta) -> datetime | None:
    """The latest time at which clocks of `zone` showed `clock`, if it is no longer ago than `within`; once a day."""
    today = at.astimezone(zone).date()
    last = _shown(clock, zone, today)
    if last.astimezone(UTC) > at:
        last = _shown(clock, zone, today - timedelta(days=1))
    return last if at - last.astimezone(UTC) <= within else None


def _next(clock: time, local: datetime, *, folds: tuple[int, ...] = (0,)) -> datetime:
    """The next time after `local` at which its zone's clocks show `clock`, for the first time in a day or, by `folds`, also
    for the second time where they go back."""
    # Two times of one zone are compared by what the clocks show, as if none of it came twice.
    now = local.astimezone(UTC)
    days = (local.date(), local.date() + timedelta(days=1))
    shown = (_shown(clock, local.tzinfo, day, fold) for day in days for fold in folds)
    return next(one for one in shown if one.astimezone(UTC) > now)


def _not_skipped(at: datetime) -> datetime:
    """`at`, or the moment at which the clocks skipped it: by then they show a later time, and what ends at `at` is over."""
    skipped = (at.utcoffset() or timedelta()) - (at.replace(fold=1).utcoffset() or timedelta())
    if skipped >= timedelta():
        return at
    # Between both readings of a skipped time lies the change, on a whole minute.
    before, after = at.replace(fold=1).astimezone(UTC), at.astimezone(UTC)
    while after - before > timedelta(minutes=1):
        middle = before + (after - before) // 2
        is_later = middle.astimezone(at.tzinfo).utcoffset() == at.replace(fold=1).utcoffset()
        before, after = (before, middle) if is_later else (middle, after)
    return after.replace(second=0, microsecond=0).astimezone(at.tzinfo)


def _shown(clock: time, zone: tzinfo | None, day: date, fold: int = 0) -> datetime:
    return datetime.combine(day, clock.replace(fold=fold), tzinfo=zone)
