"""Searching jobs: what each term finds among ended and live ones, and the sentences for what is not understood."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from tasks_app.engine import JobState, get_task
from tasks_app.models import Job
from tasks_app.queries import ended_jobs
from tasks_app.queries.access import SHELL
from tasks_app.queries.job_search import read_time
from tasks_app.queries.jobs import InvalidSearch, JobFilters, count_jobs, list_jobs

pytestmark = pytest.mark.django_db(transaction=True)
NOW = timezone.now()


@pytest.fixture
def make_job():
    def make(**fields) -> Job:
        ended = fields.pop("ended", timedelta())
        usual = {
            "id": uuid4(),
            "task": "generate_device_report",
            "queue": "reports",
            "state": "succeeded",
            "created_at": NOW - ended - timedelta(minutes=1),
            "finished_at": NOW - ended,
        }
        return Job.objects.create(**{**usual, **fields})

    return make


def test_null_is_looked_for_as_any_other_argument(make_job):
    by_name, by_place = make_job(kwargs={"device_id": None}), make_job(args=[None])
    in_list = make_job(task="generate_fleet_report", kwargs={"device_ids": [7, None]})
    make_job(args=[7])
    make_job()
    assert found("args.device_id:null") == {by_name.pk, by_place.pk}
    assert found("args.device_ids:null") == {in_list.pk}


def test_a_requester_is_found_by_the_exact_name_first(make_job, make_user):
    names = ("anna", "Anna", "carla")
    ids = {name: make_job(requested_by_id=make_user(username=name).pk).pk for name in names}
    assert [found(f"by:{name}") for name in (*names, "CARLA")] == [{ids[name]} for name in (*names, "carla")]
    with pytest.raises(InvalidSearch, match="Several users"):
        found("by:ANNA")


def found(search: str, user=SHELL, **filters) -> set:
    return {job.id for job in list_jobs(user=user, filters=JobFilters(search=search, **filters)).jobs}


@pytest.fixture
def jobs(make_job, device, staff) -> dict[str, Job]:
    """One job per kind of term, all of them different."""
    return {
        "kwargs": make_job(kwargs={"device_id": device.pk, "kind": "route"}, requested_by_id=staff.pk),
        "args": make_job(args=[device.pk, "2026-01-01"], worker_host="alpha", worker_pid=77, run_seconds=90),
        "list": make_job(task="generate_fleet_report", kwargs={"device_ids": [device.pk, 10**6]}),
        "batch": make_job(task="process_position_batch", queue="positions", args=[[{"device_id": device.unique_id}]]),
        "failed": make_job(
            task="cleanup_old_events",
            queue="cleanup",
            state="failed",
            error_class="OperationalError",
            error_message="The disk </script> is full 🚚",
            ended=timedelta(days=2),
            schedule_id=3,
        ),
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("", {"kwargs", "args", "list", "batch", "failed"}),
        ("task:generate_device_report", {"kwargs", "args"}),
        ("task:report", {"kwargs", "args", "list"}),
        ("-task:report", {"batch", "failed"}),
        ("task:a_task_of_the_past", set()),
        ("queue:cleanup", {"failed"}),
        ("-queue:reports", {"batch", "failed"}),
        ("state:failed", {"failed"}),
        ("state:FAILURE", {"failed"}),
        ("state:failed state:succeeded", set()),
        ("error:operational", {"failed"}),
        ("error:DISK", {"failed"}),
        ("-error:disk", {"kwargs", "args", "list", "batch"}),
        ("args.kind:route", {"kwargs"}),
        ("-args.kind:route", {"args", "list", "batch", "failed"}),
        ("args.start:2026-01-01", {"args"}),
        ("-args.start:2026-01-01", {"kwargs", "list", "batch", "failed"}),
        ("args.device_ids:1000000", {"list"}),
        ("args.nothing:1", set()),
        ("args.kind:007", set()),  # as texts are that are no numbers in JSON
        ("args.kind:\u0667", set()),
        ('device:"Van 1"', {"kwargs", "args", "list", "batch"}),
        ("device:van-1 task:fleet", {"list"}),
        ("by:staff", {"kwargs"}),
        ("by:STAFF", {"kwargs"}),
        ("by:schedule", {"failed"}),
        ("worker:alpha", {"args"}),
        ("worker:alpha:77", {"args"}),
        ("worker:alpha:78", set()),
        ("longer:1m", {"args"}),
        ("longer:1m31s", set()),
        ("longer:90", {"args"}),
        ("after:1d", {"kwargs", "args", "list", "batch"}),
        ("before:1d", {"failed"}),
        ("-after:1d", {"failed"}),
        ("after:3d before:1d12h", {"failed"}),
        ("after:now", set()),
        ("after:2099-01-01T00:00:00+23:59:59", set()),
        ("full", {"failed"}),
        ("OPERATIONAL", {"failed"}),
        ("</script>", {"failed"}),
        ("🚚", {"failed"}),
        ('"is full"', {"failed"}),
        ('"full is"', set()),
        ("disk full", {"failed"}),
        ("disk -full", set()),
        ("%", set()),
        ("_", {"kwargs", "args", "list", "batch", "failed"}),
        ("שלום", set()),
    ],
)
def test_a_term_finds_the_ended_jobs_it_is_about(jobs, search, names):
    assert {name for name, job in jobs.items() if job.pk in found(search)} == names


def test_an_id_is_found_whole_and_in_part(jobs):
    job = jobs["failed"].pk
    assert found(str(job)) == {job}
    assert job in found(str(job)[:13].upper())


def test_the_same_terms_find_jobs_that_live(device, staff):
    one = get_task("generate_device_report").apply_async([device.pk, "2026-01-01", "2026-01-02"], requested_by=staff)
    two = get_task("process_position_batch").delay([{"device_id": device.unique_id, "note": "śnieg"}])
    for search, expected in {
        'device:"Van 1"': {one, two},
        'device:"Van 1" task:device_report': {one},
        f"args.device_id:{device.pk}": {one},
        f"-args.device_id:{device.pk}": {two},
        "args.start:2026-01-01": {one},
        "by:staff": {one},
        "-by:staff": {two},
        "queue:positions": {two},
        "state:queued": {one, two},
        "state:running": set(),
        "ŚNIEG": {two},
        "after:1h": {one, two},
        "before:1h": set(),
        "longer:1s": set(),
        "error:x": set(),
        str(one)[:8]: {one},
    }.items():
        assert found(search) == expected, search


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("search", "sentence"),
    [
        ("colour:red", "task:, queue:, state:, error:, args.<name>:, device:, by:, worker:, after:, before:, longer:"),
        ("state:dead", "There are: scheduled, queued"),
        ("queue:dead", "There are: positions, reports, cleanup, notifications"),
        ("device:nobody", 'no device "nobody"'),
        ("by:nobody", 'no user "nobody"'),
        ("after:soon", "is no time"),
        ("after:2026-02-30", "is no time"),
        ("after:9999-12-31", "is no time"),
        ("before:0001-01-01T00:00:00+14:00", "is no time"),
        ("longer:forever", "no duration"),
        ('"open', "not closed"),
        ("x" * 10_000, "at most 500 characters"),
    ],
)
def test_what_is_not_understood_is_said_on_every_way_in(page, staff_api, search, sentence):
    with pytest.raises(InvalidSearch) as caught:
        found(search)
    assert sentence in str(caught.value)
    answer = staff_api.get("/api/tasks/", {"search": search})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["search"])
    shown = page.get(reverse("admin:tasks_app_job_changelist"), {"search": search})
    assert shown.status_code == 200
    assert shown.context["filter_form"].errors["search"]
    with pytest.raises(CommandError):
        call_command("jobs", "list", "--search", search)
    answer = staff_api.post("/api/tasks/cancel", {"filter": {"search": search}}, format="json")
    assert answer.status_code == 400


def test_the_api_and_the_shell_search_in_the_same_language(jobs, staff_api, capsys):
    search = 'device:"Van 1" task:fleet'
    ids = [job["task_id"] for job in staff_api.get("/api/tasks/", {"search": search}).json()["results"]]
    assert ids == [str(jobs["list"].pk)]
    call_command("jobs", "list", "--search", search, "--json")
    assert [job["id"] for job in json.loads(capsys.readouterr().out)] == ids


def test_people_find_their_own_jobs_and_nobody_elses(jobs, operator, charlie, device, make_job):
    own = make_job(requested_by_id=operator.pk, args=[device.pk, "2026-01-01", "2026-01-02"])
    assert found("by:me", operator) == {own.pk}
    assert found(f"by:{operator.username}", operator) == {own.pk}
    assert found('device:"Van 1"', operator) == {own.pk}
    for search in ("by:staff", "by:nobody"):
        with pytest.raises(InvalidSearch, match="by:me"):
            found(search, operator)
    # A device of a fleet that is not theirs is as unknown as one that is none.
    with pytest.raises(InvalidSearch, match="no device"):
        found('device:"Van 1"', charlie)
    assert found("", AnonymousUser()) == set()


def test_yesterday_is_the_readers(settings):
    with timezone.override("Asia/Tokyo"):
        today = timezone.localtime().date()
        assert read_time("today").astimezone(UTC) == datetime.combine(today, datetime.min.time(), UTC) - timedelta(
            hours=9
        )
        assert read_time("today") - read_time("yesterday") == timedelta(days=1)


def test_counts_of_the_states_obey_the_search(jobs, device):
    get_task("generate_device_report").delay(device.pk, "2026-01-01", "2026-01-02")
    counts = count_jobs(user=SHELL, filters=JobFilters(search="task:report"))
    numbers = {str(state): count.number for state, count in counts.items() if count.number}
    assert numbers == {"queued": 1, "succeeded": 3}
    counts = count_jobs(user=SHELL, filters=JobFilters(search="error:disk"))
    assert {str(state): count.number for state, count in counts.items() if count.number} == {"failed": 1}


def test_a_page_looks_at_a_bounded_number_of_rows_and_leads_on(make_job, monkeypatch):
    old = make_job(args=["needle"], ended=timedelta(hours=1))
    for number in range(7):
        make_job(ended=timedelta(seconds=number))
    monkeypatch.setattr(ended_jobs, "MAX_ROWS_EXAMINED", 3)
    monkeypatch.setattr(ended_jobs, "MAX_COUNTED", 3)
    cursor, pages, ids = None, 0, []
    while pages == 0 or cursor:
        page = list_jobs(user=SHELL, filters=JobFilters(search="needle"), cursor=cursor)
        ids += [job.id for job in page.jobs]
        cursor, pages = page.next_cursor, pages + 1
        assert pages < 9
    assert (ids, pages > 1) == ([old.pk], True)
    count = count_jobs(user=SHELL, filters=JobFilters(search="needle"))[JobState.SUCCEEDED]
    assert (count.number, count.is_more) == (0, True)
    count = count_jobs(user=SHELL, filters=JobFilters())[JobState.SUCCEEDED]
    assert (count.number, count.is_more) == (3, True)


def test_live_and_ended_jobs_share_the_limit_of_a_page(make_job, device):
    for number in range(6):
        make_job(ended=timedelta(seconds=number))
    made = [get_task("generate_device_report").delay(device.pk, "2026-01-01", "2026-01-02") for _ in range(3)]
    first = list_jobs(user=SHELL, filters=JobFilters(), limit=4)
    assert [job.is_live for job in first.jobs] == [True, True, False, False]
    ended = [job.id for job in first.jobs if not job.is_live]
    second = list_jobs(user=SHELL, filters=JobFilters(), limit=4, cursor=first.next_cursor)
    ended += [job.id for job in second.jobs]
    assert (len(set(ended)), second.next_cursor, len(made)) == (6, None, 3)
