"""The list of jobs in the admin: filters, saved views, columns and marks by state, folding, completion."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tasks_app.admin.jobs.columns import RowFacts, mark_of
from tasks_app.engine import JobState, get_task
from tasks_app.models import Job, SavedJobView
from tasks_app.queries.job_views import JobView
from tasks_app.services.jobs import cancel_job

pytestmark = pytest.mark.django_db
JOBS = "admin:tasks_app_job_changelist"


def make_job(**fields) -> Job:
    usual = {"id": uuid4(), "task": "cleanup_cache", "queue": "cleanup", "state": "succeeded", "run_seconds": 5}
    return Job.objects.create(**{**usual, "created_at": timezone.now(), "finished_at": timezone.now(), **fields})


def viewer_of(make_user) -> Client:
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_job"))
    client = Client()
    client.force_login(user)
    return client


def rows(page: Client, **query) -> list:
    return page.get(reverse(JOBS), query).context["rows"]


def test_it_filters_by_time_requester_worker_and_duration(page, staff):
    old = make_job(finished_at=timezone.now() - timedelta(days=3), worker_host="alpha", run_seconds=90)
    own = make_job(requested_by_id=staff.pk)
    for query, expected in [
        ({"before": "1d"}, {old.pk}),
        ({"after": "yesterday"}, {own.pk}),
        ({"by": "me"}, {own.pk}),
        ({"worker": "alpha"}, {old.pk}),
        ({"longer": "1m"}, {old.pk}),
        ({"longer": "1m", "by": "me"}, set()),
    ]:
        assert {row.job.id for row in rows(page, **query)} == expected, query


@pytest.mark.parametrize("name", ["by", "worker", "after", "before", "longer"])
@pytest.mark.parametrize("value", ["x" * 10_000, "</script>", "🚚", "שלום", '"', "\x00", "-" * 40])
def test_nonsense_in_a_filter_is_said_beside_it_or_finds_nothing(page, name, value):
    answer = page.get(reverse(JOBS), {name: value})
    assert answer.status_code == 200
    assert answer.context["filter_form"].errors or answer.context["rows"] == []
    assert "</script></" not in answer.content.decode().replace("</script></body>", "")


def test_an_action_on_all_that_match_means_none_where_a_filter_is_not_understood(page):
    make_job(state="failed")
    asked = page.get(reverse("admin:tasks_app_job_bulk", args=["retry"]), {"queue": "cleanup", "search": "colour:red"})
    assert asked.context["job_ids"] == ""
    answer = page.get(reverse("admin:tasks_app_job_export", args=["csv"]), {"search": "colour:red"})
    assert answer.status_code == 302


def test_a_view_is_saved_under_a_name_opened_and_removed(page, staff, make_user):
    page.post(
        reverse("admin:tasks_app_job_save_view"),
        {"query": "state=failed&search=longer%3A5s&colour=red", "view-name": "Slow", "view-is_shared": "on"},
    )
    view = SavedJobView.objects.get()
    assert (view.user, view.name, view.query, view.is_shared) == (
        staff,
        "Slow",
        "state=failed&search=longer%3A5s",
        True,
    )
    other = viewer_of(make_user)
    (shown,) = other.get(reverse(JOBS) + "?" + view.query).context["saved_views"]
    assert (shown.name, shown.shared_by, shown.is_active, shown.is_own) == ("Slow", "staff", True, False)
    remove = reverse("admin:tasks_app_job_remove_view", args=[view.pk])
    assert other.post(remove).status_code == 404
    assert page.get(remove).status_code == 403
    assert page.post(remove).status_code == 302
    assert not SavedJobView.objects.exists()


def test_a_view_of_ones_own_is_nobody_elses_and_has_a_name(page, make_user):
    save = reverse("admin:tasks_app_job_save_view")
    page.post(save, {"query": "state=failed", "view-name": "Mine"})
    page.post(save, {"query": "state=queued", "view-name": "Mine"})
    assert [view.query for view in SavedJobView.objects.all()] == ["state=queued"]
    assert viewer_of(make_user).get(reverse(JOBS)).context["saved_views"] == []
    answer = page.post(save, {"query": "state=failed", "view-name": ""}, follow=True)
    assert "This field is required" in answer.content.decode()
    assert SavedJobView.objects.count() == 1


def test_a_view_is_kept_whole_or_refused(page, staff):
    save = reverse("admin:tasks_app_job_save_view")
    query = urlencode({"search": "🚚" * 200, "queue": "cleanup"})
    answer = page.post(save, {"query": query, "view-name": "Vans"}, follow=True)
    assert "too long to be kept" in answer.content.decode()
    assert not SavedJobView.objects.exists()


def test_ones_own_views_are_shown_however_many_others_share(page, staff, make_user):
    other = make_user(is_staff=True)
    SavedJobView.objects.bulk_create(
        SavedJobView(user=other, name=f"A {number}", query="state=failed", is_shared=True) for number in range(40)
    )
    SavedJobView.objects.bulk_create(
        SavedJobView(user=staff, name=f"B {number:02}", query="state=failed") for number in range(30)
    )
    shown = [view.name for view in page.get(reverse(JOBS)).context["saved_views"] if view.is_own]
    assert shown == [f"B {number:02}" for number in range(30)]
    save = reverse("admin:tasks_app_job_save_view")
    answer = page.post(save, {"query": "state=queued", "view-name": "One more"}, follow=True)
    assert "remove one first" in answer.content.decode()
    page.post(save, {"query": "state=queued", "view-name": "B 07"})
    assert SavedJobView.objects.get(user=staff, name="B 07").query == "state=queued"


@pytest.mark.parametrize(
    ("name", "part", "expected"),
    [
        ("task", "device_rep", ["generate_device_report"]),
        ("state", "can", ["cancelled"]),
        ("queue", "rep", ["reports"]),
        ("device", "van", ["Van 1"]),
        ("by", "sta", ["staff"]),
        ("args.", "device_id", ["device_id", "device_ids"]),
        ("error", "oper", ["OperationalError"]),
        ("worker", "alp", ["alpha"]),
        ("nonsense", "", []),
        ("device", "\x00", ["Van 1"]),
        ("device", "</script>", []),
    ],
)
def test_terms_are_completed_with_what_there_is(page, staff, device, name, part, expected):
    make_job(state="failed", error_class="OperationalError", worker_host="alpha")
    answer = page.get(reverse("admin:tasks_app_job_complete"), {"name": name, "part": part})
    assert answer.json() == {"values": expected}


def test_who_may_not_see_jobs_completes_and_saves_nothing(make_user):
    client = Client()
    client.force_login(make_user(is_staff=True))
    assert client.get(reverse("admin:tasks_app_job_complete"), {"name": "by"}).status_code == 403
    assert client.post(reverse("admin:tasks_app_job_save_view"), {"view-name": "x"}).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_columns_follow_the_state(page, staff):
    job = get_task("cleanup_cache").apply_async(countdown=999)
    assert "Starts" in [str(cell.label) for cell in rows(page, state="scheduled")[0].cells]
    cancel_job(job_id=job, user=staff, reason="not today")
    cells = {str(cell.label): cell.value for cell in rows(page, state="cancelled")[0].cells}
    assert cells["Cancelled by"] == "staff: not today"


@pytest.mark.parametrize(
    ("fields", "workers", "mark"),
    [
        ({"state": JobState.QUEUED}, None, ""),
        ({"state": JobState.QUEUED, "created_at": timedelta(minutes=-2)}, None, "late"),
        ({"state": JobState.SCHEDULED, "due_at": timedelta(minutes=5)}, None, ""),
        (
            {"state": JobState.SCHEDULED, "created_at": timedelta(minutes=-9), "due_at": timedelta(minutes=-5)},
            None,
            "late",
        ),
        ({"state": JobState.RETRYING, "due_at": timedelta(seconds=12.9)}, None, "retrying in"),
        ({"state": JobState.RUNNING, "worker": "a:1"}, frozenset({"a:1"}), ""),
        ({"state": JobState.RUNNING, "worker": "a:1"}, frozenset({"b:1"}), "worker lost"),
        ({"state": JobState.RUNNING, "worker": "a:1"}, None, ""),
        ({"state": JobState.RUNNING, "cancel_requested": True}, None, "being cancelled"),
        ({"state": JobState.SUCCEEDED, "created_at": timedelta(minutes=-9)}, None, ""),
    ],
)
def test_a_job_is_marked_with_what_its_state_does_not_say(fields, workers, mark):
    now = timezone.now()
    values = {name: now + value if isinstance(value, timedelta) else value for name, value in fields.items()}
    view = JobView(**{"id": uuid4(), "task": "t", "queue": "q", "created_at": now, **values})
    word, _kind = mark_of(view, RowFacts("", "", workers))
    assert word == mark or (mark and word.startswith(mark))


def test_a_flood_of_one_task_is_folded_and_a_filter_unfolds_it(page):
    for _ in range(8):
        make_job()
    make_job(task="optimize_database", finished_at=timezone.now() - timedelta(minutes=5))
    shown = rows(page)
    assert [row.folded_count for row in shown if not row.is_folded] == [0, 6, 0]
    assert "6 more of cleanup_cache" in page.get(reverse(JOBS)).content.decode()
    assert not any(row.is_folded for row in rows(page, task="cleanup_cache"))
