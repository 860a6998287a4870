"""Recording what happened apart from the pipeline: stored, noted for the rules, and told to live viewers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from django.db import transaction

from tasks_app.models import DeviceState, Event
from tasks_app.services.broadcast import announce
from tasks_app.services.event_rows import insert_events
from tasks_app.signals import events_recorded


def record_events(
    events: Sequence[Event], *, states: Iterable[DeviceState] = (), fleet_of: Mapping[int, int] | None = None
) -> None:
    """Store the events, which get their ids, and tell of them and of the changed `states` after the caller's commit.

    `fleet_of` maps device ids to fleets where the caller knows them.
    """
    insert_events(events)
    if events:
        events_recorded.send(sender=Event, events=events)
    transaction.on_commit(partial(announce, states, events, fleet_of), robust=True)
