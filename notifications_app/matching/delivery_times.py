"""Times of delivery: quiet hours and digests in a person's time zone. Pure: values in, values out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo


@dataclass(frozen=True, slots=True)
class Digest:
    """The interval of a digest: so many minutes, or daily at a local time. Empty: no digest."""

    every_minutes: int | None = None
    daily_at: time | None = None

    def __bool__(self) -> bool:
        return self.every_minutes is not None or self.daily_at is not None


NO_DIGEST = Digest()


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
    return _next(end, local) if is_quiet else None


def digest_due(digest: Digest, person: Person, at: datetime) -> datetime:
    """The due time of a digest whose first event came at `at`; never inside quiet hours."""
    if digest.daily_at is not None:
        due = _next(digest.daily_at, at.astimezone(person.zone))
    else:
        due = at + timedelta(minutes=digest.every_minutes or 0)
    return quiet_until(person, due) or due


def is_due_daily(clock: time, zone: tzinfo, at: datetime, *, within: timedelta) -> datetime | None:
    """The latest time at which clocks of `zone` showed `clock`, if it is no longer ago than `within`."""
    local = at.astimezone(zone)
    last = datetime.combine(local.date(), clock, tzinfo=zone)
    if last > local:
        last = datetime.combine(local.date() - timedelta(days=1), clock, tzinfo=zone)
    return last if at - last <= within else None


def _next(clock: time, local: datetime) -> datetime:
    """The next time after `local` at which its zone's clocks show `clock`."""
    found = datetime.combine(local.date(), clock, tzinfo=local.tzinfo)
    return found if found > local else datetime.combine(local.date() + timedelta(days=1), clock, tzinfo=local.tzinfo)
