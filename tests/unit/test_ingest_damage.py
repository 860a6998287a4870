"""Files that are cut or damaged give all that stands before the damage, and say where it is; other files say what they are."""

import gzip
import json
import os
import zipfile
from io import BytesIO

import pytest

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix
from tasks_app.ingest.registry import parser_for

ITEM = '{{"device_id":"v","timestamp":"2026-10-05T08:{:02}:{:02}Z","latitude":48.1,"longitude":11.5}}'
POINT = '<trkpt lat="48.1" lon="11.5"><time>2026-10-05T08:{:02}:{:02}Z</time></trkpt>\n'
FEATURE = (
    '{{"type":"Feature","properties":{{"time":"2026-10-05T08:{:02}:{:02}Z"}},'
    '"geometry":{{"type":"Point","coordinates":[11.5,48.1]}}}}'
)
COUNT = 3000


def rows(form, join):
    return join.join(form.format(n // 60, n % 60) for n in range(COUNT))


FILES = {
    "a.csv": "device_id,timestamp,lat,lon\n" + rows("v,2026-10-05T08:{:02}:{:02}Z,48.1,11.5", "\n") + "\n",
    "a.gpx": f"<gpx><trk><trkseg>\n{rows(POINT, '')}</trkseg></trk></gpx>",
    "a.geojson": f'{{"type":"FeatureCollection","features":[\n{rows(FEATURE, ",")}]}}',
    "list.json": f"[{rows(ITEM, ',')}]",
    "a.json": f'{{"positions": [{rows(ITEM, ",")}]}}',
    "a.jsonl": rows(ITEM, "\n") + "\n",
    "list.jsonl": f"[{rows(ITEM, ',')}]",
    "lines.json": rows(ITEM, "\n") + "\n",
    "lines.geojson": rows(FEATURE, "\n") + "\n",
    "sequence.geojson": "\x1e" + rows(FEATURE, "\n\x1e") + "\n",
}
IN_LINES = ("a.csv", "a.jsonl", "lines.json", "lines.geojson", "sequence.geojson")


@pytest.fixture
def read(tmp_path):
    def read_file(name, content):
        """The fixes of a file, all items, and the error it ends with."""
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        items, error = [], None
        try:
            for item in parser_for(path)(path):
                items.append(item)
        except BodyError as caught:
            error = caught
        return [item for item in items if isinstance(item, Fix)], items, error

    return read_file


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_gives_what_stands_before(read, name):
    whole = FILES[name]
    for part in (0.3, 0.5, 0.999):
        cut = whole[: int(len(whole) * part)]
        fixes, _items, error = read(name, cut)
        assert len(fixes) >= cut.count("2026-") - 2
        if name in IN_LINES:
            continue  # the last line may be whole for all that anybody knows
        assert error is not None
        assert "line" in str(error).lower() or "byte" in str(error)


@pytest.mark.parametrize("time", ["timestamp", "fixTime"])
def test_a_table_cut_within_a_number_gives_no_wrong_place(read, time):
    text = f"deviceId,{time},latitude,longitude,speed\n" + "v,2026-10-05T08:00:00Z,48.125,11.575,30\n" * 2
    for length in range(text.index("Z,") + 1, len(text)):
        assert {(fix.latitude, fix.longitude) for fix in read("a.csv", text[:length])[0]} <= {(48.125, 11.575)}


def test_a_pipe_is_refused_instead_of_read_twice(tmp_path):
    """It was read to its end to count its positions, and was then said to be empty."""
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(BodyError, match="Pipes and devices are not read"):
        parser_for(tmp_path / "a.csv")


def test_the_last_row_of_a_table_needs_no_line_end(read):
    assert len(read("a.csv", FILES["a.csv"].rstrip("\n"))[0]) == COUNT


@pytest.mark.parametrize("name", FILES)
def test_a_packed_file_cut_anywhere_gives_what_could_be_unpacked(read, name):
    packed = gzip.compress(FILES[name].encode(), 6)
    for part in (0.3, 0.6, 0.95):
        fixes, _items, error = read(f"{name}.gz", packed[: int(len(packed) * part)])
        assert len(fixes) > COUNT * part * 0.6
        assert "damaged" in str(error)
        assert "line" in str(error).lower() or "byte" in str(error)
    fixes, _items, error = read(f"{name}.gz", packed[:-4])
    assert (len(fixes), error.code) == (COUNT, "unreadable_file")


@pytest.mark.parametrize("name", FILES)
def test_a_packed_file_with_wrong_bytes_gives_what_stands_before_them(read, name):
    packed = bytearray(gzip.compress(FILES[name].encode(), 6))
    middle = len(packed) // 2
    packed[middle : middle + 40] = b"\xff" * 40
    fixes, _items, error = read(f"{name}.gz", bytes(packed))
    assert len(fixes) > COUNT * 0.3
    assert error is not None


@pytest.mark.parametrize("name", ["list.json", "list.jsonl", "a.json", "a.geojson", *IN_LINES])
def test_a_record_with_a_wrong_byte_costs_only_itself(read, name):
    place = FILES[name].index("2026-10-05T08:25:00")
    before = FILES[name].rindex(":" if "json" in name else ",", 0, place)
    fixes, items, error = read(name, FILES[name][:before] + "?" + FILES[name][before + 1 :])
    assert (len(fixes), len(items), error) == (COUNT - 1, COUNT, None)


def test_damage_inside_gpx_gives_what_stands_before_and_its_line(read):
    lines = FILES["a.gpx"].split("\n")
    lines[1500] = "<trkpt lat="
    fixes, _items, error = read("a.gpx", "\n".join(lines))
    assert len(fixes) == 1499
    assert "line 150" in str(error)


def test_several_packed_members_and_zeros_after_them_are_one_file(read):
    lines = FILES["a.csv"].encode().splitlines(keepends=True)
    packed = gzip.compress(b"".join(lines[:99])) + gzip.compress(b"".join(lines[99:])) + b"\x00" * 512
    fixes, _items, error = read("a.csv.gz", packed)
    assert (len(fixes), error) == (COUNT, None)
    assert len(read("a.csv", packed)[0]) == COUNT


def archive():
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as book:
        book.writestr("doc.kml", "<kml/>")
    return out.getvalue()


POLYGON = {
    "type": "Feature",
    "properties": {},
    "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
}
NOTHING = [
    ("a.gpx", '<gpx><wpt lat="1" lon="2"/><wpt lat="1" lon="2"/></gpx>', "2 waypoints"),
    ("a.gpx", '<gpx><rte><rtept lat="1" lon="2"/></rte><wpt lat="1" lon="2"/></gpx>', "1 points of routes"),
    ("a.gpx", "<gpx><trk><trkseg/></trk></gpx>", "no track points"),
    ("a.gpx", "", "empty"),
    ("a.gpx", "<!DOCTYPE html><html><body>404</body></html>", "HTML page"),
    ("a.gpx", "<html>404</html>", "<html>"),
    ("a.gpx", "<kml/>", "<kml>"),
    ("a.gpx", "[]", "JSON"),
    ("a.csv", "device_id,timestamp,lat,lon\n", "no rows"),
    ("a.csv", "device_id,timestamp,lat,lon", "no rows"),
    ("a.csv", "device_id;timestamp;lat;lon\r\n;;;\r\n\r\n", "no rows"),
    ("a.csv", "", "empty"),
    ("a.csv", "\r\n\r\n", "empty"),
    ("a.csv", b"\xff\xfe", "empty"),
    ("a.csv", "\n<!doctype HTML>\n<html>", "HTML page"),
    ("a.csv", "<?xml version='1.0'?>\n<gpx>", "GPX file"),
    ("a.csv", "id,deviceId,fixTime,latitude,longitude\n", "no rows"),
    ("a.geojson", '{"type":"FeatureCollection","features":[]}', "no features"),
    ("a.geojson", json.dumps({"type": "FeatureCollection", "features": [POLYGON, POLYGON]}), "2 \u00d7 Polygon"),
    ("a.geojson", json.dumps(POLYGON), "1 \u00d7 Polygon"),
    ("a.geojson", "<html>", "HTML page"),
    ("a.geojson", "", "empty"),
    ("a.json", "[]", "without a position"),
    ("a.json", '{"positions": []}', "without a position"),
    ("a.json", "<!doctype html>", "HTML page"),
    ("a.json", "", "empty"),
    ("a.jsonl", "\n\n", "empty"),
    ("a.jsonl", "<!doctype html>\n<html>\n", "HTML page"),
    ("a.jsonl", "lat,lon\n1,2\n", "no JSON object"),
    ("a.jsonl", "[]", "without a position"),
    ("a.jsonl", json.dumps({"positions": []}, indent=1), "without a position"),
    ("a.geojson", "\n".join([json.dumps(POLYGON)] * 2), "2 \u00d7 Polygon"),
    *((name, archive(), "ZIP archive") for name in ("a.csv", "a.gpx", "a.geojson", "a.json", "a.jsonl")),
    *((name, gzip.compress(archive()), "ZIP archive") for name in ("a.csv.gz", "a.gpx.gz")),
    *((name, b"\x89PNG\r\n\x1a\n\x00\x00", "image") for name in ("a.csv", "a.gpx", "a.geojson", "a.json")),
    ("a.csv", b"\xff\xd8\xff\xe0\x00\x10JFIF", "image"),
    ("a.csv", b"%PDF-1.7", "PDF"),
    ("a.gpx", b"\x0e\x10\x00\x00\x10\x00\x00\x00.FIT\x00\x00", "FIT"),
    ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "XLS"),
    ("a.csv.gz", b"", "empty"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "words"), NOTHING, ids=[f"{number}-{row[0]}" for number, row in enumerate(NOTHING)]
)
def test_a_file_without_positions_says_what_it_is(read, name, content, words):
    fixes, _items, error = read(name, content)
    assert fixes == []
    assert words in str(error)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("name", FILES)
def test_every_format_is_read_in_every_encoding(read, name, encoding):
    text = FILES[name].replace('"v"', '"v\u00e9"').replace("\nv,", "\nv\u00e9,")
    text = text.replace("<trk>", "<trk><name>v\u00e9</name>").replace('"properties":{', '"properties":{"id":"v\u00e9",')
    fixes, items, error = read(name, text.encode(encoding))
    assert (len(fixes), len(items), error) == (COUNT, COUNT, None)
    assert {fix.device_id for fix in fixes} == {
        name.removesuffix(".geojson") if name.endswith("geojson") else "v\u00e9"
    }


@pytest.mark.parametrize("name", [name for name in FILES if "json" in name])
def test_a_file_in_utf_16_that_is_cut_gives_what_stands_before(read, name):
    fixes, _items, error = read(name, FILES[name].encode("utf-16")[:-101])
    assert COUNT - 2 <= len(fixes) < COUNT
    assert error or name == "a.jsonl"
