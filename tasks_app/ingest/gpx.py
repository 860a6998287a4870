"""GPX 1.0 and 1.1 tracks (https://www.topografix.com/GPX/1/1/), read as a stream; waypoints and routes are no fixes.

Units of the format: degrees, `ele` in meters, `time` in UTC even where its Z is missing, `speed` in m/s (GPX 1.0, and
Garmin's TrackPointExtension 2 in 1.1) and `course` in degrees. `hdop` is a factor, not meters, and `sat` a count: both
become attributes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from xml.parsers import expat

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.files import opened, stem
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.validate import InvalidFix, make_fix, with_zone

MPS_TO_KPH = 3.6
CHUNK_BYTES = 65_536
MAX_TEXT_CHARACTERS = 1000
POINT_FIELDS = {"ele", "time", "speed", "course", "hdop", "sat"}


def iter_fixes(
    path: Path | str, device_id: str | None = None, *, now: datetime | None = None, zone: tzinfo | None = None
) -> Iterator[Fix | RejectedFix]:
    """Fixes and rejections of a GPX file in file order; `index` counts track points from 0.

    The device's id is `device_id`, else the track's name, else the file's name without extension. `zone` changes nothing:
    GPX times are UTC. Raises BodyError when the file is not GPX, OSError when it cannot be opened.
    """
    path, now = Path(path), now or datetime.now(UTC)
    reader = _TrackReader()
    index = 0
    with opened(path) as stream:
        while True:
            chunk = stream.read(CHUNK_BYTES)
            for track_name, point in reader.feed(chunk):
                yield _read(index, point, device_id or track_name or stem(path), now)
                index += 1
            if not chunk:
                return


def _read(index: int, point: dict[str, str], device_id: str, now: datetime) -> Fix | RejectedFix:
    speed_mps = _number(point.get("speed"))
    attributes = {name: value for name in ("hdop", "sat") if isinstance(value := _number(point.get(name)), float)}
    try:
        return make_fix(
            now=now,
            device_id=device_id,
            timestamp=_with_zone(point.get("time")),
            latitude=_number(point.get("lat")),
            longitude=_number(point.get("lon")),
            speed_kph=speed_mps * MPS_TO_KPH if isinstance(speed_mps, float) else speed_mps,
            course_degrees=_number(point.get("course")),
            altitude_meters=_number(point.get("ele")),
            attributes=attributes,
        )
    except InvalidFix as error:
        return RejectedFix(index, error.code, error.detail)


def _with_zone(text: str | None) -> object:
    """The time in UTC where it has no zone: the format's times are UTC. A date alone stays one, which is no time."""
    text = (text or "").strip()
    return with_zone(text, UTC) if len(text) > len("2026-01-31") else text or None


def _number(text: str | None) -> float | str | None:
    if text is None or not text.strip():
        return None
    try:
        return text if "_" in text else float(text)
    except ValueError:
        return text


class _TrackReader:
    """Collects track points while the bytes come in, so that a file of any size takes the same memory."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        # No GPX file needs a document type, and entities declared in one can blow up or read other files.
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._path: list[str] = []
        self._name = ""
        self._value = ""
        self._point: dict[str, str] | None = None
        self._ready: list[tuple[str, dict[str, str]]] = []

    def feed(self, chunk: bytes) -> list[tuple[str, dict[str, str]]]:
        """Points (track name, fields as text) completed by these bytes; b"" says that the file is over."""
        try:
            self._parser.Parse(chunk, not chunk)
        except (expat.ExpatError, ValueError) as error:
            if isinstance(error, BodyError):
                raise
            raise BodyError("not_gpx", f"The file is not valid GPX: {error}") from error
        ready, self._ready = self._ready, []
        return ready

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if not self._path and local != "gpx":
            raise BodyError("not_gpx", "The file is not GPX: its root element is another.")
        if len(self._path) > 50:
            raise BodyError("not_gpx", "The file is nested too deeply.")
        self._path.append(local)
        self._value = ""
        if local == "trk":
            self._name = ""
        elif local == "trkpt":
            self._point = {key: attributes[key] for key in ("lat", "lon") if key in attributes}

    def _end(self, _name: str) -> None:
        local = self._path.pop()
        if local == "trkpt" and self._point is not None:
            self._ready.append((self._name, self._point))
            self._point = None
        elif self._point is not None and local in POINT_FIELDS:
            self._point.setdefault(local, self._value)
        elif local == "name" and self._path[-1:] == ["trk"]:
            self._name = self._value.strip()
        self._value = ""

    def _text(self, text: str) -> None:
        if len(self._value) < MAX_TEXT_CHARACTERS:
            self._value += text[:MAX_TEXT_CHARACTERS]

    def _refuse_doctype(self, *_: object) -> None:
        raise BodyError("not_gpx", "A GPX file must not declare a document type.")
