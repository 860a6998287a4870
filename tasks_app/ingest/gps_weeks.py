"""GPS counts weeks with ten bits: a receiver that does not know its week began anew is 1024 weeks behind, or 2048.

The number began anew on 1999-08-22 and 2019-04-07; what a receiver makes of it depends on its firmware, so that such
times go on turning up for years (IS-GPS-200, 20.3.3.3.1.1).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

PERIOD_WEEKS = 1024
PERIOD = timedelta(weeks=PERIOD_WEEKS)
# As far ahead of the server's clock as any fix may be.
MAX_AHEAD = timedelta(days=1)
# A device without reception sends what it kept; corrected times further back than this are no better than a guess.
MAX_KEPT = timedelta(days=30)
# Before it no receiver counted weeks.
FIRST_WEEK = datetime(1980, 1, 6, tzinfo=UTC)


def weeks_behind(at: datetime, *, now: datetime) -> int:
    """The weeks to add to the time of a fix received `now`: a multiple of 1024, 0 where none brings it near now.

    Near is at most 30 days back and one day ahead.
    """
    if at < FIRST_WEEK:
        return 0
    periods = (now - at + MAX_AHEAD) // PERIOD
    is_near = periods > 0 and now - (at + periods * PERIOD) <= MAX_KEPT
    return periods * PERIOD_WEEKS if is_near else 0


def earliest_of_this_period(now: datetime) -> datetime:
    """The latest time that, one period on, is ahead of now as far as a fix may be; later ones rolled over never."""
    return now - PERIOD + MAX_AHEAD
