"""A POST with an Idempotency-Key makes what it makes once, whatever happens between."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from knox.models import AuthToken
from rest_framework.test import APIClient

from notifications_app.models import Destination
from reports_app.models import Report
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client as queues
from tasks_app.engine.live import list_live_jobs
from tasks_app.models import BulkAction, Device, Fleet, IdempotentRequest, Job, JobAction, PositionUpload
from tasks_app.services import idempotency
from tasks_app.services.cleanup.sessions import remove_expired_sessions
from tests.support.rights import api_of

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


def send(api, path: str, body=None, key: str = KEY, **more):
    return api.post(path, {} if body is None else body, format="json", headers={"Idempotency-Key": key}, **more)


def live_jobs() -> list[str]:
    return [str(job.job_id) for job in list_live_jobs(queues(), list(engine_config().queues))]


def test_the_second_request_gets_the_answer_of_the_first_and_makes_nothing(staff_api):
    first = send(staff_api, "/api/fleets", {"name": "South"})
    again = send(staff_api, "/api/fleets", {"name": "South"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert Fleet.objects.filter(name="South").count() == 1


def test_a_job_is_made_once_and_its_address_is_answered_again(staff_api):
    first, again = [send(staff_api, "/api/tasks/cleanup/cache") for _ in range(2)]
    assert first.json() == again.json()
    assert first.headers["Location"] == again.headers["Location"]
    assert live_jobs() == [first.json()["task_id"]]
    assert JobAction.objects.count() == 1


def test_the_key_serves_no_other_body_or_address(staff_api):
    send(staff_api, "/api/fleets", {"name": "South"})
    others = [send(staff_api, "/api/fleets", {"name": "North"}), send(staff_api, "/api/tasks/cleanup/cache")]
    assert [(one.status_code, one.json()["code"]) for one in others] == [(409, "idempotency_key_reused")] * 2
    assert Fleet.objects.count() == 1
    assert live_jobs() == []


def test_the_spelling_with_a_slash_is_the_same_address(staff_api):
    send(staff_api, "/api/fleets", {"name": "South"})
    assert send(staff_api, "/api/fleets/", {"name": "South"}, follow=True).headers["Idempotency-Replayed"] == "true"


def test_keys_are_each_persons_own(staff_api, make_user):
    send(staff_api, "/api/fleets", {"name": "South"})
    other = api_of(make_user(is_staff=True, is_superuser=True))
    assert send(other, "/api/fleets", {"name": "North"}).status_code == 201
    assert IdempotentRequest.objects.count() == 2


@pytest.mark.parametrize(
    "key", ["", " ", "a b", "x" * 256, "x" * 10_240, "schl\u00fcssel", "a\tb", "a\x00b", "\u0000", "\x7f"], ids=repr
)
def test_an_improper_key_is_refused_by_its_name(staff_api, key):
    answer = send(staff_api, "/api/fleets", {"name": "South"}, key=key)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["Idempotency-Key"])
    assert not Fleet.objects.exists()
    assert not IdempotentRequest.objects.exists()


def test_a_refused_request_may_be_mended_and_sent_under_its_key(staff_api, fleet):
    refused = send(staff_api, "/api/devices", {"fleet_id": fleet.pk, "unique_id": ""})
    assert refused.status_code == 400
    mended = send(staff_api, "/api/devices", {"fleet_id": fleet.pk, "unique_id": "v-1", "name": "Van"})
    assert mended.status_code == 201


def test_a_request_without_rights_leaves_nothing(api, fleet):
    assert send(api, "/api/devices", {"fleet_id": fleet.pk, "unique_id": "v-1", "name": "V"}).status_code == 403
    assert not IdempotentRequest.objects.exists()


def test_after_a_day_the_key_is_new(staff_api):
    first = send(staff_api, "/api/tasks/cleanup/cache")
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=25))
    later = send(staff_api, "/api/tasks/cleanup/cache")
    assert later.json()["task_id"] != first.json()["task_id"]
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert remove_expired_sessions(now=timezone.now())["idempotency_keys"] == 1


def test_of_many_requests_at_once_one_makes_something(staff):
    def one(_number: int):
        try:
            return send(api_of(staff), "/api/tasks/cleanup/cache")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(16)))
    made = {answer.json()["task_id"] for answer in answers if answer.status_code == 202}
    assert live_jobs() == list(made)
    waiting = [answer for answer in answers if answer.status_code != 202]
    assert {(one.status_code, one.json()["code"], one.headers["Retry-After"]) for one in waiting} <= {
        (409, "idempotency_in_progress", "1")
    }
    assert JobAction.objects.count() == 1


def test_a_request_that_comes_while_the_first_is_worked_on_has_to_wait(staff, monkeypatch):
    inner = []
    keep = idempotency.keep

    def ask_meanwhile(*args) -> None:
        with ThreadPoolExecutor(1) as pool:
            inner.append(
                pool.submit(lambda: (send(api_of(staff), "/api/fleets", {"name": "S"}), connections.close_all())[0])
            )
        keep(*args)

    monkeypatch.setattr("tasks_app.api.idempotency.keep", ask_meanwhile)
    assert send(api_of(staff), "/api/fleets", {"name": "S"}).status_code == 201
    answer = inner[0].result()
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")
    assert answer.headers["Retry-After"] == "1"


class Died(BaseException):
    """The process ends here."""


def die(*_args) -> None:
    raise Died


def test_rows_of_a_process_that_died_half_way_are_made_by_the_next_request(staff_api, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("tasks_app.api.idempotency.keep", die)
        with pytest.raises(Died):
            send(staff_api, "/api/fleets", {"name": "South"})
    assert not Fleet.objects.exists()
    assert send(staff_api, "/api/fleets", {"name": "South"}).status_code == 201
    assert Fleet.objects.count() == 1


def test_a_job_that_was_accepted_before_the_process_died_is_the_one_that_is_answered(staff_api, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("tasks_app.api.idempotency.keep", die)
        with pytest.raises(Died):
            send(staff_api, "/api/tasks/cleanup/cache")
    (accepted,) = live_jobs()
    again = send(staff_api, "/api/tasks/cleanup/cache")
    assert (again.status_code, again.json()["task_id"]) == (202, accepted)
    assert live_jobs() == [accepted]


def test_it_is_not_run_again_when_it_has_ended_meanwhile(staff_api, monkeypatch, run_jobs):
    with monkeypatch.context() as patched:
        patched.setattr("tasks_app.api.idempotency.keep", die)
        with pytest.raises(Died):
            send(staff_api, "/api/tasks/cleanup/cache")
    run_jobs()
    ended = Job.objects.get()
    again = send(staff_api, "/api/tasks/cleanup/cache")
    run_jobs()
    assert again.json()["task_id"] == str(ended.pk)
    assert Job.objects.get().finished_at == ended.finished_at


def test_a_batch_of_positions_of_many_lanes_is_accepted_once(staff_api, make_device, monkeypatch):
    devices = [make_device() for _ in range(12)]
    now = timezone.now().isoformat()
    batch = [{"device_id": one.unique_id, "timestamp": now, "latitude": 1.0, "longitude": 2.0} for one in devices]
    with monkeypatch.context() as patched:
        patched.setattr("tasks_app.api.idempotency.keep", die)
        with pytest.raises(Died):
            send(staff_api, "/api/tasks/position/process-batch", batch)
    accepted = live_jobs()
    first, again = [send(staff_api, "/api/tasks/position/process-batch", batch) for _ in range(2)]
    assert first.json() == again.json()
    assert first.json()["task_id"] in accepted
    assert sorted(live_jobs()) == sorted(accepted)


def test_reports_bulk_actions_and_imports_are_asked_for_once(staff_api, device, media):
    body = {"device_id": device.pk, "start": "2026-01-01", "end": "2026-01-02", "fresh": True}
    assert len({send(staff_api, "/api/tasks/report/device", body, key="report").content for _ in range(2)}) == 1
    bulk = {"filter": {"state": "queued"}}
    assert len({send(staff_api, "/api/tasks/cancel", bulk, key="bulk").content for _ in range(2)}) == 1
    uploads = [
        staff_api.post(
            "/api/positions/import",
            {"file": SimpleUploadedFile("a.csv", b"device_id,timestamp,latitude,longitude\n")},
            headers={"Idempotency-Key": "file"},
        )
        for _ in range(2)
    ]
    assert uploads[0].content == uploads[1].content
    assert uploads[1].headers["Idempotency-Replayed"] == "true"
    assert [model.objects.count() for model in (Report, BulkAction, PositionUpload)] == [1, 1, 1]
    assert len(live_jobs()) == 3


def test_a_secret_in_an_answer_is_given_again_and_stands_nowhere_in_the_table(api):
    body = {"kind": "webhook", "name": "Mine", "url": "https://hooks.example.org/x"}
    first, again = [send(api, "/api/destinations", body) for _ in range(2)]
    secret = first.json()["signing_secret"]
    assert again.json()["signing_secret"] == secret
    row = IdempotentRequest.objects.get()
    assert secret.encode() not in bytes(row.answer)
    assert KEY not in json.dumps([row.key_hash, row.fingerprint])
    assert Destination.objects.count() == 1


def test_an_api_token_is_made_once(operator):
    browser = APIClient()
    browser.force_login(operator, backend="django.contrib.auth.backends.ModelBackend")
    first, again = [send(browser, "/api/auth/tokens", {"name": "lost"}) for _ in range(2)]
    assert (first.status_code, again.content) == (200, first.content)
    assert (again.headers["Idempotency-Replayed"], again.headers["Cache-Control"]) == ("true", "no-store")
    assert AuthToken.objects.filter(user=operator).count() == 1


def test_an_answer_under_a_former_secret_key_is_read_while_that_is_a_fallback(staff_api, settings):
    first = send(staff_api, "/api/fleets", {"name": "South"})
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another" * 10
    assert send(staff_api, "/api/fleets", {"name": "South"}).content == first.content
    settings.SECRET_KEY_FALLBACKS = []
    lost = send(staff_api, "/api/fleets", {"name": "South"})
    assert (lost.status_code, lost.json()["code"]) == (409, "idempotency_answer_lost")
    assert Device.objects.count() == 0


def test_every_post_that_makes_something_says_so_in_the_schema():
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    silent = [
        path
        for path, methods in paths.items()
        if (post := methods.get("post"))
        and {"201", "202"} & post["responses"].keys()
        and not path.startswith("/ingest/")
        if not any(one["name"] == "Idempotency-Key" for one in post.get("parameters", []))
    ]
    assert silent == []
