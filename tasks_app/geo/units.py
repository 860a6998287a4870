"""Units that people read in. Everything is stored and computed in km, km/h, meters and liters; these are for showing.

Sources of the factors: the international mile (1.609344 km) and foot (0.3048 m) of 1959, the nautical mile of 1929
(1.852 km), the US liquid gallon (3.785411784 l).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import numpy as np
import numpy.typing as npt

KM_PER_MILE = 1.609344
KM_PER_NAUTICAL_MILE = 1.852
METERS_PER_FOOT = 0.3048
LITERS_PER_GALLON = 3.785411784

Quantity = TypeVar("Quantity", float, npt.NDArray[np.float64])


class DistanceUnit(StrEnum):
    KM = "km"
    MI = "mi"
    NMI = "nmi"


class SpeedUnit(StrEnum):
    KPH = "kph"
    MPH = "mph"
    KN = "kn"


class AltitudeUnit(StrEnum):
    METERS = "m"
    FEET = "ft"


class VolumeUnit(StrEnum):
    LITERS = "l"
    GALLONS = "gal"


AnyUnit = DistanceUnit | SpeedUnit | AltitudeUnit | VolumeUnit

# How many of the unit one of ours is.
_FACTORS: dict[AnyUnit, float] = {
    DistanceUnit.KM: 1.0,
    DistanceUnit.MI: 1 / KM_PER_MILE,
    DistanceUnit.NMI: 1 / KM_PER_NAUTICAL_MILE,
    SpeedUnit.KPH: 1.0,
    SpeedUnit.MPH: 1 / KM_PER_MILE,
    SpeedUnit.KN: 1 / KM_PER_NAUTICAL_MILE,
    AltitudeUnit.METERS: 1.0,
    AltitudeUnit.FEET: 1 / METERS_PER_FOOT,
    VolumeUnit.LITERS: 1.0,
    VolumeUnit.GALLONS: 1 / LITERS_PER_GALLON,
}


def unit_symbol(unit: AnyUnit) -> str:
    """Symbols of units behind a figure: km, mi, nmi, km/h, mph, kn, m, ft, l, gal."""
    return "km/h" if unit is SpeedUnit.KPH else unit.value


def in_unit(value: Quantity, unit: AnyUnit) -> Quantity:
    """`value` in km, km/h, meters or liters, whichever the unit measures, in that unit; a number or an array."""
    return value * _FACTORS[unit]


@dataclass(frozen=True, slots=True)
class Units:
    """The units one person reads in."""

    distance: DistanceUnit = DistanceUnit.KM
    speed: SpeedUnit = SpeedUnit.KPH
    altitude: AltitudeUnit = AltitudeUnit.METERS
    volume: VolumeUnit = VolumeUnit.LITERS
