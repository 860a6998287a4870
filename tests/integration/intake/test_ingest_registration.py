"""Unknown devices join by themselves where the settings say so, but not more of them in an hour than the settings say."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tasks_app.models import Device, Fleet, QuarantinedFix
from tasks_app.services.intake import registration
from tasks_app.services.intake.registration import TooManyNewDevices, register_unknown
from tests.support.ingest import (
    OSMAND,
    POSITIONS,
    TOKEN,
    TRACCAR,
    client_9,
    drain_buffers,
    forwarded_position,
    parameters,
    position,
    problem,
    send_json,
    send_query,
)
from tests.support.threads import in_threads

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def join(settings, fleet) -> Fleet:
    settings.INGEST_REGISTER_UNKNOWN = fleet.name
    settings.INGEST_REGISTER_PER_ADDRESS_PER_HOUR, settings.INGEST_REGISTER_PER_HOUR = 3, 5
    return fleet


def query(name: str, address: str) -> Any:
    return Client(REMOTE_ADDR=address).get(OSMAND, parameters(id=name))


WAYS: dict[str, Callable[[str], Any]] = {
    "query": lambda name: send_query(id=name),
    "client 9": lambda name: send_json(OSMAND, {**client_9(), "device_id": name}),
    "gateway": lambda name: send_json(POSITIONS, position(device_id=name)),
    "owntracks": lambda name: send_json(
        "/ingest/owntracks",
        {"_type": "location", "tst": 1772352000, "lat": 1.5, "lon": 2.5, "topic": f"owntracks/u/{name}"},
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_an_address_brings_only_so_many_new_devices_in_an_hour(name, unsigned):
    answers = [WAYS[name](f"phone-{number}") for number in range(5)]
    assert [answer.status_code in (200, 202) for answer in answers] == [True] * 3 + [False] * 2
    for answer in answers[3:]:
        problem(answer, 429, "too_many_new_devices")
        assert 0 < int(answer["Retry-After"]) <= 3600
    assert Device.objects.count() == 3
    # Those who joined go on.
    assert WAYS[name]("phone-0").status_code in (200, 202)


def test_all_addresses_together_bring_only_so_many(unsigned):
    answers = [query(f"phone-{number}", f"198.51.100.{number}") for number in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert Device.objects.count() == 5


def test_refused_ones_do_not_use_up_what_all_may_bring(unsigned):
    for number in range(10):
        query(f"phone-{number}", "198.51.100.1")
    assert query("other-1", "198.51.100.2").status_code == 200
    assert query("other-2", "198.51.100.2").status_code == 200
    assert query("other-3", "198.51.100.2").status_code == 429


def test_a_server_with_a_token_is_held_to_the_limit_of_all_only(server):
    answers = [send_json(TRACCAR, forwarded_position(f"truck-{number}"), TOKEN) for number in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    row = QuarantinedFix.objects.get()
    assert (row.unique_id, row.code, row.source) == ("truck-5", "too_many_new_devices", "traccar")


def test_the_next_hour_begins_anew(unsigned, monkeypatch):
    for number in range(4):
        query(f"phone-{number}", "198.51.100.1")
    real = registration.time.time
    monkeypatch.setattr(registration.time, "time", lambda: real() + registration.WINDOW_SECONDS)
    assert query("phone-9", "198.51.100.1").status_code == 200


def test_known_devices_are_not_counted(unsigned, make_device):
    make_device(unique_id="phone-0")
    for _ in range(10):
        assert send_query(id="phone-0").status_code == 200
    assert send_query(id="phone-1").status_code == 200


def test_a_sign_of_life_registers_nobody(unsigned):
    problem(Client().get(OSMAND, {"id": "phone-1"}), 400, "unknown_device")
    assert not Device.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_at_once_do_not_get_past_the_limits(settings, fleet):
    settings.INGEST_REGISTER_PER_ADDRESS_PER_HOUR = settings.INGEST_REGISTER_PER_HOUR = 4
    outcomes: list[object] = []
    barrier = threading.Barrier(8)

    def join_as(name: str) -> None:
        barrier.wait(10)
        try:
            outcomes.append(register_unknown(unique_id=name, address="198.51.100.1"))
        except TooManyNewDevices as error:
            outcomes.append(error)

    in_threads(*(lambda name=f"phone-{number}": join_as(name) for number in range(8)))
    assert Device.objects.count() == 4
    assert sum(isinstance(one, TooManyNewDevices) for one in outcomes) == 4


@pytest.mark.django_db(transaction=True)
def test_many_at_once_do_not_overfill_the_fleet(settings, fleet):
    settings.INGEST_REGISTER_PER_ADDRESS_PER_HOUR = settings.INGEST_REGISTER_PER_HOUR = 100
    settings.INGEST_REGISTER_MAX_DEVICES = 3
    barrier = threading.Barrier(8)

    def join_as(name: str) -> None:
        barrier.wait(10)
        register_unknown(unique_id=name, address="198.51.100.1")

    in_threads(*(lambda name=f"phone-{number}": join_as(name) for number in range(8)))
    assert Device.objects.count() == 3


def test_the_same_device_twice_at_once_is_one(unsigned):
    send_query(id="phone-1")
    assert register_unknown(unique_id="phone-1", address="198.51.100.9") == Device.objects.get()
    assert drain_buffers()["stored"] == 1
