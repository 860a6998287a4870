"""manage.py jobs, queues and qinfo: what they print, what they do, and how they end."""

from __future__ import annotations

import io
import json
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command, load_command_class

from tasks_app.engine import JobState
from tasks_app.engine.clusters.orders import take_orders
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.consumers import describe_worker
from tasks_app.engine.lanes import Lane
from tasks_app.engine.streams import JobQueue
from tasks_app.models import AuditEntry, Job, JobAction, QueueAction
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import find_job, list_workers, queue_stats
from tests.support.probe import tasks as probe
from tests.support.rights import give

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def run_json(*arguments: str) -> object:
    return json.loads(run(*arguments, "--json"))


@pytest.fixture
def failed_id(run_jobs) -> UUID:
    job_id = probe.probe_fail_for_good.delay("no van 424242")
    run_jobs("positions")
    return job_id


def test_it_lists_jobs_as_a_table_and_as_json(failed_id):
    queued = probe.probe_add.delay(1, b=2)
    table = run("jobs", "list")
    for expected in (str(failed_id), str(queued), "no van 424242", "1, b=2"):
        assert expected in table
    listed = run_json("jobs", "list")
    assert [job["id"] for job in listed] == [str(queued), str(failed_id)]
    assert (listed[0]["kwargs"], listed[0]["state"], listed[0]["priority"]) == ({"b": 2}, "queued", "normal")


@pytest.mark.parametrize(
    "arguments",
    [
        ("jobs", "list", "--task", "x\udc80"),
        ("queues", "pause", "cleanup", "--user", "\udc80"),
        ("workers", "stop", "\udc80"),
    ],
)
def test_arguments_in_another_encoding_are_refused_in_a_sentence(arguments):
    with pytest.raises(CommandError, match=r"This text is no UTF-8|characters that are none|no worker|There is no"):
        run(*arguments)


def test_it_filters_and_limits_the_list(failed_id):
    queued = [str(job_id) for job_id in probe.probe_add.enqueue_many([[number] for number in range(250)])]
    assert [job["id"] for job in run_json("jobs", "list", "--state", "FAILURE")] == [str(failed_id)]
    assert [job["id"] for job in run_json("jobs", "list", "--search", "424242")] == [str(failed_id)]
    assert run_json("jobs", "list", "--queue", "reports") == []
    assert "No jobs" in run("jobs", "list", "--queue", "reports")
    assert len(run_json("jobs", "list", "--task", "probe_add", "--limit", "3")) == 3
    listed = run_json("jobs", "list", "--state", "queued", "--limit", "1000")
    assert {job["id"] for job in listed} == set(queued)


def test_a_reason_that_is_no_utf8_is_kept_as_escapes():
    job_id = probe.probe_note.apply_async(["x"], countdown=600)
    assert run_json("jobs", "cancel", str(job_id), "--reason", "caf\udce9")[0]["state"] == "cancelled"
    assert JobAction.objects.get(job_id=job_id).reason.endswith("caf\\udce9")
    run("queues", "pause", "reports", "--reason", "caf\udce9")
    assert QueueAction.objects.get(queue="reports").reason.endswith("caf\\udce9")
    run("queues", "resume", "reports")


def test_it_shows_a_job_with_its_traceback_and_log(failed_id):
    Job.objects.filter(pk=failed_id).update(logs=["looking for the van"])
    text = run("jobs", "show", str(failed_id))
    for expected in ("PermanentError", "Traceback", "looking for the van", "failed"):
        assert expected in text
    assert run_json("jobs", "show", str(failed_id))["logs"] == ["looking for the van"]


def test_what_a_job_carries_cannot_steer_the_terminal():
    job_id = probe.probe_note.delay("[bold]x[/bold]")
    Job.objects.create(
        id=uuid4(),
        task="x",
        queue="positions",
        state="failed",
        created_at="2026-01-01T00:00Z",
        finished_at="2026-01-01T00:00Z",
        error_class="E",
        error_message="\x1b[2J\x07gone",
    )
    assert "[bold]x[/bold]" in run("jobs", "show", str(job_id))
    assert "\x1b" not in run("jobs", "list")


@pytest.mark.parametrize(
    ("command", "right"),
    [
        (("queues", "pause", "cleanup"), "pause_queue"),
        (("queues", "purge", "cleanup", "--yes"), "purge_queue"),
        (("jobs", "cancel", str(UUID(int=1))), "cancel_job"),
        (("jobs", "retry", str(UUID(int=1))), "retry_job"),
        (("jobs", "priority", "high", str(UUID(int=1))), "change_job"),
        (("workers", "stop", "a:1"), "control_workers"),
    ],
    ids=lambda value: "-".join(value[:2]) if isinstance(value, tuple) else value,
)
def test_a_command_for_an_account_has_the_rights_of_the_account(command, right, make_user):
    everything = ["view_job", "pause_queue", "purge_queue", "cancel_job", "retry_job", "change_job", "control_workers"]
    give(make_user(username="clerk", is_staff=True), *(f"tasks_app.{one}" for one in everything if one != right))
    with pytest.raises(CommandError, match=f"needs the permission tasks_app.{right}"):
        call_command(*command, "--user", "clerk")
    with pytest.raises(CommandError, match="no active user"):
        call_command(*command, "--user", "nobody")
    assert not QueueAction.objects.exists()


def test_it_says_whose_jobs_an_account_without_the_right_to_see_others_looked_for(make_user):
    probe.probe_add.delay(1, b=2)
    clerk = make_user(username="clerk", is_staff=True)
    assert "No jobs of clerk here; those of others take the permission tasks_app.view_job." in run(
        "jobs", "list", "--user", "clerk"
    )
    give(clerk, "tasks_app.view_job")
    assert "probe_add" in run("jobs", "list", "--user", "clerk")


def test_a_command_for_an_account_acts_as_it(make_user):
    clerk = give(make_user(username="clerk", is_staff=True), "tasks_app.pause_queue")
    call_command("queues", "pause", "cleanup", "--user", "clerk", stdout=io.StringIO())
    assert QueueAction.objects.get().user == clerk
    assert AuditEntry.objects.get(verb="pause").username == "clerk"


def test_it_cancels_and_retries_audited_as_the_shell(failed_id):
    queued = probe.probe_add.delay(1)
    assert run_json("jobs", "cancel", str(queued), "--reason", "no need") == [{"id": str(queued), "state": "cancelled"}]
    (retried,) = run_json("jobs", "retry", str(failed_id))
    assert find_job(retried["new_id"], user=SHELL).retry_of == failed_id
    cancel, retry = JobAction.objects.order_by("pk")
    assert (cancel.verb, cancel.user) == ("cancel", None)
    assert cancel.reason.startswith("shell: ")
    assert cancel.reason.endswith(": no need")
    assert (retry.verb, retry.user) == ("retry", None)


def test_it_does_what_it_can_and_fails_when_one_was_refused(failed_id, capsys):
    queued, unknown = probe.probe_add.delay(1), uuid4()
    with pytest.raises(CommandError, match="2 of 3 jobs were left"):
        run("jobs", "cancel", str(failed_id), str(queued), str(unknown))
    assert find_job(queued, user=SHELL).state is JobState.CANCELLED


def test_it_counts_and_cancels_all_that_match_as_one_job(run_jobs):
    for number in range(3):
        probe.probe_add.delay(number)
    match = ("--search", "task:probe_add", "--queue", "positions")
    assert run("jobs", "cancel", *match, "--dry-run").split() == ["3", "queued"]
    (count,) = run_json("jobs", "cancel", *match, "--dry-run")
    assert (count["state"], count["count"]["number"]) == ("queued", 3)
    job_id = run_json("jobs", "cancel", *match, "--reason", "no need")["id"]
    run_jobs("cleanup")
    job = run_json("jobs", "show", job_id)
    assert (job["result"]["changed"], job["requested_by_id"]) == (3, None)
    action = JobAction.objects.filter(verb="cancel").first()
    assert action.reason.startswith("shell: ")
    assert run("jobs", "cancel", *match, "--dry-run", "--state", "queued") == "No job matches.\n"


def test_it_changes_the_priority_of_waiting_jobs():
    waiting, other = probe.probe_add.delay(1), probe.probe_add.delay(2)
    results = run_json("jobs", "priority", "high", str(waiting), str(other))
    assert [result["state"] for result in results] == ["queued", "queued"]
    assert find_job(waiting, user=SHELL).priority == "high"
    run("jobs", "cancel", str(other))
    with pytest.raises(CommandError, match="1 of 1 jobs"):
        run("jobs", "priority", "low", str(other))


def test_it_shows_as_which_job_one_runs_again(failed_id):
    (retried,) = run_json("jobs", "retry", str(failed_id))
    assert retried["new_id"] in run("jobs", "show", str(failed_id))
    assert str(failed_id) in run("jobs", "show", retried["new_id"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["jobs", "cancel", "--dry-run"],
        ["jobs", "cancel", str(uuid4()), "--queue", "positions"],
        ["jobs", "cancel", str(uuid4()), "--dry-run"],
        ["jobs", "retry", "--search", "after:never"],
        ["jobs", "priority", "urgent", str(uuid4())],
        ["jobs", "list", "--state", "sleeping"],
        ["jobs", "list", "--queue", "nonsense"],
        ["jobs", "list", "--limit", "0"],
        ["jobs", "list", "--parent", "x"],
        ["qhealth", "--max-silence-seconds", "nan"],
        ["jobs", "show", "x"],
        ["jobs", "show", str(uuid4())],
        ["jobs", "cancel"],
        ["jobs"],
        ["queues"],
        ["queues", "pause", "nonsense"],
        ["queues", "purge", "nonsense", "--yes"],
        ["queues", "pause", "positions", "--task", "cleanup_old_positions"],
        ["workers"],
        ["workers", "stop", "host:1"],
        ["workers", "grow", "host:1", "positions"],
    ],
)
def test_it_fails_with_a_sentence_on_bad_arguments(arguments):
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    assert str(caught.value)
    assert not QueueAction.objects.exists()


def test_a_bad_id_is_found_out_where_errors_are_sentences():
    """Django writes a CommandError of the parser as a traceback."""
    parser = load_command_class("tasks_app", "jobs").create_parser("manage.py", "jobs")
    assert parser.parse_args(["list", "--parent", "x"]).parent == "x"


def test_it_pauses_resumes_and_lists_queues():
    assert run_json("queues", "pause", "reports", "--reason", "disk full") == {"name": "reports", "paused": True}
    listed = {queue["name"]: queue for queue in run_json("queues", "list")}
    assert listed["reports"]["paused"]
    assert listed["reports"]["pause"]["reason"].endswith("disk full")
    for command in (("queues", "list"), ("qinfo",)):
        assert "disk full" in run(*command)
    assert "goes on" in run("queues", "resume", "reports")
    assert not any(queue.paused for queue in queue_stats())
    assert list(QueueAction.objects.order_by("pk").values_list("verb", "user")) == [("pause", None), ("resume", None)]


def test_it_pauses_one_task_of_a_queue():
    answer = run_json("queues", "pause", "positions", "--task", "probe_add")
    assert answer == {"name": "positions", "task": "probe_add", "paused": True}
    assert "probe_add: 0" in run("qinfo")
    assert "probe_add goes on" in run("queues", "resume", "positions", "--task", "probe_add")
    assert list(QueueAction.objects.order_by("pk").values_list("verb", "subject")) == [
        ("pause_task", "probe_add"),
        ("resume_task", "probe_add"),
    ]


def test_it_gives_orders_to_workers_by_host_and_process():
    queue = JobQueue("positions", client())
    queue.beat(
        {f"host:7:positions:{number}:x": describe_worker(70 + number, "", most_workers=4) for number in range(2)}
    )
    host = list_workers()[0].host
    assert "the order quiet host" in run("workers", "quiet", "host:7:positions:0:x")
    assert run_json("workers", "stop", f"{host}:71")["order"] == "stop"
    assert run_json("workers", "grow", "host:7", "positions") == {"order": "grow", "name": "host:7"}
    assert [line.split(b'"')[3] for line in take_orders(client(), queue.keys, "host:7")] == [b"quiet", b"stop", b"grow"]
    client().set(Lane("positions", client(), 3).keys.lease, "host:7:positions:0:x")
    listed = run("workers", "list")
    assert "│ 3 " in listed
    # As orders name them.
    assert f"│ {host}:71 " in listed
    assert "│ host:7 " in listed
    assert {len(worker["lanes"]) for worker in run_json("qinfo")["workers"]} == {0, 1}


def test_it_purges_a_queue_after_asking(monkeypatch):
    probe.probe_add.delay(1)
    probe.probe_add.apply_async([2], countdown=99)
    asked = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "no")
    with pytest.raises(CommandError, match="Nothing was cancelled"):
        run("queues", "purge", "positions")
    assert "2 waiting jobs" in asked[0]
    monkeypatch.setattr("builtins.input", lambda question: "positions")
    assert "2 jobs of queue positions" in run("queues", "purge", "positions")
    assert Job.objects.filter(state="cancelled").count() == 2
    assert run_json("queues", "purge", "positions", "--yes") == {"name": "positions", "cancelled": 0}


def test_it_tells_queues_and_workers_to_programs():
    report = run_json("qinfo")
    assert [queue["name"] for queue in report["queues"]] == ["positions", "reports", "cleanup", "notifications"]
    assert report["workers"] == []


def test_a_cluster_of_no_worker_is_refused_with_a_sentence(settings):
    queues = settings.Q_CLUSTER["ALT_CLUSTERS"]
    of_none = {**queues, "reports": {**queues["reports"], "workers": 0}}
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "ALT_CLUSTERS": of_none}
    engine_config.cache_clear()
    try:
        with pytest.raises(CommandError, match="There is no worker to start: the settings say 0 for reports"):
            run("qcluster", "--name", "reports", "--burst")
    finally:
        engine_config.cache_clear()
