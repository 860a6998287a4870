"""Which quantity a column of a table holds, by its name in English, Portuguese, Spanish or German and by its unit."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from tasks_app.ingest.errors import BodyError

# Of two columns for one quantity the one whose name stands first here counts.
NAMES = {
    "device_id": (
        *("device_id", "deviceid", "unique_id", "uniqueid", "imei", "device"),
        *("dispositivo", "veiculo", "vehiculo", "geraet", "gerat", "fahrzeug"),
    ),
    "timestamp": (
        *("timestamp", "datetime", "date_time", "fix_time", "fixtime", "gps_time", "data_hora", "datahora"),
        *("data_e_hora", "fecha_hora", "zeitstempel", "time_stamp", "time", "hora", "horario", "zeit", "uhrzeit"),
    ),
    "date": ("date", "data", "fecha", "datum"),
    "latitude": ("latitude", "lat", "latitud", "breitengrad", "breite"),
    "longitude": ("longitude", "lon", "lng", "long", "longitud", "laengengrad", "langengrad", "laenge", "lange"),
    "altitude_meters": ("altitude_m", "altitude", "elevation", "ele", "altitud", "elevacao", "hoehe", "hohe"),
    "speed_kph": ("speed_kph", "speed_kmh", "speed", "velocidade", "velocidad", "vel", "geschwindigkeit"),
    "course_degrees": ("course", "heading", "bearing", "rumo", "curso", "direcao", "rumbo", "kurs", "richtung"),
    "accuracy_meters": ("accuracy_m", "accuracy", "precisao", "precision", "genauigkeit"),
}
_KNOWN = {name for names in NAMES.values() for name in names}
REQUIRED = ("device_id", "timestamp", "latitude", "longitude")
MPS_TO_KPH = 3.6
# A name may state its unit: "Speed (m/s)", "Velocidade [km/h]", "speed_mps". A column in any other unit is left aside.
_UNIT = re.compile(r"\s*[(\[]\s*([^)\]]*?)\s*[)\]]\s*$")
_FACTORS = {
    "speed_kph": {"km/h": 1.0, "kmh": 1.0, "kph": 1.0, "m/s": MPS_TO_KPH, "mph": 1.609344, "kn": 1.852, "knots": 1.852},
    "altitude_meters": {"m": 1.0, "ft": 0.3048},
    "accuracy_meters": {"m": 1.0, "ft": 0.3048},
}
_UNITS_OF_ENDINGS = {"m_s": "m/s", "mps": "m/s", "km_h": "km/h", "kmh": "km/h", "kph": "km/h", "m": "m"} | {
    unit: unit for unit in ("mph", "kn", "knots", "ft", "deg", "degrees")
}
_DEGREES = {"": 1.0, "°": 1.0, "deg": 1.0, "degrees": 1.0}
# GPSLogger for Android: speed in m/s. Its files of all versions begin with these; later ones have the others as well.
_GPSLOGGER_FIRST = ["time", "lat", "lon", "elevation", "accuracy", "bearing", "speed"]
_GPSLOGGER_OTHERS = {"time", "lat", "lon", "speed", "satellites", "provider"}


@dataclass(frozen=True, slots=True)
class Columns:
    """The place of each quantity, and what its numbers are multiplied with."""

    places: dict[str, int]
    factors: dict[str, float]


def columns_of(names: list[str], device_id: str | None) -> Columns:
    """The columns of a table with these names; the device's may be missing with a `device_id`.

    Raises BodyError naming the quantities that are missing.
    """
    bare, units = zip(*map(_bare, names), strict=True) if names else ((), ())
    has_logger_units = is_gpslogger(list(bare))
    found: dict[str, int] = {}
    factors: dict[str, float] = {}
    for quantity, known in NAMES.items():
        for name in known:
            place = bare.index(name) if name in bare else None
            factor = None if place is None else _factor(quantity, units[place], has_logger_units)
            if place is not None and factor is not None:
                found[quantity], factors[quantity] = place, factor
                break
    if "timestamp" not in found and "date" in found:
        found["timestamp"] = found.pop("date")
    missing = [name for name in REQUIRED if name not in found and not (name == "device_id" and device_id)]
    if missing:
        raise BodyError("wrong_header", f"The first line must name the columns; missing: {', '.join(missing)}.")
    return Columns(found, {quantity: factor for quantity, factor in factors.items() if factor != 1.0})


def is_gpslogger(names: list[str]) -> bool:
    """Whether these are the columns of GPSLogger for Android."""
    return names[: len(_GPSLOGGER_FIRST)] == _GPSLOGGER_FIRST or set(names) >= _GPSLOGGER_OTHERS


def _bare(name: str) -> tuple[str, str]:
    """The name in lower case without accents, signs and its unit, and the unit."""
    found = _UNIT.search(name)
    text = name[: found.start()] if found else name
    letters = unicodedata.normalize("NFD", text.strip().lower())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    bare = re.sub(r"\W+", "_", plain).strip("_")
    return (bare, found[1].lower()) if found else _without_ending(bare)


def _without_ending(bare: str) -> tuple[str, str]:
    """A name that is none of NAMES without the unit it ends in, and the unit."""
    if bare not in _KNOWN:
        for ending, unit in _UNITS_OF_ENDINGS.items():
            if (name := bare.removesuffix(f"_{ending}")) != bare and name in _KNOWN:
                return name, unit
    return bare, ""


def _factor(quantity: str, unit: str, has_logger_units: bool) -> float | None:
    if quantity == "speed_kph" and has_logger_units and not unit:
        return MPS_TO_KPH
    if quantity in ("device_id", "timestamp", "date") or not unit:
        return 1.0
    return _FACTORS.get(quantity, _DEGREES).get(unit)
