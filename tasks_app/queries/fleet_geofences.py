"""The active geofences of a fleet, indexed once per process and built again when one of them changed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from tasks_app.geo.geofence import GeofenceIndex, InvalidArea, validate_area
from tasks_app.geo.windows import InvalidWindows, Windows, validate_windows
from tasks_app.models import Fleet, Geofence
from tasks_app.queries.replica import reading_connection

logger = logging.getLogger(__name__)

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FleetGeofences:
    """Column j of the index is the geofence `index.ids[j]`, named `names[j]`, recorded in `windows[j]` of time in `zone`.

    `limits_kph` (m,) is NaN for none, `tolerances_meters` and `dwell_seconds` (m,) are 0 for none.
    """

    index: GeofenceIndex
    names: list[str]
    limits_kph: npt.NDArray[np.float64]
    tolerances_meters: npt.NDArray[np.float64]
    dwell_seconds: npt.NDArray[np.float64]
    windows: list[Windows]
    zone: ZoneInfo


_NONE = FleetGeofences(GeofenceIndex([]), [], np.empty(0), np.empty(0), np.empty(0), [], ZoneInfo("UTC"))
_known: dict[int, tuple[Version, FleetGeofences]] = {}

# xmin changes with every update of a row, however late it was committed; updated_at does not.
_VERSIONS = """
    SELECT f.id, f.xmin::text::bigint, count(*), sum(g.id)::bigint, sum(g.xmin::text::bigint)::bigint
    FROM tasks_app_geofence g JOIN tasks_app_fleet f ON f.id = g.fleet_id
    WHERE g.is_active AND f.id = ANY(%s) GROUP BY f.id
"""


def geofences_of(fleet_ids: Iterable[int]) -> dict[int, FleetGeofences]:
    """The geofences of each fleet as they are now: one cheap query, and a rebuild only where something changed."""
    wanted = list(fleet_ids)
    if not wanted:
        return {}
    with reading_connection().cursor() as cursor:
        cursor.execute(_VERSIONS, [wanted])
        versions: dict[int, Version] = {row[0]: row[1:] for row in cursor.fetchall()}
    return {fleet_id: _current(fleet_id, versions.get(fleet_id)) for fleet_id in wanted}


def names_at(fleet_id: int, latitudes: npt.ArrayLike, longitudes: npt.ArrayLike) -> list[str]:
    """The names of the fleet's geofences that contain each place (degrees), joined by commas; "" where none does."""
    fences = geofences_of([fleet_id])[fleet_id]
    inside = fences.index.inside(np.asarray(latitudes, dtype=np.float64), np.asarray(longitudes, dtype=np.float64))
    return [", ".join(fences.names[column] for column in np.flatnonzero(row)) for row in inside]


def nearest_place(fleet_id: int, latitude: float, longitude: float) -> tuple[str, float] | None:
    """The name of the fleet's nearest geofence and the meters to its border; None for a fleet without geofences."""
    fences = geofences_of([fleet_id])[fleet_id]
    found = fences.index.nearest(latitude, longitude)
    return None if found is None else (fences.names[found[0]], found[1])


def _current(fleet_id: int, version: Version | None) -> FleetGeofences:
    if version is None:
        _known.pop(fleet_id, None)
        return _NONE
    known = _known.get(fleet_id)
    if known is None or known[0] != version:
        known = _known[fleet_id] = (version, _load(fleet_id))
    return known[1]


def _load(fleet_id: int) -> FleetGeofences:
    fleet = Fleet.objects.get(pk=fleet_id)
    return build(fleet, list(Geofence.objects.filter(fleet_id=fleet_id, is_active=True).order_by("id")))


def build(fleet: Fleet, geofences: list[Geofence]) -> FleetGeofences:
    """These geofences of `fleet`, ready for batches; what a geofence leaves open is as the fleet has it."""
    usable = [geofence for geofence in geofences if _is_usable(geofence)]
    tolerances = [_first(geofence.tolerance_meters, fleet.geofence_tolerance_meters) for geofence in usable]
    dwells = [_first(geofence.dwell_seconds, fleet.geofence_dwell_seconds) for geofence in usable]
    return FleetGeofences(
        GeofenceIndex((geofence.pk, geofence.area) for geofence in usable),
        [geofence.name for geofence in usable],
        np.array([geofence.speed_limit_kph for geofence in usable], dtype=np.float64),
        np.array(tolerances, dtype=np.float64),
        np.array(dwells, dtype=np.float64),
        [geofence.windows for geofence in usable],
        fleet.zone,
    )


def _first(own: float | None, fleets: float) -> float:
    return fleets if own is None else own


def _is_usable(geofence: Geofence) -> bool:
    try:
        validate_area(geofence.area)
        validate_windows(geofence.windows)
    except (InvalidArea, InvalidWindows) as error:
        # Only a row written past the model's validation can be; it must not stop every vehicle of the fleet.
        logger.warning("Geofence %s is left out: %s", geofence.pk, error)
        return False
    return True
