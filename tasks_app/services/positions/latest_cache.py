"""Invalidates the cache of latest positions, which `queries.devices.latest_position` reads and fills.

Each write of a state is a version of it. Before the commit the cache learns that this version is coming: readers turn to
the database, and what they find there is kept only once it is that version. So nothing stale is shown: not when the
process dies around the commit, and not when two workers reach the cache in the other order than the database. A position
nobody asks for is never encoded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.db import transaction

from tasks_app.models import DeviceState
from tasks_app.queries.devices import LATEST_POSITION_SECONDS, latest_position_key
from tasks_app.services.positions.states import State
from tasks_app.utils.cache import set_newest


def invalidate_latest_positions(states: Iterable[State | DeviceState]) -> None:
    """Forget the latest positions of these devices, whose states were saved in the transaction that is open."""
    coming = {latest_position_key(state.device_id): (state.version, dict[str, Any]()) for state in states}
    set_newest(coming, seconds=LATEST_POSITION_SECONDS)


@transaction.atomic
def renew_versions(device_ids: Collection[int]) -> None:
    """Invalidate cached figures of these devices (primary keys) without a new fix: their rules changed."""
    states = list(DeviceState.objects.filter(device__in=device_ids).order_by("device_id").select_for_update())
    for state in states:
        state.version += 1
    DeviceState.objects.bulk_update(states, ["version"])
    invalidate_latest_positions(states)
