"""CSV as spreadsheets and loggers write it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.numbers import number_or_text
from tasks_app.ingest.registry import parser_for
from tasks_app.ingest.text_files import remarks_about

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
SEMICOLONS = "device_id;timestamp;lat;lon;altitude;speed\r\n"
AT = datetime(2026, 10, 5, 8, 0, tzinfo=UTC)


@pytest.fixture
def read(tmp_path):
    def read_file(content, device_id=None, zone=None, name="a.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(parser_for(path)(path, device_id, now=NOW, zone=zone))

    return read_file


def place(fix):
    assert isinstance(fix, Fix), fix
    return fix.latitude, fix.longitude, fix.altitude_meters, fix.speed_kph


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("v;2026-10-05T08:00:00Z;48,1371;11,5754;519,5;32,4", (48.1371, 11.5754, 519.5, 32.4)),
        ("v;2026-10-05T08:00:00Z;-23,5505;-46,6333;1.234,5;0,0", (-23.5505, -46.6333, 1234.5, 0.0)),
        ("v;2026-10-05T08:00:00Z;-23,55;-46,6;1.234;90", (-23.55, -46.6, 1234.0, 90.0)),
        ('v;2026-10-05T08:00:00Z;"48,137";"11,575";"1 234,5";"5,5"', (48.137, 11.575, 1234.5, 5.5)),
        ("v;2026-10-05T08:00:00Z;\u221223,5505;-46,6333;760;60", (-23.5505, -46.6333, 760.0, 60.0)),
        ("v;2026-10-05T08:00:00Z;48.1371;11.5754;1,234.5;32.4", (48.1371, 11.5754, 1234.5, 32.4)),
        ("v;2026-10-05T08:00:00Z;48.1371;11.5754;519,5;32,4", (48.1371, 11.5754, 519.5, 32.4)),
    ],
)
def test_it_reads_decimal_commas_and_grouped_thousands(read, row, expected):
    (fix,) = read(SEMICOLONS + row)
    assert place(fix) == expected


def test_quoted_decimal_commas_may_stand_between_commas(read):
    (fix,) = read(
        'device_id,timestamp,lat,lon,altitude,speed\nv,2026-10-05T08:00:00Z,"48,1371","11,5754","1.019,5","9,5"\n'
    )
    assert place(fix) == (48.1371, 11.5754, 1019.5, 9.5)


def test_decimal_commas_nobody_quoted_between_commas_give_no_wrong_place(read):
    good = "v,2026-10-05T08:00:00Z,48.1,11.5\n"
    first, bad, last = read(f"device_id,timestamp,lat,lon\n{good}v,2026-10-05T08:01:00Z,48,13,11,57\n{good}")
    assert (isinstance(first, Fix), bad.code, isinstance(last, Fix)) == (True, "invalid_row", True)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_it_reads_every_encoding_and_delimiter(read, encoding, delimiter):
    rows = [
        "device_id,timestamp,lat,lon,driver",
        *(f"Caf\u00e9,2026-10-05T08:0{n}:00Z,48.1,11.5,Jos\u00e9" for n in range(9)),
    ]
    text = "\r\n".join(rows).replace(",", delimiter)
    if encoding.startswith("utf-16-"):
        assert not text.encode(encoding).startswith((b"\xff\xfe", b"\xfe\xff"))
    assert [fix.device_id for fix in read(text.encode(encoding))] == ["Caf\u00e9"] * 9


@pytest.mark.parametrize(
    "first",
    ["sep=;", "SEP=;", '"sep=;"', "\ufeffsep=;", "\r\n\r\nsep=;", "\r\n", "sep=;;;;", '"sep=;";;;', "sep=,;;;"],
)
def test_a_first_line_may_name_the_delimiter_or_be_empty(read, first):
    (fix,) = read(f"{first}\r\ndevice_id;timestamp;lat;lon\r\nv;2026-10-05T08:00:00Z;48.1;11.5\r\n")
    assert (fix.device_id, fix.fix_time) == ("v", AT)


def test_a_guessed_encoding_is_told(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("device_id,driver\nv,Jos\u00e9\n".encode("cp1252"))
    assert "Windows-1252" in remarks_about(path)[0]
    for sure in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_bytes("device_id,driver\nv,Jos\u00e9\n".encode(sure))
        assert remarks_about(path) == []


@pytest.mark.parametrize(
    "written",
    [
        "05.10.2026 05:00:00",
        "05.10.2026 05:00",
        "5.10.2026 5:00",
        "05.10.26 05:00:00",
        "05/10/2026 05:00",
        "5/10/2026 5:00:00",
        "05-10-2026 05:00:00.000",
        "05/10/2026, 05:00:00",
        "5/10/2026 5:00:00 AM",
        "2026/10/05 5:00",
        "2026-10-05 5:00",
        "46300,2083333333",
        "05/10/2026 04:59:60",
        "05/10/2026 08:00:00 UTC",
        "05/10/2026 10:00:00+02:00",
        "2026-10-05 05:00:00 AM",
        "2026-10-05 5:00 a. m.",
        "05/10/2026 05:00 a.\u00a0m.",
        "5. 10. 2026 5:00",
        "05-Oct-2026 05:00",
        "5-Oct-26 5:00 AM",
        "05 out 2026 05:00",
        "5. Okt. 2026 05:00:00",
        "Oct 5, 2026 5:00:00 AM",
    ],
)
def test_it_reads_times_as_spreadsheets_of_brazil_and_germany_write_them(read, written):
    (fix,) = read(f"{SEMICOLONS}v;{written};48,1;11,5;;\n", zone=SAO_PAULO)
    assert isinstance(fix, Fix), fix
    assert fix.fix_time == AT


def test_written_times_need_a_zone(read):
    (bad,) = read(f"{SEMICOLONS}v;05.10.2026 05:00;48,1;11,5;;\n")
    assert bad.code == "timestamp_without_zone"


@pytest.mark.parametrize("other", ["28/09/2026 05:00", "13/10/2026 23:00"])
def test_a_day_above_twelve_tells_the_order_of_a_file_with_commas(read, other):
    head = "device_id,timestamp,lat,lon\n"
    first, _second = read(f"{head}v,05/10/2026 05:00,48.1,11.5\nv,{other},48.1,11.5\n", zone=SAO_PAULO)
    assert first.fix_time == AT


def test_a_month_first_file_is_read_as_one(read):
    head = "device_id,timestamp,lat,lon\n"
    fixes = read(f"{head}v,10/05/2026 5:00:00 AM,48.1,11.5\nv,10/28/2026 5:00:00 PM,48.1,11.5\n", zone=SAO_PAULO)
    assert [fix.fix_time.isoformat() for fix in fixes] == ["2026-10-05T08:00:00+00:00", "2026-10-28T20:00:00+00:00"]


def test_a_date_that_may_be_either_is_refused_and_says_so(read):
    (bad,) = read("device_id,timestamp,lat,lon\nv,05/10/2026 05:00,48.1,11.5\n", zone=SAO_PAULO)
    assert (bad.code, "2026-01-31" in bad.detail) == ("ambiguous_timestamp", True)
    (same,) = read("device_id,timestamp,lat,lon\nv,05/05/2026 05:00,48.1,11.5\n", zone=SAO_PAULO)
    assert same.fix_time.month == 5


@pytest.mark.parametrize(
    "written", ["32/10/2026 05:00", "05/10/2026", "05/10/2026 25:00", "0/0/2026 05:00", "5/10/6 5:00", "20261005"]
)
def test_what_is_no_date_and_time_is_refused(read, written):
    (bad,) = read(f"{SEMICOLONS}v;{written};48,1;11,5;;\n", zone=SAO_PAULO)
    assert isinstance(bad, RejectedFix)


@pytest.mark.parametrize(
    "header",
    [
        "Dispositivo;Data/Hora;Latitude;Longitude;Velocidade (km/h)",
        "Ve\u00edculo;Data e Hora;Latitude;Longitude;Velocidade",
        "Fahrzeug;Zeitstempel;Breitengrad;L\u00e4ngengrad;Geschwindigkeit [km/h]",
        "Ger\u00e4t;Zeit;Breite;L\u00e4nge;Geschwindigkeit",
        "Dispositivo;Fecha-Hora;Latitud;Longitud;Velocidad",
        '"device_id";"timestamp";"lat (\u00b0)";"lon (deg)";"speed (km/h)"',
        "DEVICE ID;Time Stamp;Lat.;Long.;Vel.",
        "device\u00a0id;\u200btimestamp;latitude\u200b;longitude:;speed km/h",
        "uniqueId;fixTime;lat;lng;speed",
    ],
)
def test_it_knows_the_columns_in_other_languages(read, header):
    (fix,) = read(f"{header}\nv;2026-10-05T08:00:00Z;48,1371;11,5754;36,0\n")
    assert (fix.device_id, fix.fix_time, *place(fix)) == ("v", AT, 48.1371, 11.5754, None, 36.0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("speed (m/s)", 36.0),
        ("speed (mph)", 16.09344),
        ("speed [kn]", 18.52),
        ("speed (furlongs)", None),
        ("speed_mps", 36.0),
        ("Speed m/s", 36.0),
        ("speed_mph", 16.09344),
        ("Speed knots", 18.52),
        ("speed_kmh", 10.0),
        ("Speed km/h", 10.0),
        ("Velocidade_km_h", 10.0),
        ("speed_furlongs", None),
        ("speed", 10.0),
    ],
)
def test_a_column_in_another_unit_is_converted_or_left_aside(read, name, expected):
    (fix,) = read(f"device_id,timestamp,lat,lon,{name}\nv,2026-10-05T08:00:00Z,48.1,11.5,10\n")
    assert fix.speed_kph == (expected and pytest.approx(expected))


def test_day_and_clock_may_be_columns_of_their_own(read):
    (fix,) = read("device_id;Data;Hora;lat;lon\nv;05/10/2026;05:00:00;48,1;11,5\n", zone=SAO_PAULO)
    assert fix.fix_time == AT
    (alone,) = read("device_id;Data;lat;lon\nv;05/10/2026 05:00;48,1;11,5\n", zone=SAO_PAULO)
    assert alone.fix_time == AT


@pytest.mark.parametrize(
    ("day", "clock"),
    [
        ("2026-10-05", "05:00:00 AM"),
        ("2026-10-05", "5:00 a. m."),
        ("2026-10-05 00:00:00", "05:00:00"),
        ("2026-10-05T00:00:00", "1899-12-30 05:00:00"),
        ("5/10/2026 0:00", "5:00"),
        ("46300", "0,2083333333"),
        ("46300", "05:00"),
        ("05/10/2026", "0,2083333333"),
        ("46300,2083333333", ""),
        ("05/10/2026 05:00", ""),
    ],
)
def test_day_and_clock_are_joined_however_a_spreadsheet_writes_them(read, day, clock):
    (fix,) = read(f"device_id;Date;Time;lat;lon\nv;{day};{clock};48,1;11,5\n", zone=SAO_PAULO)
    assert isinstance(fix, Fix), fix
    assert fix.fix_time == AT


@pytest.mark.parametrize(("day", "clock"), [("05/10/2026", ""), ("46300", ""), ("", "05:00"), ("", "0,2083333333")])
def test_a_day_without_a_clock_is_no_time(read, day, clock):
    (bad,) = read(f"device_id;Date;Time;lat;lon\nv;{day};{clock};48,1;11,5\n", zone=SAO_PAULO)
    assert isinstance(bad, RejectedFix)


LOGGER = "time,lat,lon,elevation,accuracy,bearing,speed,satellites,provider,hdop,vdop,pdop,annotation\n"


@pytest.mark.parametrize(
    "text",
    [
        LOGGER + "2026-10-05T08:00:00.000Z,48.1,11.5,519.5,8.0,91.0,10.0,11,gps,,,,\n",
        "time,lat,lon,elevation,accuracy,bearing,speed\n2026-10-05T08:00:00Z,48.1,11.5,519.5,8.0,91.0,10.0\n",
        LOGGER.replace(",", ";") + "2026-10-05T10:00:00.000+02:00;48,1;11,5;519,5;8,0;91,0;10,0;11;gps;;;;\n",
    ],
)
def test_gpsloggers_speed_is_in_meters_per_second(read, text):
    (fix,) = read(text, "van")
    assert fix == Fix("van", AT, 48.1, 11.5, 36.0, 91.0, 519.5, 8.0)


def test_a_missing_device_column_is_named(read):
    with pytest.raises(BodyError, match="device_id"):
        read(LOGGER)


def test_an_id_that_a_spreadsheet_rounded_is_refused(read):
    for wrong in ("3,56154E+14", "3.56E14"):
        (bad,) = read(f"{SEMICOLONS}{wrong};2026-10-05T08:00:00Z;48,1;11,5;;\n")
        assert (bad.code, "rounded" in bad.detail) == ("invalid_device_id", True)


def test_an_id_that_became_a_decimal_is_the_number_it_was(read):
    assert read(f"{SEMICOLONS}48241179.0;2026-10-05T08:00:00Z;48,1;11,5;;\n")[0].device_id == "48241179"
    text = "id,deviceId,fixTime,latitude,longitude\n1,7.0,2026-10-05 08:00:00,48.1,11.5\n"
    assert read(text)[0].device_id == "7"


def test_traccars_export_saved_by_a_spreadsheet_is_read(read):
    text = "id;deviceId;fixTime;latitude;longitude;speed;address\r\n1;7;05/10/2026 05:00;48,1371;11,5754;21,6;Rua A, 12\r\n"
    (fix,) = read(text.encode("utf-16"), zone=SAO_PAULO)
    assert (fix.device_id, fix.fix_time, fix.latitude) == ("7", AT, 48.1371)
    assert fix.speed_kph == pytest.approx(40.0, abs=0.01)


GOOD = "v,2026-10-05T08:00:00Z,48.1,11.5,x\n"


@pytest.mark.parametrize(
    ("broken", "lost"),
    [
        ('v,2026-10-05T08:00:00Z,48.1,"11.5,x\n', 1),
        ('"v,2026-10-05T08:00:00Z,48.1,11.5,x\n', 1),
        ('v,"2026-10-05T08:00:00Z"x,48.1,11.5,x\n', 1),
        ("v" * 150_000 + "\n", 1),
        ("\x00\xff\x00\n", 1),
        ('v,2026-10-05T08:00:00Z,48.1,11.5,12" wheel\n', 0),
        ('v,2026-10-05T08:00:00Z,48.1,11.5,"a ""b"", c\nd"\n', 0),
        (",,,,\n", 0),
    ],
)
def test_a_broken_row_costs_only_itself(read, broken, lost):
    found = read(f"device_id,timestamp,lat,lon,note\n{GOOD * 30}{broken}{GOOD * 30}")
    bad = [item for item in found if isinstance(item, RejectedFix)]
    assert len(bad) == lost, bad
    assert sum(isinstance(item, Fix) for item in found) >= 60


@given(st.floats(-1e6, 1e6, allow_nan=False), st.booleans())
def test_a_number_written_with_a_comma_is_the_same_number(value, decimal_comma):
    text = f"{value:.4f}"
    assert number_or_text(text.replace(".", ",") if decimal_comma else text, decimal_comma=decimal_comma) == float(text)
    grouped = f"{value:,.4f}"
    if decimal_comma:
        grouped = grouped.translate(str.maketrans(",.", ".,"))
    assert number_or_text(grouped, decimal_comma=decimal_comma) == float(text)
