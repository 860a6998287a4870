"""The units a person can choose to read in, by name."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from tasks_app.geo.units import AltitudeUnit, DistanceUnit, SpeedUnit, VolumeUnit

DISTANCE_UNITS = [
    (DistanceUnit.KM.value, _("kilometers (km)")),
    (DistanceUnit.MI.value, _("miles (mi)")),
    (DistanceUnit.NMI.value, _("nautical miles (nmi)")),
]
SPEED_UNITS = [
    (SpeedUnit.KPH.value, _("kilometers per hour (km/h)")),
    (SpeedUnit.MPH.value, _("miles per hour (mph)")),
    (SpeedUnit.KN.value, _("knots (kn)")),
]
ALTITUDE_UNITS = [(AltitudeUnit.METERS.value, _("meters (m)")), (AltitudeUnit.FEET.value, _("feet (ft)"))]
VOLUME_UNITS = [(VolumeUnit.LITERS.value, _("liters (l)")), (VolumeUnit.GALLONS.value, _("US gallons (gal)"))]
