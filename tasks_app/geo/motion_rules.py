"""What counts as moving, as a trip and as a stop, for each kind of device: the one place where these numbers are."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class MotionRules:
    """Thresholds of the detection of trips and stops.

    A device moves while it is faster than `moving_above_kph` and gets farther away than `standing_radius_meters` within
    `lookaround_seconds`. A stop of `min_stop_seconds` ends a trip, and so does a silence of more than `max_gap_seconds`.
    Steps faster than `max_implied_kph` are errors of the receiver.
    """

    moving_above_kph: float = 5.0
    standing_radius_meters: float = 25.0
    lookaround_seconds: float = 45.0
    min_trip_meters: float = 200.0
    min_trip_seconds: float = 120.0
    min_stop_seconds: float = 180.0
    max_gap_seconds: float = 1800.0
    max_implied_kph: float = 300.0

    @property
    def reach_seconds(self) -> float:
        """How far away in time a fix may be and still have a say in whether the device moves."""
        return 2.0 * self.lookaround_seconds


DEFAULT_RULES = MotionRules()

# Whatever is not named here has the default rules.
RULES_BY_KIND = {
    # Loading bays and weighbridges make its stops longer, and it does not fly.
    "truck": replace(DEFAULT_RULES, min_trip_meters=300.0, min_stop_seconds=300.0, max_implied_kph=200.0),
    "van": replace(DEFAULT_RULES, max_implied_kph=250.0),
    # A courier is back on the road after two minutes.
    "motorcycle": replace(DEFAULT_RULES, min_stop_seconds=120.0),
    # Walks at 3 to 6 km/h, rides buses that wait at lights, and may sit in an aeroplane. Indoors its position wanders
    # about by 20 to 40 m within a minute, which a walk of a minute and a half tells from getting away.
    "phone": replace(
        DEFAULT_RULES,
        moving_above_kph=1.5,
        standing_radius_meters=50.0,
        lookaround_seconds=90.0,
        min_trip_meters=150.0,
        min_stop_seconds=300.0,
        max_implied_kph=1200.0,
    ),
}


def motion_rules(kind: str) -> MotionRules:
    """The rules of a device of this kind (`DeviceKind`)."""
    return RULES_BY_KIND.get(kind, DEFAULT_RULES)
