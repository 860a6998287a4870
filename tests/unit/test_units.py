"""Units of people: known figures from outside, and every unit of every quantity."""

from __future__ import annotations

import numpy as np
import pytest

from notifications_app.models import NotificationPreference
from tasks_app.geo.units import AltitudeUnit, DistanceUnit, SpeedUnit, Units, VolumeUnit, in_unit, unit_symbol


@pytest.mark.parametrize(
    ("value", "unit", "expected", "symbol"),
    [
        (42.195, DistanceUnit.KM, 42.195, "km"),
        (42.195, DistanceUnit.MI, 26.2188, "mi"),  # a marathon
        (1.852, DistanceUnit.NMI, 1.0, "nmi"),
        (100.0, SpeedUnit.KPH, 100.0, "km/h"),
        (88.0, SpeedUnit.MPH, 54.6807, "mph"),
        (100.0, SpeedUnit.KN, 53.9957, "kn"),
        (8848.86, AltitudeUnit.FEET, 29031.69, "ft"),  # Mount Everest
        (8848.86, AltitudeUnit.METERS, 8848.86, "m"),
        (50.0, VolumeUnit.GALLONS, 13.2086, "gal"),
        (50.0, VolumeUnit.LITERS, 50.0, "l"),
        (-1.0, DistanceUnit.MI, -0.621371, "mi"),
    ],
)
def test_a_quantity_is_shown_in_its_unit(value, unit, expected, symbol):
    assert in_unit(value, unit) == pytest.approx(expected, abs=0.005)
    assert unit_symbol(unit) == symbol


def test_an_array_is_converted_whole_and_keeps_what_is_unknown():
    found = in_unit(np.array([1.609344, np.nan]), DistanceUnit.MI)
    assert found[0] == pytest.approx(1.0)
    assert np.isnan(found[1])


def test_a_preference_names_the_units_its_person_reads_in():
    assert NotificationPreference().units == Units()
    chosen = NotificationPreference(distance_unit="nmi", speed_unit="kn", altitude_unit="ft", volume_unit="gal")
    assert chosen.units == Units(DistanceUnit.NMI, SpeedUnit.KN, AltitudeUnit.FEET, VolumeUnit.GALLONS)


@pytest.mark.parametrize(
    ("field", "units"),
    [
        ("distance_unit", DistanceUnit),
        ("speed_unit", SpeedUnit),
        ("altitude_unit", AltitudeUnit),
        ("volume_unit", VolumeUnit),
    ],
)
def test_every_unit_can_be_chosen(field, units):
    assert [value for value, _label in NotificationPreference._meta.get_field(field).choices] == list(units)
