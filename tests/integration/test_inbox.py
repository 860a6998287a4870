"""The inbox of single fixes on a real Redis: nothing lost, nothing twice, bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.keys import QueueKeys
from tasks_app.ingest.fix import Fix
from tasks_app.models import DeviceState, Position
from tasks_app.services import inbox
from tasks_app.services.inbox import InboxFull, add_to_inbox, drain_inbox, inbox_key, inbox_size
from tasks_app.tasks.position_tasks import drain_position_inbox

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def fix(device_id="van-1", seconds=0.0, **fields):
    return Fix(device_id, NOON + timedelta(seconds=seconds), -23.5, -46.63, **fields)


def delayed_jobs():
    return client().zcard(QueueKeys(engine_config().prefix, "positions").delayed)


def test_it_stores_what_waits_and_empties_the_inbox(device):
    add_to_inbox([fix(seconds=0, attributes={"ignition": True})], received_at=NOON)
    add_to_inbox([fix(seconds=1), fix("stranger")], received_at=NOON + timedelta(seconds=2))
    assert drain_position_inbox() == {"read": 3, "stored": 2, "doubled": 0, "rejected": 1, "events": 0}
    assert inbox_size() == 0
    assert list(Position.objects.order_by("fix_time").values_list("received_at", flat=True)) == [
        NOON,
        NOON + timedelta(seconds=2),
    ]
    assert DeviceState.objects.get(device=device).ignition is True


def test_an_empty_inbox_is_nothing_to_do(db):
    assert drain_inbox()["read"] == 0


def test_a_drain_is_enqueued_once_when_the_inbox_stops_being_empty(device):
    add_to_inbox([fix(seconds=0)], received_at=NOON)
    assert delayed_jobs() == 1
    add_to_inbox([fix(seconds=1)], received_at=NOON)
    assert delayed_jobs() == 1
    drain_inbox()
    add_to_inbox([fix(seconds=2)], received_at=NOON)
    assert delayed_jobs() == 1


def test_fixes_stay_when_storing_fails_and_are_stored_once_afterwards(device, monkeypatch):
    add_to_inbox([fix()], received_at=NOON)

    def fail(*args, **kwargs):
        raise OSError("database gone")

    monkeypatch.setattr(inbox, "store_fixes", fail)
    with pytest.raises(OSError, match="database gone"):
        drain_inbox()
    assert inbox_size() == 1
    monkeypatch.undo()
    assert drain_inbox()["stored"] == 1


def test_a_crash_after_storing_stores_nothing_twice(device):
    add_to_inbox([fix()], received_at=NOON)
    entries = client().xrange(inbox_key())
    drain_inbox()
    client().xadd(inbox_key(), entries[0][1])
    assert drain_inbox()["doubled"] == 1
    assert (Position.objects.count(), inbox_size()) == (1, 0)


def test_it_drains_in_rounds(device, monkeypatch):
    monkeypatch.setattr(inbox, "FIXES_PER_ROUND", 3)
    add_to_inbox([fix(seconds=n) for n in range(8)], received_at=NOON)
    assert drain_inbox()["stored"] == 8


def test_an_entry_that_cannot_be_read_holds_up_nothing(device):
    client().xadd(inbox_key(), {"f": b"{"})
    client().xadd(inbox_key(), {"x": b""})
    add_to_inbox([fix()], received_at=NOON)
    result = drain_inbox()
    assert (result["read"], result["stored"], result["rejected"]) == (3, 1, 2)
    assert inbox_size() == 0


def test_a_full_inbox_refuses_more(device, monkeypatch):
    monkeypatch.setattr(inbox, "MAX_INBOX_FIXES", 2)
    add_to_inbox([fix(seconds=0), fix(seconds=1)], received_at=NOON)
    with pytest.raises(InboxFull):
        add_to_inbox([fix(seconds=2)], received_at=NOON)
    assert inbox_size() == 2
