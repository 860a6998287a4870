"""Lists of the API: one rule for filters, order, pages and fields of rows, the same everywhere."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from tasks_app.models import Device, DeviceState, Job
from tasks_app.services.jobs import start_task
from tests.support.rights import api_of
from tests.support.route_cases import address, make_world, operations

pytestmark = pytest.mark.django_db
# Short answers about what runs now, and one's own few destinations: not pages of rows.
NO_PAGES = {
    "/api/auth/tokens",
    "/api/auth/sessions",
    "/api/tasks/queues",
    "/api/tasks/workers",
    "/api/devices/nearest",
    "/api/notifications/recent",
}


def list_routes(world, client) -> list[str]:
    """The addresses of lists, each with the parameters that it needs."""
    found = []
    for method, route, _view in operations():
        if method == "GET" and route not in NO_PAGES and route.startswith("/api/"):
            url = address(route, world)
            answer = client.get(url)
            if answer.headers["Content-Type"] == "application/json" and "next" in (answer.json() or {}):
                found.append(url if "?" in url else f"{url}?")
    return found


@pytest.fixture
def world(fleet, operator):
    return make_world(fleet, operator)


def test_every_list_has_one_rule_for_parameters(world, staff):
    client = api_of(staff)
    routes = list_routes(world, client)
    assert len(routes) >= 13, routes
    for route in routes:
        for query, name in (
            ("&colour=red", "colour"),
            ("&ordering=colour", "ordering"),
            ("&ordering=", "ordering"),
            ("&fields=colour", "fields"),
            ("&fields=", "fields"),
            ("&limit=0", "limit"),
            ("&limit=1&limit=2", "limit"),
            ("&cursor=!", "cursor"),
        ):
            answer = client.get(route + query)
            assert (answer.status_code, answer.json().get("code")) == (400, "invalid"), (
                f"{route}{query}: {answer.json()}"
            )
            assert list(answer.json()["fields"]) == [name], f"{route}{query}: {answer.json()}"


# Values of columns in cursors that no list gave; the last kind is that of ended jobs.
FORGED = (
    "[5, 1]",
    '[1, "2026-01-01T00:00:00Z"]',
    '["9999-12-31T23:59:59-23:00", 1]',
    '["0001-01-01T00:00:00+23:00"]',
    f"0001-01-01T00:00:00+23:00|{UUID(int=1)}",
    f"2026-01-01|{UUID(int=1)}",
)


def forged_cursors(ordering: str) -> list[str]:
    texts = [text.replace("[", f'["{ordering}", ') if text[0] == "[" else f"{ordering}|{text}" for text in FORGED]
    return [urlsafe_b64encode(text.encode()).decode() for text in (texts if ordering else FORGED)]


def test_a_forged_cursor_is_refused_by_every_list(world, staff):
    client = api_of(staff)
    routes = [*list_routes(world, client), "/api/devices?ordering=-created_at", "/api/tasks?ordering=created_at"]
    for route in routes:
        ordering = route.partition("ordering=")[2]
        for cursor in forged_cursors(ordering):
            answer = client.get(f"{route}&cursor={cursor}")
            assert (answer.status_code, list(answer.json()["fields"])) == (400, ["cursor"]), (route, cursor)


def test_every_filter_refuses_what_cannot_be_right_by_its_name(world, staff):
    client = api_of(staff)
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    tried = 0
    for url in list_routes(world, client):
        path, _, needed = url.partition("?")
        template = re.sub(r"/\d+", "/{id}", path)
        described = next(one for name, one in paths.items() if re.sub(r"{\w+}", "{id}", name) == template)
        for parameter in described["get"]["parameters"]:
            schema, name = parameter["schema"], parameter["name"]
            if parameter["in"] != "query" or not (schema["type"] in ("integer", "boolean") or "enum" in schema):
                continue
            answer = client.get(f"{path}?{name}=nonsense" + (f"&{needed}" if needed else ""))
            assert answer.status_code == 400, f"{path} {name}: {answer.content}"
            assert name in answer.json()["fields"], f"{path} {name}: {answer.json()}"
            tried += 1
    assert tried > 40


def names(client, query: str) -> list[str]:
    """The names on all pages, two rows to a page."""
    found: list[str] = []
    url = f"/api/devices?limit=2&{query}"
    while url:
        answer = client.get(url).json()
        found += [row["name"] for row in answer["results"]]
        url = answer["next"]
    return found


def test_pages_follow_the_order_in_both_directions(fleet, api):
    for name in ("Bravo", "Alpha", "Alpha", "Delta", "Charlie"):
        Device.objects.create(fleet=fleet, unique_id=uuid4().hex, name=name)
    ascending = ["Alpha", "Alpha", "Bravo", "Charlie", "Delta"]
    assert names(api, "ordering=name") == ascending
    assert names(api, "ordering=-name") == ascending[::-1]
    assert names(api, "ordering=id") == ["Bravo", "Alpha", "Alpha", "Delta", "Charlie"]
    assert names(api, "") == names(api, "ordering=-id") == ["Bravo", "Alpha", "Alpha", "Delta", "Charlie"][::-1]


def test_a_cursor_belongs_to_its_order(fleet, api):
    for name in ("B", "A", "C"):
        Device.objects.create(fleet=fleet, unique_id=name, name=name)
    cursor = api.get("/api/devices?limit=1&ordering=name").json()["next"].partition("cursor=")[2].partition("&")[0]
    assert api.get(f"/api/devices?ordering=name&cursor={cursor}").status_code == 200
    for other in ("ordering=-name", "ordering=id", "limit=1"):
        answer = api.get(f"/api/devices?{other}&cursor={cursor}")
        assert list(answer.json()["fields"]) == ["cursor"], other


def test_devices_are_found_by_fleet_part_of_a_name_and_status(fleet, device, api, foreign):
    DeviceState.objects.create(device=device, status="online")
    other = Device.objects.create(fleet=fleet, unique_id="truck", name="Truck 9")
    found = {
        query: [row["id"] for row in api.get(f"/api/devices?{query}").json()["results"]]
        for query in (
            "name=tRUCK",
            "status=online",
            f"fleet={fleet.pk}",
            f"fleet={foreign.fleet_id}",
            "unique_id=truck",
        )
    }
    assert list(found.values()) == [[other.pk], [device.pk], [other.pk, device.pk], [], [other.pk]]


def test_only_the_fields_asked_for_are_answered(device, api):
    page = api.get("/api/devices?fields=id,name").json()
    assert page["results"] == [{"id": device.pk, "name": "Van 1"}]
    assert api.get(f"/api/devices/{device.pk}?fields=unique_id").json() == {"unique_id": "van-1"}
    wrong = api.get(f"/api/devices/{device.pk}?fields=id,colour").json()
    assert list(wrong["fields"]) == ["fields"]
    assert "colour" in wrong["fields"]["fields"][0]


def ended(**fields) -> Job:
    now = timezone.now()
    return Job.objects.create(
        **{
            "id": uuid4(),
            "task": "cleanup_cache",
            "queue": "cleanup",
            "state": "succeeded",
            "finished_at": now,
            **fields,
        }
    )


def test_jobs_are_sorted_by_when_they_were_made_or_ended(staff_api):
    now = timezone.now()
    slow = ended(created_at=now - timedelta(minutes=9), finished_at=now)
    quick = ended(created_at=now - timedelta(minutes=5), finished_at=now - timedelta(minutes=4))
    first = ended(created_at=now - timedelta(minutes=7), finished_at=now - timedelta(minutes=6))

    def ids(query: str) -> list[str]:
        found, url = [], f"/api/tasks/?limit=1&{query}"
        while url:
            answer = staff_api.get(url).json()
            found += [row["task_id"] for row in answer["results"]]
            url = answer["next"]
        return found

    by_creation = [str(job.pk) for job in (slow, first, quick)]
    by_end = [str(job.pk) for job in (first, quick, slow)]
    assert ids("ordering=created_at") == by_creation
    assert ids("ordering=-created_at") == by_creation[::-1]
    assert ids("ordering=finished_at") == by_end
    assert ids("ordering=-finished_at") == ids("") == by_end[::-1]
    assert ids("ordering=created_at&task=cleanup_cache&state=succeeded") == by_creation


def test_live_jobs_come_after_the_ended_ones_in_an_ascending_order(staff_api, staff):
    job = ended(created_at=timezone.now())
    live = start_task(task_name="cleanup_cache", user=staff)
    ids = [row["task_id"] for row in staff_api.get("/api/tasks/?ordering=created_at").json()["results"]]
    assert ids == [str(job.pk), str(live)]
    ids = [row["task_id"] for row in staff_api.get("/api/tasks/?ordering=-created_at&fields=task_id").json()["results"]]
    assert ids == [str(live), str(job.pk)]


def test_jobs_of_a_live_state_and_of_a_group_have_their_own_order(staff_api):
    for query in ("state=queued", f"parent_id={uuid4()}"):
        answer = staff_api.get(f"/api/tasks/?ordering=-created_at&{query}")
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["ordering"])
