"""Every way in which a person can make a task run, and a call of every task that its signature accepts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import User
from django.test import TestCase
from django.urls import reverse
from django.utils import timezone
from django_q.models import Schedule

from reports_app.models import Report
from tasks_app.engine import Task, get_task, registered_tasks
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.engine.live import list_live_jobs
from tasks_app.models import Device, Fleet, Geofence, Job, MaintenancePlan, ScheduleState
from tasks_app.queries.access import SHELL
from tasks_app.services.jobs import CHANGE_TASK, cancel_job, run_bulk_action
from tests.support.rights import api_of, pages_of

OWN_APPS = ("tasks_app.", "notifications_app.", "reports_app.")
CALLS: dict[str, dict[str, Any]] = {
    "calculate_device_statistics": {"device_id": 1},
    "change_jobs": {"action_id": "5ad0f1a6-8b7f-4f0e-9d6c-1f2f63b2f5a1"},
    "deliver_notification": {"delivery_id": 1},
    "deliver_report_run": {"run_id": 1},
    "dispatch_events": {"outbox_id": 1},
    "export_report_data": {"report_id": 1, "format": "csv"},
    "generate_device_report": {"device_id": 1, "start": "2026-01-01", "end": "2026-01-02"},
    "generate_fleet_report": {"start": "2026-01-01", "end": "2026-01-02"},
    "import_positions_file": {"upload_id": 1},
    "process_position_batch": {"position_data_list": []},
    "process_single_position": {"position_data": {}},
    "record_command_answer": {
        "device_id": "first", "protocol": "gt06", "text": "OK", "token": "", "name": "", "is_success": None,
        "received_at": "2026-01-01T00:00:00+00:00",
    },
    "record_relay_state": {"device_id": "first", "is_relay_cut": True, "received_at": "2026-01-01T00:00:00+00:00"},
    "send_command": {"device_id": 1, "type": "reboot"},
    "send_commands": {"device_id": 1},
    "send_device_offline_alert": {"device_id": 1, "offline_duration_minutes": 5.0},
    "send_geofence_alert": {"device_id": 1, "geofence_id": 1, "event_type": "enter"},
    "send_maintenance_reminder": {"device_id": 1, "plan_id": 1},
    "send_speed_alert": {"device_id": 1, "speed": 120.0, "speed_limit": 90.0},
    "send_system_alert": {"subject": "Disk", "message": "Full."},
    "update_device_status": {"device_id": 1},
}  # fmt: skip
# All that pages of jobs and schedules ask for themselves: what a task asks for comes on top of it.
GENERAL = (
    "tasks_app.view_job", "tasks_app.add_job", "tasks_app.retry_job", "tasks_app.run_job_now",
    "django_q.view_schedule", "django_q.add_schedule", "django_q.change_schedule",
)  # fmt: skip


def make_named_rows() -> None:
    """Make the rows that CALLS name."""
    now = timezone.now()
    fleet = Fleet.objects.create(pk=1, name="First")
    device = Device.objects.create(pk=1, fleet=fleet, unique_id="first", name="First")
    Geofence.objects.create(
        pk=1, fleet=fleet, name="First", area={"type": "Circle", "coordinates": [0, 0], "radius": 100}
    )
    MaintenancePlan.objects.create(pk=1, device=device, name="Oil", every_days=30, last_done_at=now)
    Report.objects.create(pk=1, kind="fleet", fleet=fleet, range_start=now - timedelta(days=1), range_end=now)


def product_tasks() -> list[Task[Any, Any]]:
    """The tasks of the product itself, without those of tests and benchmarks."""
    return [task for task in registered_tasks() if task.function.__module__.startswith(OWN_APPS)]


def call_of(task: Task[Any, Any]) -> dict[str, Any]:
    return dict(CALLS.get(task.name, {}))


def _schedule(task: Task[Any, Any], **state: Any) -> Schedule:
    row = Schedule.objects.create(
        name="of another", func=task.name, kwargs=repr(call_of(task)), schedule_type=Schedule.DAILY,
        next_run=timezone.now() + timedelta(days=1),
    )  # fmt: skip
    ScheduleState.objects.update_or_create(schedule=row, defaults=state)
    return row


def _ended(task: Task[Any, Any]) -> Job:
    now = timezone.now()
    return Job.objects.create(
        id=uuid4(), task=task.name, queue=task.queue, state="failed", args=[], kwargs=call_of(task),
        created_at=now, started_at=now, finished_at=now,
    )  # fmt: skip


def _waiting(task: Task[Any, Any]) -> str:
    return str(get_task(task.name).apply_async((), call_of(task), countdown=3600))


def _schedule_form(task: Task[Any, Any]) -> dict[str, Any]:
    return {
        **_start_form(task), "option-start": "repeat", "when-name": "mine", "when-schedule_type": "D",
        "when-repeats": "-1", "when-next_run": "2030-01-01T00:00", "when-time_zone": "",
    }  # fmt: skip


def _start_form(task: Task[Any, Any]) -> dict[str, Any]:
    texts = {f"arg-{name}": str(value).replace("'", '"') for name, value in call_of(task).items()}
    return {**texts, "option-start": "now"}


def _schedule_action(user: User, task: Task[Any, Any], action: str, **state: Any) -> Any:
    data = {"action": action, "_selected_action": [_schedule(task, **state).pk]}
    return lambda: pages_of(user).post(reverse("admin:django_q_schedule_changelist"), data)


def _step(user: User, task: Task[Any, Any], step: str, **state: Any) -> Any:
    path = f"/api/tasks/schedules/{_schedule(task, **state).pk}/{step}"
    return lambda: api_of(user).post(path, {}, format="json")


def _edit_by_api(user: User, task: Task[Any, Any]) -> Any:
    path = f"/api/tasks/schedules/{_schedule(task).pk}"
    return lambda: api_of(user).patch(path, {"name": "taken over"}, format="json")


def _edit_by_admin(user: User, task: Task[Any, Any]) -> Any:
    path = reverse("admin:django_q_schedule_change", args=[_schedule(task).pk])
    return lambda: pages_of(user).post(path, _schedule_form(task))


def _job_step(user: User, job_id: Any, name: str) -> Any:
    path = reverse(f"admin:tasks_app_job_{name}", args=[job_id])
    return lambda: pages_of(user).post(path, {"reason": ""})


def _job_call(user: User, job_id: Any, name: str) -> Any:
    return lambda: api_of(user).post(f"/api/tasks/task/{job_id}/{name}", {}, format="json")


def _bulk_by_api(user: User, task: Task[Any, Any]) -> Any:
    ids = [str(_ended(task).pk)]
    return lambda: _carried_out(lambda: api_of(user).post("/api/tasks/retry", {"ids": ids}, format="json"))


def _bulk_by_admin(user: User, task: Task[Any, Any]) -> Any:
    path, data = reverse("admin:tasks_app_job_bulk", args=["retry"]), {"ids": str(_ended(task).pk), "reason": ""}
    return lambda: _carried_out(lambda: pages_of(user).post(path, data))


def _carried_out(ask: Callable[[], Any]) -> Any:
    """Ask, do what the job of a bulk action would, and take it away: what it changed remains."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        answer = ask()
    for job in list_live_jobs(client(), list(engine_config().queues)):
        if job.task == CHANGE_TASK:
            former = set_current_job(CurrentJob(job_id=job.job_id, requested_by_id=job.requested_by_id))
            run_bulk_action(action_id=job.job_id)
            set_current_job(former)
            cancel_job(job_id=job.job_id, user=SHELL)
    return answer


def _create_by_api(user: User, task: Task[Any, Any]) -> Any:
    body = {"name": "mine", "task": task.name, "kwargs": call_of(task), "type": "daily"}
    return lambda: api_of(user).post("/api/tasks/schedules/", body, format="json")


def _create_by_admin(user: User, task: Task[Any, Any]) -> Any:
    path = reverse("admin:tasks_app_job_start_task", args=[task.name])
    return lambda: pages_of(user).post(path, _schedule_form(task))


def _start_by_admin(user: User, task: Task[Any, Any]) -> Any:
    path = reverse("admin:tasks_app_job_start_task", args=[task.name])
    return lambda: pages_of(user).post(path, _start_form(task))


# Each prepares what it needs and returns what the person then tries. By schedules only tasks that may be scheduled run.
BY_SCHEDULE: dict[str, Callable[[User, Task[Any, Any]], Any]] = {
    "schedule created by API": _create_by_api,
    "schedule created in admin": _create_by_admin,
    "schedule edited by API": _edit_by_api,
    "schedule edited in admin": _edit_by_admin,
    "schedule run now by API": lambda user, task: _step(user, task, "run-now"),
    "schedule run now in admin": lambda user, task: _schedule_action(user, task, "run_selected_now"),
    "schedule enabled by API": lambda user, task: _step(user, task, "enable", is_enabled=False),
    "schedule enabled in admin": lambda user, task: _schedule_action(user, task, "enable_selected", is_enabled=False),
}
BY_JOB: dict[str, Callable[[User, Task[Any, Any]], Any]] = {
    "started in admin": _start_by_admin,
    "retried by API": lambda user, task: _job_call(user, _ended(task).pk, "retry"),
    "retried in admin": lambda user, task: _job_step(user, _ended(task).pk, "retry"),
    "retried with others by API": _bulk_by_api,
    "retried with others in admin": _bulk_by_admin,
    "waiting job run now by API": lambda user, task: _job_call(user, _waiting(task), "run-now"),
    "waiting job run now in admin": lambda user, task: _job_step(user, _waiting(task), "run_now"),
}


def ways_of(task: Task[Any, Any]) -> dict[str, Callable[[User, Task[Any, Any]], Any]]:
    return {**BY_JOB, **(BY_SCHEDULE if task.schedulable else {})}


def scheduled_and_live() -> Any:
    """Schedules with their states, and live jobs with theirs: what each of the ways changes."""
    rows = list(Schedule.objects.order_by("pk").values_list("pk", "name", "func", "kwargs", "state__is_enabled"))
    jobs = list_live_jobs(client(), list(engine_config().queues))
    return rows, sorted((job.job_id, str(job.state)) for job in jobs)
