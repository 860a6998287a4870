"""The tile server of maps: addresses a browser can ask, and the one origin that pages may load pictures from."""

from __future__ import annotations

import pytest
from django.template import Context, Template
from django.test import Client

from tasks_app.checks import check_map_tiles
from tasks_app.utils.map_tiles import checked_tile_url, tile_origin, tile_settings

OSM = "https://tile.openstreetmap.org/{z}/{x}/{y}.png"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("", ""),
        (OSM, "https://tile.openstreetmap.org"),
        ("http://10.0.0.5:8080/tiles/{z}/{x}/{y}@2x.png?key=a", "http://10.0.0.5:8080"),
        ("http://[::1]:8080/{z}/{x}/{y}", "http://[::1]:8080"),
        ("/tiles/{z}/{x}/{y}.png", ""),
    ],
)
def test_a_tile_server_has_one_origin(url, origin):
    assert checked_tile_url(url) == url
    assert tile_origin(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "https://tile.openstreetmap.org/",
        "https://{s}.tile.openstreetmap.org/{z}/{x}/{y}.png",
        "//tile.openstreetmap.org/{z}/{x}/{y}.png",
        "javascript:alert({z}{x}{y})",
        "https://a.example;script-src *;/{z}/{x}/{y}",
        "https://a.example *.b.example/{z}/{x}/{y}",
        "https://user:secret@a.example/{z}/{x}/{y}",
        "https://a.example:99999/{z}/{x}/{y}",
        "https:///{z}/{x}/{y}",
        "nonsense {z}{x}{y}",
    ],
)
def test_what_is_no_address_of_tiles_is_refused_and_opens_nothing(url, settings):
    settings.MAP_TILE_URL = url
    with pytest.raises(ValueError, match=r"\w"):
        checked_tile_url(url)
    assert tile_origin(url) == ""
    assert [error.id for error in check_map_tiles()] == ["tasks_app.E009"]


def pictures_from(client: Client) -> str:
    policy = client.get("/nowhere.html").headers["Content-Security-Policy"]
    return next(part for part in policy.split("; ") if part.startswith("img-src"))


def test_pages_may_load_pictures_from_the_tile_server_and_no_other(client, settings):
    assert pictures_from(client) == "img-src 'self' data:"
    settings.MAP_TILE_URL = OSM
    assert pictures_from(client) == "img-src 'self' data: https://tile.openstreetmap.org"


def test_of_an_attribution_only_text_and_links_stay(settings):
    assert tile_settings() is None
    settings.MAP_TILE_URL = OSM
    settings.MAP_TILE_ATTRIBUTION = (
        '© <a href="https://a.example/">A</a> <img src=x onerror=alert(1)><script>1</script>'
    )
    assert (tile_settings() or {})["attribution"].startswith(
        '© <a href="https://a.example/" rel="noopener noreferrer">A</a>'
    )
    assert "<img" not in (tile_settings() or {})["attribution"]


def test_the_tag_brings_the_element_its_settings_and_its_scripts(settings):
    settings.MAP_TILE_URL = "/</script>{z}{x}{y}"
    text = Template('{% load maps %}{% map "route" label=label %}').render(Context({"label": "A <b> route"}))
    assert 'id="route"' in text
    assert 'aria-label="A &lt;b&gt; route"' in text
    assert '<script id="route-settings" type="application/json">' in text
    assert "</script>{z}" not in text
    assert text.index("leaflet.js") < text.index("canvas_layer.js") < text.index("map/map.js")
