"""Geofences of events, by place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from tasks_app.models import Device, Event
from tasks_app.queries.fleet_geofences import geofences_of


def inside_of(
    events: Sequence[Event], devices: Mapping[int, Device], geofence_ids: Collection[int]
) -> dict[int, frozenset[int]]:
    """Event id -> those of these (active) geofences that contain its place. Events without a place are in none."""
    placed = [event for event in events if event.latitude is not None and event.longitude is not None]
    fleets = geofences_of({devices[event.device_id].fleet_id for event in placed})
    found: dict[int, frozenset[int]] = {}
    for fleet_id, geofences in fleets.items():
        own = [event for event in placed if devices[event.device_id].fleet_id == fleet_id]
        if not len(geofences.index):
            continue
        places = np.array([(event.latitude, event.longitude) for event in own], dtype=np.float64)
        inside = geofences.index.inside(places[:, 0], places[:, 1])
        for event, row in zip(own, inside, strict=True):
            ids = {geofences.index.ids[column] for column in np.flatnonzero(row)}
            found[event.pk] = frozenset(ids & set(geofence_ids))
    return found
