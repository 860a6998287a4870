"""Thresholds of moving, trips and stops for each kind of device: the one place where these numbers are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class MotionRules:
    """Thresholds of the detection of trips and stops.

    A device moves while it is faster than `moving_above_kph` and gets farther away than `standing_radius_meters` within
    `lookaround_seconds`. A stop of `min_stop_seconds` ends a trip, and so does a silence of more than `max_gap_seconds`,
    which is the same for all kinds. Steps faster than `max_implied_kph` are errors of the receiver. No field has a
    default: rules come from `motion_rules`, which asks for the kind.
    """

    max_gap_seconds: ClassVar[float] = 1800.0
    # A way without a speed that was sent has to gain so much within so long, or to go straight on (`geo.gain`).
    gain_meters: ClassVar[float] = 250.0
    gain_seconds: ClassVar[float] = 400.0

    moving_above_kph: float
    standing_radius_meters: float
    lookaround_seconds: float
    min_trip_meters: float
    min_trip_seconds: float
    min_stop_seconds: float
    max_implied_kph: float

    @property
    def reach_seconds(self) -> float:
        """How far away in time a fix may be and still have a say in whether the device moves."""
        return self.lookaround_seconds + max(self.gain_seconds, self.lookaround_seconds)

    @property
    def sent_reach_seconds(self) -> float:
        """The same for a fix whose speed was sent."""
        return 2.0 * self.lookaround_seconds


_CAR = MotionRules(
    moving_above_kph=5.0,
    standing_radius_meters=25.0,
    lookaround_seconds=45.0,
    min_trip_meters=200.0,
    min_trip_seconds=120.0,
    min_stop_seconds=180.0,
    max_implied_kph=300.0,
)

# Whatever is not named here has the rules of a car.
RULES_BY_KIND = {
    # Loading bays and weighbridges make its stops longer, and it does not fly.
    "truck": replace(_CAR, min_trip_meters=300.0, min_stop_seconds=300.0, max_implied_kph=200.0),
    "van": replace(_CAR, max_implied_kph=250.0),
    # A courier is back on the road after two minutes.
    "motorcycle": replace(_CAR, min_stop_seconds=120.0),
    # Walks at 3 to 6 km/h, rides buses that wait at lights, and may sit in an aeroplane. Indoors its position wanders
    # about by 20 to 40 m within a minute, which a walk of a minute and a half tells from getting away.
    "phone": replace(
        _CAR,
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
    return RULES_BY_KIND.get(kind, _CAR)
