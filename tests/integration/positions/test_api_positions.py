"""Positions through the API: taken in, refused with reasons, and looked at."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from tasks_app.models import Event, Fleet, FleetMembership, FleetRole, Position
from tasks_app.queries.jobs import find_job
from tasks_app.services.partitions import ensure_partitions, forget_known_partitions

pytestmark = pytest.mark.django_db
BATCH = "/api/tasks/position/process-batch"


def fix(number: int = 0, **fields) -> dict:
    at = datetime(2026, 3, 1, 8, 0, tzinfo=UTC) + timedelta(seconds=number)
    return {
        "device_id": "van-1",
        "timestamp": at.isoformat(),
        "latitude": -23.55,
        "longitude": -46.63,
        "speed": 42.0,
        **fields,
    }


def post(client: APIClient, items, path: str = BATCH):
    return client.post(path, items, format="json")


@pytest.mark.parametrize("wrap", [lambda items: items, lambda items: {"positions": items}])
def test_it_stores_a_batch_once(api, device, run_jobs, wrap):
    response = post(api, wrap([fix(number) for number in range(10)]))
    assert response.status_code == 202
    body = response.json()
    assert (body["task"], body["queue"], body["status"]) == ("process_position_batch", "positions", "queued")
    assert (body["accepted"], body["rejected_count"], body["rejected"]) == (10, 0, [])
    assert response["Location"] == body["status_url"]
    post(api, wrap([fix(number) for number in range(10)]))
    run_jobs("positions")
    assert Position.objects.filter(device=device).count() == 10
    assert api.get(body["status_url"]).json()["state"] == "succeeded"


def test_it_takes_the_good_fixes_and_names_the_bad_by_index(api, device, operator, run_jobs):
    items = [fix(0), fix(1, latitude=91), "nonsense", fix(2), fix(3, device_id="nobody"), fix(4, longitude=True)]
    body = post(api, items).json()
    assert (body["accepted"], body["rejected_count"]) == (2, 4)
    assert [(one["index"], one["code"]) for one in body["rejected"]] == [
        (1, "invalid_latitude"),
        (2, "not_an_object"),
        (4, "unknown_device"),
        (5, "invalid_longitude"),
    ]
    assert all(one["detail"] for one in body["rejected"])
    job = find_job(body["task_id"], user=operator)
    assert job.requested_by_id == operator.pk
    run_jobs("positions")
    assert Position.objects.count() == 2


def test_it_refuses_a_batch_without_one_good_fix(api, device):
    response = post(api, [fix(number, latitude=200) for number in range(150)])
    body = response.json()
    assert (response.status_code, body["code"]) == (400, "no_valid_fixes")
    assert (body["rejected_count"], len(body["rejected"])) == (150, 100)


def test_it_says_the_same_of_foreign_and_unknown_devices(api, device, make_device):
    make_device(unique_id="theirs", fleet=Fleet.objects.create(name="Another"))
    for name in ("theirs", "never-heard-of"):
        response = post(api, [fix(0, device_id=name)])
        assert response.status_code == 400
        assert [one["code"] for one in response.json()["rejected"]] == ["unknown_device"]
        assert name not in response.json()["rejected"][0]["detail"]


def test_it_refuses_fixes_of_inactive_devices(api, make_device):
    make_device(unique_id="van-1", is_active=False)
    assert [one["code"] for one in post(api, [fix()]).json()["rejected"]] == ["inactive_device"]


def test_a_viewer_may_not_send(make_user, fleet, device):
    viewer = make_user()
    FleetMembership.objects.create(user=viewer, fleet=fleet, role=FleetRole.VIEWER)
    client = APIClient()
    client.force_authenticate(viewer)
    for path, items in ((BATCH, [fix()]), ("/api/tasks/position/process", fix())):
        response = post(client, items, path)
        assert (response.status_code, response.json()["code"]) == (403, "permission_denied")


def test_it_takes_one_fix(api, device, run_jobs):
    response = post(api, fix(), "/api/tasks/position/process")
    assert (response.status_code, response.json()["task"]) == (202, "process_single_position")
    run_jobs("positions")
    assert Position.objects.count() == 1


BAD_FIXES = {
    "latitude 91": {"latitude": 91},
    "longitude 181": {"longitude": 181},
    "no fix": {"latitude": 0, "longitude": 0},
    "bool as number": {"latitude": True},
    "text as number": {"latitude": "-23.5"},
    "no latitude": {"latitude": None},
    "1970": {"timestamp": 0},
    "before 1970": {"timestamp": -5},
    "9999": {"timestamp": "9999-12-31T23:59:59Z"},
    "milliseconds twice": {"timestamp": 1_700_000_000_000_000},
    "text": {"timestamp": "yesterday"},
    "no zone": {"timestamp": "2026-01-01T00:00:00"},
    "two days ahead": {"timestamp": (timezone.now() + timedelta(days=2)).isoformat()},
    "no device": {"device_id": ""},
    "number as device": {"device_id": 7},
    "NUL in device": {"device_id": "van\x00"},
    "huge device": {"device_id": "x" * 100_000},
}


@pytest.mark.parametrize("name", BAD_FIXES)
def test_a_fix_that_cannot_be_right_costs_no_good_one(api, device, name):
    body = post(api, [fix(0, **BAD_FIXES[name]), fix(1)]).json()
    assert (body["accepted"], [one["index"] for one in body["rejected"]]) == (1, [0])
    alone = post(api, fix(0, **BAD_FIXES[name]), "/api/tasks/position/process")
    assert (alone.status_code, alone.json()["code"]) == (400, "no_valid_fixes")


def test_keys_nobody_reads_cost_nothing(api, device, run_jobs):
    body = post(api, [fix(0, note="\x00", deep=[[[[1]]]]), fix(1)]).json()
    assert (body["accepted"], body["rejected_count"]) == (2, 0)
    run_jobs("positions")
    assert Position.objects.count() == 2


BAD_BATCHES = {
    "empty": (b"[]", 400, "empty"),
    "no list": (b'{"positions": 5}', 400, "wrong_shape"),
    "text": (b'"x"', 400, "wrong_shape"),
    "no JSON": (b"{", 400, "not_json"),
    "1e999": (b'[{"latitude": 1e999}]', 400, "no_valid_fixes"),
    "NaN": (b"[NaN]", 400, "no_valid_fixes"),
    "lone surrogate": (b'["\\ud800"]', 400, "no_valid_fixes"),
    "deep": (b"[" * 100_000, 400, "too_deep"),
    "many": (b"[" + b"1," * 5000 + b"1]", 413, "too_many_fixes"),
    "large": (b"[" + b" " * 3_000_000 + b"]", 413, "body_too_large"),
    "gzip": (b"\x1f\x8b\x08\x00", 400, "not_json"),
}


@pytest.mark.parametrize("name", BAD_BATCHES)
def test_it_answers_a_bad_batch_with_what_is_wrong(api, device, name):
    body, status, code = BAD_BATCHES[name]
    response = api.generic("POST", BATCH, body, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[]", "O lote não contém nenhuma posição."),
        (b'{"positions": 5}', "O corpo deve ser uma lista de posições"),
        (b"{", "O corpo da requisição não é um JSON válido"),
        (
            b'[{"timestamp": "x", "device_id": "a", "latitude": 1, "longitude": 2}]',
            "timestamp não é um horário em ISO 8601",
        ),
        (b"[3]", "Uma posição deve ser um objeto JSON, e não 3."),
        (b'[{"device_id": "a"}]', "timestamp é obrigatório."),
    ],
)
def test_it_says_what_is_wrong_in_the_senders_language(api, device, body, words):
    answer = api.generic("POST", BATCH, body, content_type="application/json", HTTP_ACCEPT_LANGUAGE="pt-BR").json()
    assert words in answer["rejected"][0]["detail"] if "rejected" in answer else words in answer["detail"]


def test_it_bounds_a_body_that_does_not_say_its_length(api, device):
    response = api.generic("POST", BATCH, b"[" + b" " * 3_000_000, content_type="application/json", CONTENT_LENGTH="")
    assert response.status_code in (400, 413)


def test_it_takes_a_batch_in_few_queries(api, device, django_assert_num_queries):
    items = [fix(number) for number in range(500)]
    with django_assert_num_queries(1):
        assert post(api, items).status_code == 202


@pytest.fixture
def store_positions(device):
    """Store so many positions of the last hour; the partitions go with the test's transaction."""
    forget_known_partitions()

    def store(count: int) -> None:
        start = timezone.now() - timedelta(hours=1)
        rows = [
            Position(
                device=device,
                fix_time=start + timedelta(seconds=number),
                received_at=start,
                latitude=-23.5,
                longitude=-46.6,
            )
            for number in range(count)
        ]
        ensure_partitions(row.fix_time for row in rows)
        Position.objects.bulk_create(rows)

    yield store
    forget_known_partitions()


def test_it_lists_positions_of_a_device_page_by_page(api, device, store_positions):
    store_positions(25)
    url, times = f"/api/positions?device={device.pk}&limit=10", []
    while url:
        page = api.get(url).json()
        times += [row["fix_time"] for row in page["results"]]
        url = page["next"]
    assert len(times) == 25
    assert times == sorted(times, reverse=True)


def test_a_range_that_ends_now_is_the_same_one_on_each_page(api, device, store_positions, monkeypatch):
    store_positions(25)
    first = api.get(f"/api/positions?device={device.pk}&limit=10").json()
    later = timezone.now() + timedelta(days=2)
    monkeypatch.setattr("tasks_app.api.positions.timezone.now", lambda: later)
    second = api.get(first["next"]).json()
    assert len(second["results"]) == len(api.get(second["next"]).json()["results"]) + 5 == 10


def test_it_bounds_the_range_of_positions(api, device):
    response = api.get(f"/api/positions?device={device.pk}&from=2026-01-01&to=2026-12-01")
    assert response.status_code == 400
    assert "to" in response.json()["fields"]
    assert api.get(f"/api/positions?device={device.pk}&from=2026-01-02&to=2026-01-01").status_code == 400


def test_it_shows_devices_and_their_state(api, device, run_jobs):
    assert api.get(f"/api/devices/{device.pk}/state").json()["status"] == "unknown"
    post(api, [fix()])
    run_jobs("positions")
    state = api.get(f"/api/devices/{device.pk}/state").json()
    assert (state["latitude"], state["speed_kph"], state["fix_time"]) == (-23.55, 42.0, "2026-03-01T08:00:00Z")
    (shown,) = api.get("/api/devices?unique_id=van-1").json()["results"]
    assert (shown["id"], shown["name"], shown["fleet_id"]) == (device.pk, "Van 1", device.fleet_id)


def test_it_lists_devices_and_events_in_a_bounded_number_of_queries(api, make_device, django_assert_num_queries):
    for _number in range(5):
        Event.objects.create(device=make_device(), kind="overspeed", occurred_at=timezone.now())
    with django_assert_num_queries(1):
        assert len(api.get("/api/devices").json()["results"]) == 5
    with django_assert_num_queries(1):
        assert len(api.get("/api/events").json()["results"]) == 5


def test_it_filters_and_pages_events(api, device):
    timestamp = timezone.now()
    for number in range(5):
        Event.objects.create(device=device, kind="overspeed", occurred_at=timestamp, data={"n": number})
    Event.objects.create(device=device, kind="device_offline", occurred_at=timestamp - timedelta(days=3))
    first = api.get("/api/events?kind=overspeed&limit=3").json()
    second = api.get(first["next"]).json()
    numbers = [row["data"]["n"] for row in first["results"] + second["results"]]
    assert (numbers, second["next"]) == ([4, 3, 2, 1, 0], None)
    until = (timestamp - timedelta(days=1)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert len(api.get(f"/api/events?to={until}").json()["results"]) == 1
    assert json.loads(api.get("/api/events?device=999999").content) == {"next": None, "results": []}
