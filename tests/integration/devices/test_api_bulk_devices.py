"""Many devices in one request: all or none, or each that is right."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from tasks_app.api.rows import saved
from tasks_app.models import Device, FleetRole
from tests.support.cluster import allowed
from tests.support.rights import api_of
from tests.support.route_cases import member

pytestmark = pytest.mark.django_db
PATH = "/api/devices/bulk"


@pytest.fixture
def manager(make_user, fleet):
    return api_of(member(make_user, fleet, FleetRole.MANAGER))


def new(fleet, *names: str) -> list[dict]:
    return [{"fleet_id": fleet.pk, "unique_id": name, "name": name} for name in names]


def test_all_are_made(manager, fleet):
    answer = manager.post(PATH, {"devices": new(fleet, "a", "b", "c")}, format="json")
    assert answer.status_code == 201
    assert [row["unique_id"] for row in answer.json()["results"]] == ["a", "b", "c"]
    assert answer.json()["errors"] == []


def test_one_wrong_device_keeps_all_from_being_made_and_is_named_by_its_place(manager, fleet, device, foreign):
    items = [
        *new(fleet, "a", device.unique_id),
        {"fleet_id": foreign.fleet_id, "unique_id": "x", "name": "X"},
        {"colour": 1},
    ]
    answer = manager.post(PATH, {"devices": items}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "bulk_invalid")
    found = {error["index"]: (error["code"], sorted(error["fields"])) for error in answer.json()["errors"]}
    assert found == {1: ("invalid", ["unique_id"]), 2: ("not_found", []), 3: ("invalid", ["colour"])}
    assert not Device.objects.filter(unique_id="a").exists()


def test_with_each_those_that_are_right_are_made(manager, fleet):
    answer = manager.post(PATH, {"store": "each", "devices": new(fleet, "a", "", "a", "b")}, format="json")
    assert answer.status_code == 201
    assert [row["unique_id"] for row in answer.json()["results"]] == ["a", "b"]
    assert [error["index"] for error in answer.json()["errors"]] == [1, 2]


def test_devices_are_changed_by_their_numbers(manager, make_device, foreign):
    first, second = make_device(), make_device()
    items = [{"id": first.pk, "name": "One"}, {"id": second.pk, "speed_limit_kph": 80}]
    answer = manager.patch(PATH, {"devices": items}, format="json")
    assert (answer.status_code, [row["id"] for row in answer.json()["results"]]) == (200, [first.pk, second.pk])
    second.refresh_from_db()
    assert second.speed_limit_kph == 80
    wrong = [{"id": first.pk, "name": "Two"}, {"id": foreign.pk, "name": "Mine"}, {"name": "No number"}]
    answer = manager.patch(PATH, {"devices": wrong, "store": "each"}, format="json")
    assert [(error["index"], error["code"]) for error in answer.json()["errors"]] == [(1, "not_found"), (2, "invalid")]
    first.refresh_from_db()
    assert first.name == "Two"


def test_devices_move_only_into_fleets_one_manages(manager, device, foreign):
    answer = manager.patch(PATH, {"devices": [{"id": device.pk, "fleet_id": foreign.fleet_id}]}, format="json")
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"devices": []}, {"devices": [{}] * 501}, {"devices": {}}, {"devices": ["x"]}], ids=str
)
def test_bad_bodies_are_refused(manager, body):
    answer = manager.post(PATH, body, format="json")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["devices"])


@pytest.mark.django_db(transaction=True)
def test_two_requests_that_lock_each_other_out_are_both_stored(manager, make_device, monkeypatch):
    one, two = make_device(), make_device()
    both_hold_one = threading.Barrier(2, timeout=allowed(20))
    calls, answers = threading.local(), []

    def saved_and_met(device, values):
        stored = saved(device, values)
        calls.count = getattr(calls, "count", 0) + 1
        if calls.count == 1:
            both_hold_one.wait()
        return stored

    def change(name, *devices):
        items = [{"id": device.pk, name: 80} for device in devices]
        try:
            answers.append(manager.patch(PATH, {"devices": items}, format="json").status_code)
        finally:
            connection.close()

    monkeypatch.setattr("tasks_app.api.devices.bulk.saved", saved_and_met)
    threads = [
        threading.Thread(target=change, args=("speed_limit_kph", one, two)),
        threading.Thread(target=change, args=("offline_after_minutes", two, one)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=allowed(60))
    assert answers == [200, 200]
    stored = set(Device.objects.filter(pk__in=[one.pk, two.pk]).values_list("speed_limit_kph", "offline_after_minutes"))
    assert stored == {(80, 80)}
