"""Device keys through the API: made, replaced, revoked; each shown once."""

from __future__ import annotations

import pytest

from tasks_app.models import AuditEntry, Device, FleetRole
from tests.support.ingest import POSITIONS, position, send_json
from tests.support.rights import api_of
from tests.support.route_cases import member

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(make_user, fleet):
    return api_of(member(make_user, fleet, FleetRole.MANAGER))


def sends(key: str) -> int:
    return send_json(POSITIONS, position(), key).status_code


def test_a_key_lets_the_device_send_until_it_is_replaced_or_revoked(manager, device):
    path = f"/api/devices/{device.pk}/key"
    assert manager.get(path).json() == {"device_id": device.pk, "has_key": False}
    made = manager.post(path)
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    first = made.json()["key"]
    assert sends(first) == 202
    again = manager.post(path)
    assert (again.status_code, again.json()["code"], again.json()["state"]) == (409, "key_exists", "has_key")
    second = manager.post(f"{path}/rotate").json()["key"]
    assert (sends(first), sends(second)) == (401, 202)
    assert manager.delete(path).status_code == 204
    assert manager.delete(path).status_code == 204
    assert sends(second) == 401
    assert manager.get(path).json()["has_key"] is False
    verbs = list(AuditEntry.objects.filter(object_id=device.pk).order_by("pk").values_list("verb", flat=True))
    assert verbs == ["device_key", "device_key", "revoke_device_key"]


def test_no_key_stands_in_the_database_or_in_another_answer(manager, device):
    key = manager.post(f"/api/devices/{device.pk}/key").json()["key"]
    assert key not in str(list(Device.objects.values())) + str(list(AuditEntry.objects.values()))
    assert key not in manager.get(f"/api/devices/{device.pk}").content.decode()


def test_under_an_idempotency_key_a_lost_answer_is_given_again(manager, device):
    headers = {"Idempotency-Key": "lost-answer"}
    answers = [manager.post(f"/api/devices/{device.pk}/key/rotate", headers=headers) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert answers[1].headers["Cache-Control"] == "no-store"
    assert sends(answers[1].json()["key"]) == 202


def test_only_managers_make_keys(api, device, charlie):
    path = f"/api/devices/{device.pk}/key"
    assert [api.post(path).status_code, api.post(f"{path}/rotate").status_code, api.delete(path).status_code] == [
        403
    ] * 3
    assert api_of(charlie).get(path).status_code == 404
