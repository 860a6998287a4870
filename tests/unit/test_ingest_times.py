"""Times as text, in every way in."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.ingest.json_batch import parse_batch
from tasks_app.ingest.osmand import parse_parameters
from tasks_app.ingest.registry import parser_for
from tasks_app.ingest.times import read_time
from tasks_app.ingest.validate import InvalidFix, parse_timestamp, with_zone

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
AT = datetime(2026, 10, 5, 8, 0, tzinfo=UTC)

SPELLINGS = [
    "2026-10-05T08:00:00Z",
    "2026-10-05t08:00:00z",
    "2026-10-05 08:00:00Z",
    "2026-10-05 08:00:00 Z",
    "2026-10-05_08:00:00z",
    " \n2026-10-05T08:00:00Z\t",
    "2026-10-05T08:00:00 UTC",
    "2026-10-05 08:00:00 GMT",
    "2026-10-05T10:00:00+0200",
    "2026-10-05T10:00:00+02",
    "2026-10-05 10:00:00 +02:00",
    "2026-10-05T08:00:00.0000000001Z",
    "2026-10-05T08:00:00,000z",
    "2026-10-05T07:59:60Z",
    "2026-10-05t09:59:60+02:00",
    "2026-10-05T07:59:60.000z",
    "20261005T080000z",
    "20261005T075960Z",
    "1791187200",
    " 1791187200000",
    "1791187200.0",
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_it_reads_a_time_in_every_spelling(text):
    assert parse_timestamp(text, now=NOW) == AT


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_batch_takes_every_spelling(text):
    item = {"device_id": "b", "timestamp": text, "latitude": 1, "longitude": 2}
    batch = parse_batch([item], now=NOW)
    assert [fix.fix_time for fix in batch.fixes] == [AT], batch.rejected


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.geojson", "a.gpx"])
@pytest.mark.parametrize("text", [text for text in SPELLINGS if "\n" not in text])
def test_every_kind_of_file_takes_every_spelling(tmp_path, name, text):
    bodies = {
        "a.csv": f'device_id,timestamp,lat,lon\nb,"{text}",1,2\n',
        "a.jsonl": json.dumps({"device_id": "b", "timestamp": text, "latitude": 1, "longitude": 2}),
        "a.geojson": json.dumps(
            {"type": "Feature", "properties": {"time": text}, "geometry": {"type": "Point", "coordinates": [2, 1]}}
        ),
        "a.gpx": f'<gpx><trk><trkseg><trkpt lat="1" lon="2"><time>{text}</time></trkpt></trkseg></trk></gpx>',
    }
    path = tmp_path / name
    path.write_text(bodies[name])
    (fix,) = parser_for(path)(path, now=NOW)
    assert fix.fix_time == AT


def test_the_sixtieth_second_is_the_first_of_the_next_minute():
    assert read_time("2016-12-31T23:59:60Z") == datetime(2017, 1, 1, tzinfo=UTC)
    assert read_time("2016-12-31T23:59:60.25Z") == datetime(2017, 1, 1, microsecond=250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "z", "Z", "now", "2026-10-05T25:00:00Z", "2026-10-05T08:00:61Z", "2026-10-05T08:60:60Z", "2026-13-05T08:00:00z",
     "9999-12-31T23:59:60Z", "0001-01-01T00:00:00+14:00"],
)  # fmt: skip
def test_what_is_no_time_is_refused(text):
    with pytest.raises(InvalidFix):
        parse_timestamp(text, now=NOW)


def test_a_time_without_a_zone_is_that_of_the_zone_told():
    assert with_zone("2026-10-05 05:00:00", ZoneInfo("America/Sao_Paulo")) == AT.isoformat()
    assert with_zone(" 2026-10-05t07:59:60 ", UTC) == AT.isoformat()
    assert with_zone("2026-10-05t08:00:00z", ZoneInfo("Asia/Tokyo")) == "2026-10-05t08:00:00z"


@given(st.text("0123456789-:TtZz .,+", max_size=70))
def test_it_raises_nothing_but_value_errors(text):
    with suppress(ValueError):
        assert isinstance(read_time(text), datetime)


@pytest.mark.parametrize(
    "text",
    [*SPELLINGS, "2026-10-05t10:00:00 02:00", "2026-10-05T10:00:00.000 0200", "2026-10-05 10:00:00 02:00"],
)
def test_a_query_string_takes_every_spelling(text):
    parameters = {"id": ["b"], "lat": ["1"], "lon": ["2"], "timestamp": [text]}
    message = parse_parameters(parameters, now=NOW)
    assert message.content.fix_time == AT
