"""Members of a fleet and their roles through the API."""

from __future__ import annotations

import pytest

from tasks_app.models import FleetMembership, FleetRole
from tasks_app.queries.account_rights import AS_STAFF
from tests.support.rights import api_of, give
from tests.support.route_cases import member

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(make_user, fleet):
    return member(make_user, fleet, FleetRole.MANAGER)


def test_a_manager_adds_changes_and_removes_members(manager, fleet, charlie, operator):
    api, path = api_of(manager), f"/api/fleets/{fleet.pk}/members"
    made = api.post(path, {"username": "charlie", "role": "viewer"}, format="json")
    assert (made.status_code, made.json()) == (201, {"user_id": charlie.pk, "username": "charlie", "role": "viewer"})
    assert api_of(charlie).get(f"/api/fleets/{fleet.pk}").status_code == 200
    again = api.post(path, {"user_id": charlie.pk, "role": "manager"}, format="json")
    assert (again.status_code, again.json()["code"]) == (400, "invalid")
    changed = api.patch(f"{path}/{charlie.pk}", {"role": "operator"}, format="json")
    assert changed.json()["role"] == "operator"
    found = {row["username"]: row["role"] for row in api.get(path).json()["results"]}
    assert found == {manager.username: "manager", "charlie": "operator", operator.username: "operator"}
    assert [row["user_id"] for row in api.get(f"{path}?role=manager").json()["results"]] == [manager.pk]
    assert api.delete(f"{path}/{charlie.pk}").status_code == 204
    assert api.get(f"{path}/{charlie.pk}").status_code == 404
    assert api_of(charlie).get(f"/api/fleets/{fleet.pk}").status_code == 404


def test_others_neither_see_nor_change_them(api, fleet, operator, charlie, make_user):
    path = f"/api/fleets/{fleet.pk}/members"
    for method, url, body in (
        ("get", path, None),
        ("post", path, {"user_id": operator.pk, "role": "manager"}),
        ("patch", f"{path}/{operator.pk}", {"role": "manager"}),
        ("delete", f"{path}/{operator.pk}", None),
    ):
        assert getattr(api, method)(url, body, format="json").status_code == 403, method
        assert getattr(api_of(charlie), method)(url, body, format="json").status_code == 404, method
    assert FleetMembership.objects.get().role == FleetRole.OPERATOR
    helper = give(make_user(is_staff=True), "tasks_app.view_fleetmembership")
    assert api_of(helper).get(path).status_code == 200


MEMBERSHIPS = [f"tasks_app.{verb}_fleetmembership" for verb in ("view", "add", "change", "delete")]


def test_staff_give_and_take_no_role_that_they_do_not_have_themselves(manager, fleet, operator, make_user):
    helper = give(make_user(is_staff=True), *MEMBERSHIPS, *AS_STAFF["operator"])
    api, path = api_of(helper), f"/api/fleets/{fleet.pk}/members"
    assert api.patch(f"{path}/{operator.pk}", {"role": "viewer"}, format="json").status_code == 200
    refused = [
        api.post(path, {"user_id": helper.pk, "role": "manager"}, format="json"),
        api.patch(f"{path}/{operator.pk}", {"role": "manager"}, format="json"),
        api.patch(f"{path}/{manager.pk}", {"role": "viewer"}, format="json"),
        api.delete(f"{path}/{manager.pk}"),
    ]
    assert [answer.status_code for answer in refused] == [403] * 4
    assert "do not have" in refused[0].json()["detail"]
    assert api.post(path, {"user_id": helper.pk, "role": "operator"}, format="json").status_code == 201
    assert dict(FleetMembership.objects.values_list("user_id", "role")) == {
        manager.pk: "manager", operator.pk: "viewer", helper.pk: "operator",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": "viewer"}, "non_field_errors"),
        ({"user_id": 1, "username": "x", "role": "viewer"}, "non_field_errors"),
        ({"username": "nobody", "role": "viewer"}, "username"),
        ({"user_id": 999_999, "role": "viewer"}, "user_id"),
        ({"user_id": 10**30, "role": "viewer"}, "user_id"),
        ({"username": "charlie", "role": "king"}, "role"),
        ({"username": "charlie"}, "role"),
    ],
    ids=str,
)
def test_bad_bodies_are_named(manager, fleet, charlie, body, field):
    answer = api_of(manager).post(f"/api/fleets/{fleet.pk}/members", body, format="json")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
