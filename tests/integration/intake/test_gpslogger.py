"""GPSLogger's custom URL as docs/devices.md says to enter it, sent as the app sends it, and read in the right units."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.http import HttpResponse
from django.test import Client

from tasks_app.models import Position
from tests.integration.intake.test_owntracks import basic
from tests.support.ingest import AT, drain_buffers, quarantined_codes

pytestmark = pytest.mark.django_db
DOCS = Path(django_settings.BASE_DIR) / "docs" / "devices.md"


def values() -> dict[str, str]:
    """Values that the app writes for its parameters (CustomUrlManager): numbers as Java does, speed in m/s."""
    return {
        "LAT": "-23.55",
        "LON": "-46.63",
        "SAT": "7",
        "DESC": "",
        "ALT": "760.0",
        "ACC": "6.5",
        "DIR": "170.8125",
        "PROV": "gps",
        "SPD_KPH": "36.0",
        "SPD": "10.0",
        "TIMESTAMP": str(int(AT.timestamp())),
        "TIMEOFFSET": AT.isoformat(timespec="milliseconds"),
        "TIME": AT.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "STARTTIMESTAMP": str(int(AT.timestamp()) - 60),
        "DATE": AT.date().isoformat(),
        "BATT": "87.0",
        "AID": "0123456789abcdef",
        "SER": "unknown",
        "ACT": "UNKNOWN",
        "FILENAME": "20261123",
        "PROFILE": "Default+Profile",
        "HDOP": "0.9",
        "DIST": "120",
    }


def filled_url(text: str, **changes: str) -> str:
    """The text with its parameters replaced, the longer names first; %ALL is all of them."""
    given = {**values(), **changes}
    text = text.replace("%ALL", "&".join(f"{name.lower()}=%{name}" for name in given))
    for name in sorted(given, key=len, reverse=True):
        text = text.replace(f"%{name}", given[name])
    return text


def documented_urls(key: str) -> dict[str, str]:
    """The URLs and the body from the documentation, with the key of the test."""
    section = DOCS.read_text().partition("## GPSLogger")[2].partition("\n## ")[0]
    url, everything, body = re.findall(r"^    (\S*%\S+)$", section, re.MULTILINE)
    return {"url": url, "everything": everything, "body": body}


def address(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def check_stored(response: HttpResponse) -> None:
    assert response.status_code == 200, response.content
    assert (drain_buffers()["stored"], quarantined_codes()) == (1, [])
    row = Position.objects.get()
    assert (row.latitude, row.longitude, row.fix_time) == (-23.55, -46.63, AT)
    assert (row.altitude_meters, row.accuracy_meters, row.course_degrees) == (760.0, 6.5, pytest.approx(170.8125))
    assert row.speed_kph == pytest.approx(36.0)
    assert (row.attributes["batteryLevel"], row.attributes["sat"]) == (87.0, 7)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", ["url", "everything"])
def test_the_documented_address_gives_the_right_position(name, method, device, key):
    path = address(filled_url(documented_urls(key)[name].replace("48241179", "van-1")))
    check_stored(Client().generic(method, path, headers={"Authorization": basic(key)}))


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", ""])
def test_the_documented_body_gives_the_right_position(content_type, device, key):
    body = filled_url(documented_urls(key)["body"].replace("48241179", "van-1"))
    request = {"headers": {"Authorization": basic(key)}, "content_type": content_type}
    check_stored(Client().generic("POST", "/ingest/osmand", body.encode(), **request))


def test_the_key_may_stand_in_the_path(device, key):
    path = address(filled_url(documented_urls(key)["everything"].replace("48241179", "van-1")))
    check_stored(Client().get(path.replace("/ingest/osmand", f"/ingest/osmand/{key}")))


@pytest.mark.parametrize(
    ("odd", "field"), [("ALT", "altitude_meters"), ("SPD", "speed_kph"), ("ACC", "accuracy_meters")]
)
def test_what_the_app_does_not_know_costs_only_itself(odd, field, device, key):
    path = address(filled_url(documented_urls(key)["everything"].replace("48241179", "van-1"), **{odd: "null"}))
    assert Client().get(path, headers={"Authorization": basic(key)}).status_code == 200
    assert drain_buffers()["stored"] == 1
    assert getattr(Position.objects.get(), field) is None


def test_without_spd_the_names_are_attributes_of_a_tracker(device, key):
    query = f"id=van-1&lat=1.5&lon=2.5&timestamp={int(AT.timestamp())}&acc=1&alt=5&dir=north"
    Client().get(f"/ingest/osmand?{query}", headers={"Authorization": basic(key)})
    drain_buffers()
    row = Position.objects.get()
    assert (row.accuracy_meters, row.altitude_meters, row.course_degrees) == (None, None, None)
    assert row.attributes == {"acc": 1.0, "alt": 5.0, "dir": "north"}
