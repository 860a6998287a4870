"""Sending as devices do."""

from __future__ import annotations

import itertools
import json
import zlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from tasks_app.models import QuarantinedFix
from tasks_app.queries.position_lanes import lane_count, lane_of
from tasks_app.services.intake.buffer import drain_buffer

TOKEN = "the-server-s-own-secret-0123456789"
AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
OSMAND = "/ingest/osmand"
TRACCAR = "/ingest/traccar"
POSITIONS = "/ingest/positions"
FORM = "application/x-www-form-urlencoded; charset=UTF-8"


def drain_buffers() -> Counter[str]:
    """Store all single fixes that wait, lane by lane; return counts by outcome."""
    totals: Counter[str] = Counter()
    for lane in range(lane_count()):
        name = next(name for number in itertools.count() if lane_of(name := f"lane-{number}") == lane)
        totals.update(drain_buffer(name))
    return totals


def minutes_before_now(minutes_ago: float = 0.0) -> datetime:
    """That long ago, to the second, as devices say it."""
    return (timezone.now() - timedelta(minutes=minutes_ago)).replace(microsecond=0)


def parameters(**changes: Any) -> dict[str, Any]:
    """Return a query as Traccar Client 8 and 10 send it."""
    return {"id": "van-1", "timestamp": int(AT.timestamp()), "lat": -23.55, "lon": -46.63, "speed": 21.6, **changes}


def client_9(**changes: Any) -> dict[str, Any]:
    """Return a body as Traccar Client 9 sends it; changes are of its coordinates."""
    coords = {"latitude": -23.55, "longitude": -46.63, "speed": 11.112, "heading": -1, "accuracy": -1, "altitude": 5}
    location = {"timestamp": AT.isoformat(), "coords": {**coords, **changes}}
    return {"device_id": "van-1", "location": location}


def position(**changes: Any) -> dict[str, Any]:
    """The product's own JSON."""
    return {"device_id": "van-1", "timestamp": AT.isoformat(), "latitude": -23.55, "longitude": -46.63, **changes}


def forwarded_position(unique_id: str = "van-1", **changes: Any) -> dict[str, Any]:
    """Return a body as a Traccar server forwards it; changes are of the position."""
    place = {"fixTime": AT.isoformat(), "latitude": -23.55, "longitude": -46.63, "speed": 21.6, "valid": True}
    return {"position": {**place, **changes}, "device": {"id": 7, "uniqueId": unique_id, "name": "Van 7"}}


def send_query(key: str = "", path: str = OSMAND, **changes: Any) -> HttpResponse:
    """As Traccar Client up to 8.x does."""
    query = urlencode({**({"key": key} if key else {}), **parameters(**changes)})
    return Client().generic("POST", f"{path}?{query}")


def send_form(key: str = "", **changes: Any) -> HttpResponse:
    """As Traccar Client from 10.x does."""
    return Client().generic("POST", f"{OSMAND}?key={key}", urlencode(parameters(**changes)).encode(), content_type=FORM)


def send_json(path: str, body: Any, key: str = "", **headers: str) -> HttpResponse:
    """A JSON body with the key in the header; bytes are sent as they are."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {**({"Authorization": f"Bearer {key}"} if key else {}), **headers}
    # Said once more: the client of the tests says it of an empty body only so.
    said = {"CONTENT_TYPE": "application/json"}
    return Client().generic("POST", path, raw, "application/json", headers=given, **said)


@cache
def bomb(megabytes: int = 256) -> bytes:
    """A small gzip body that unpacks to so much."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(b"[" * 1_000_000) for _ in range(megabytes)) + packer.flush()


def problem(response, status: int, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json()["detail"]


def quarantined_codes() -> list[str]:
    return list(QuarantinedFix.objects.order_by("id").values_list("code", flat=True))
