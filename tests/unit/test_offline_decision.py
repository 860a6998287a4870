from datetime import UTC, datetime, timedelta

import pytest

from tasks_app.models import DeviceState, EventKind
from tasks_app.services.devices.status import change_status, status_of

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seen_minutes_ago", "silent_minutes", "expected"),
    [(None, 15, "unknown"), (0, 15, "online"), (15, 15, "online"), (15.1, 15, "offline"), (90, 120, "online")],
)
def test_a_device_is_offline_after_more_than_the_allowed_silence(seen_minutes_ago, silent_minutes, expected):
    seen_at = None if seen_minutes_ago is None else NOW - timedelta(minutes=seen_minutes_ago)
    assert status_of(seen_at, silent_minutes=silent_minutes, now=NOW) == expected


@pytest.mark.parametrize(
    ("before", "after", "kind", "since"),
    [
        ("online", "offline", EventKind.DEVICE_OFFLINE, 30),
        ("unknown", "offline", EventKind.DEVICE_OFFLINE, 30),
        ("offline", "offline", None, 30),
        ("offline", "online", EventKind.DEVICE_ONLINE, None),
        ("unknown", "online", None, None),
        ("offline", "unknown", None, None),
    ],
)
def test_only_going_offline_and_coming_back_are_told(before, after, kind, since):
    state = DeviceState(device_id=1, status=before, last_seen_at=NOW - timedelta(minutes=30))
    event = change_status(state, after, now=NOW)
    assert (event.kind if event else None) == kind
    assert state.status == after
    assert state.offline_since == (None if since is None else NOW - timedelta(minutes=since))
