"""GPX that other programs read, although it is no good XML."""

import tracemalloc
from datetime import UTC, datetime

import pytest

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.files import PIECE_BYTES
from tasks_app.ingest.fix import Fix
from tasks_app.ingest.registry import parser_for

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
AT = datetime(2026, 10, 5, 8, 0, tzinfo=UTC)
POINT = '<trkpt lat="48.1" lon="11.5"><ele>519.5</ele><time>2026-10-05T08:00:00Z</time></trkpt>'
# What other programs say of a point under the names of its own elements.
OTHERS = "<extensions><x:time>2020-01-01T00:00:00Z</x:time><x:ele>1</x:ele><x:p><ele>2</ele></x:p></extensions>"
XML = '<?xml version="1.0" encoding="{}"?>\n'


def gpx(name="van-1", points=POINT, extensions="", declaration='<?xml version="1.0" encoding="UTF-8"?>\n'):
    return f"{declaration}<gpx><trk><name>{name}</name>{extensions}<trkseg>{points}</trkseg></trk></gpx>\n"


@pytest.fixture
def read(tmp_path):
    def read_file(content, name="a.gpx"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(parser_for(path)(path, now=NOW))

    return read_file


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (gpx(extensions="<extensions><gpxx:Track><gpxx:Color>Red</gpxx:Color></gpxx:Track></extensions>"), "van-1"),
        (gpx(points=POINT.replace("</trkpt>", '<extensions><a:x b:y="1"/></extensions></trkpt>')), "van-1"),
        ("\r\n \n" + gpx(), "van-1"),
        ("\ufeff\n" + gpx(), "van-1"),
        ("\ufeff" + gpx(declaration=XML.format("UTF-16")), "van-1"),
        (gpx(declaration=XML.format("UTF-16")), "van-1"),
        (gpx(declaration=XML.format("utf-8")).encode("utf-16"), "van-1"),
        (gpx(declaration=XML.format("UTF-16")).encode("utf-16"), "van-1"),
        (gpx(declaration=XML.format("UTF-16")).encode("utf-16-be"), "van-1"),
        (gpx("Jos\u00e9", declaration=XML.format("UTF-8")).encode("cp1252"), "Jos\u00e9"),
        (gpx("Jos\u00e9", declaration="").encode("cp1252"), "Jos\u00e9"),
        (gpx("Jos\u00e9", declaration=XML.format("windows-1252")).encode("cp1252"), "Jos\u00e9"),
        (gpx("Jos\u00e9", declaration=XML.format("ISO-8859-1")), "Jos\u00e9"),
        (gpx("\u041c\u0430\u0437", declaration=XML.format("windows-1251")).encode("cp1251"), "\u041c\u0430\u0437"),
        (gpx("x", declaration=XML.format("unicode_escape")), "x"),
        (gpx("x", declaration=XML.format("no-such-thing")), "x"),
        (gpx("x", declaration='<?xml version="1.1"?>'), "x"),
        (gpx("Ca&ntilde;on &euro;&nbsp;&amp;&#65;&#x42;"), "Ca\u00f1on \u20ac\u00a0&AB"),
        (gpx("Tom & Jerry &c; &foo;"), "Tom & Jerry &c; &foo;"),
        (gpx("<![CDATA[Tom & Jerry &ntilde;]]>"), "Tom & Jerry &ntilde;"),
        (gpx("a\x00\x0b\x1fb&#11;&#0;"), "ab"),
        (gpx("a ]]> b"), "a ]]> b"),
        (gpx("<![CDATA[a]]>]]>"), "a]]>"),
        (gpx(points=POINT.replace('"48.1"', '"48,1"').replace('"11.5"', '"11,5"').replace("519.5", "519,5")), "van-1"),
        (gpx(points=POINT.replace("519.5", "\n 519.5\t").replace("2026", "\n  2026")), "van-1"),
        (gpx(points=POINT.replace("<ele>", f"{OTHERS}<ele>")), "van-1"),
        (gpx(points=POINT.replace("</trkpt>", f"{OTHERS}</trkpt>")), "van-1"),
    ],
)  # fmt: skip
def test_it_reads_what_other_programs_read(read, content, name):
    (fix,) = read(content)
    assert fix == Fix(name, AT, 48.1, 11.5, None, None, 519.5)


@pytest.mark.parametrize("place", ["<ele>", "</trkpt>"])
def test_a_points_own_speed_goes_over_one_of_its_extensions(read, place):
    other, own = "<extensions><a:speed>5</a:speed><a:course>90</a:course></extensions>", "<speed>10</speed>"
    (fix,) = read(gpx(points=POINT.replace(place, other + place)))
    assert (fix.speed_kph, fix.course_degrees) == (18, 90)
    (fix,) = read(gpx(points=POINT.replace(place, other + place).replace("</ele>", f"</ele>{own}")))
    assert (fix.speed_kph, fix.course_degrees) == (36, 90)


@pytest.mark.parametrize(
    "time", ["2026/10/05 08:00:00", "2026-10-05T8:00:00Z", "05.10.2026 08:00", "5-Oct-2026 8:00 AM"]
)
def test_a_time_as_a_spreadsheet_writes_it_is_utc_too(read, time):
    (fix,) = read(gpx(points=POINT.replace("2026-10-05T08:00:00Z", time)))
    assert fix.fix_time == AT


def test_a_date_that_may_be_either_is_refused(read):
    (bad,) = read(gpx(points=POINT.replace("2026-10-05T08:00:00Z", "05/10/2026 08:00")))
    assert bad.code == "ambiguous_timestamp"


@pytest.mark.parametrize(
    "text", ["Tom & Jerry &ntilde; <![CDATA[a & b &ntilde;]]> &amp; &#65; ", "<!-- & ]]> --> <x:y/>"]
)
def test_it_reads_them_wherever_a_piece_of_the_file_ends(read, text, monkeypatch):
    whole = gpx(points=POINT.replace("</trkpt>", f"<cmt>{text * 3}</cmt></trkpt>") * 40, name=text)
    expected = read(whole)
    assert len(expected) == 40
    for size in (1, 2, 3, 7, 61):
        monkeypatch.setattr("tasks_app.ingest.files.PIECE_BYTES", size)
        assert read(whole) == expected


@pytest.mark.parametrize(
    "content",
    [
        '<!DOCTYPE gpx [<!ENTITY a "b">]>' + gpx("&a;", declaration=""),
        '<!DOCTYPE gpx [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + gpx("&a;", declaration=""),
        '<!DOCTYPE gpx SYSTEM "http://127.0.0.1/x.dtd">' + gpx(declaration=""),
        '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY l0 "l"><!ENTITY l1 "&l0;&l0;&l0;">]>' + gpx("&l1;", declaration=""),
        ('<!DOCTYPE gpx [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]>' + gpx(declaration="")).encode("utf-16"),
    ],
)
def test_it_takes_no_document_type_in_any_encoding(read, content):
    with pytest.raises(BodyError, match="document type"):
        read(content)


def test_it_needs_no_more_memory_for_a_longer_file(read, tmp_path):
    used = []
    for count in (2_000, 40_000):
        (tmp_path / "a.gpx").write_text(gpx(points=POINT * count))
        parse = parser_for(tmp_path / "a.gpx")
        tracemalloc.start()
        assert sum(1 for _fix in parse(tmp_path / "a.gpx", now=NOW)) == count
        used.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert used[1] < used[0] + 40 * PIECE_BYTES
