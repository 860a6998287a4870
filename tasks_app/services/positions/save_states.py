"""Writing the changes of a batch: events, states and their publication. Inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from tasks_app.models import DeviceStatus, Event, EventKind
from tasks_app.services import broadcast
from tasks_app.services.events import complete_episodes, insert_events
from tasks_app.services.positions.columns import EPOCH
from tasks_app.services.positions.latest_cache import invalidate_latest_positions
from tasks_app.services.positions.senders import KnownDevice
from tasks_app.services.positions.states import LockedStates, State, save_states
from tasks_app.signals import events_recorded


@dataclass(slots=True)
class Changes:
    """Events to write, in (device, time) order, and the ends of episodes whose event is written already.

    `jobs` are the numbers of the jobs of which the events came.
    """

    events: list[Event] = field(default_factory=list)
    jobs: list[int] = field(default_factory=list)
    ended_episodes: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    def add(self, events: Sequence[Event], jobs: Sequence[int]) -> None:
        """Add events with their jobs."""
        self.events += events
        self.jobs += jobs


def save_changes(
    changes: Changes,
    locked: LockedStates,
    devices: Iterable[KnownDevice],
    heard_us: Mapping[int, int],
    *,
    announce: bool,
) -> list[Event]:
    """Write the changes, and the states of devices something new came of; return the further events of their return.

    `heard_us` is when that was in microseconds since 1970, by primary key; the states of other devices are left alone.
    Without `announce` no event is published and no device counts as seen.
    """
    touched = [state for state in locked.states if state.device_id in heard_us]
    back = _seen(touched, heard_us) if announce else []
    events = back + changes.events
    insert_events(events)
    # An episode that goes on has its event's id only now.
    episodes = [event for event in events if event.kind == EventKind.OVERSPEED]
    begun: dict[tuple[int, datetime | None], int | None] = {
        (one.device_id, one.occurred_at): one.pk for one in episodes
    }
    for state in touched if begun else ():
        state.overspeed_event_id = begun.get((state.device_id, state.overspeed_since), state.overspeed_event_id)
    complete_episodes(changes.ended_episodes)
    save_states(touched, locked.settled)
    invalidate_latest_positions(touched)
    if events and announce:
        events_recorded.send(sender=Event, events=events)
    fleet_of = {device.pk: device.fleet_id for device in devices}
    published = events if announce else []
    transaction.on_commit(lambda: broadcast.announce(touched, published, fleet_of), robust=True)
    return back


def _seen(states: Sequence[State], heard_us: Mapping[int, int]) -> list[Event]:
    """Devices that sent something new are online; the ones that were offline get an event of being back."""
    back: list[Event] = []
    for state in states:
        seen_at = EPOCH + timedelta(microseconds=heard_us[state.device_id])
        if state.status == DeviceStatus.OFFLINE:
            back.append(_back_online(state, seen_at))
        state.status, state.offline_since = DeviceStatus.ONLINE.value, None
        state.last_seen_at = max(state.last_seen_at, seen_at) if state.last_seen_at else seen_at
    return back


def _back_online(state: State, seen_at: datetime) -> Event:
    data = {}
    if state.offline_since is not None:
        data["offline_minutes"] = round((seen_at - state.offline_since).total_seconds() / 60, 1)
    place = {"latitude": state.latitude, "longitude": state.longitude}
    return Event(device_id=state.device_id, kind=EventKind.DEVICE_ONLINE, occurred_at=seen_at, data=data, **place)
