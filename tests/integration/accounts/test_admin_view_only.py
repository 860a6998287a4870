"""View-only staff by POST at every action, form and step of the admin: the database is the same before and after."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import NoReverseMatch, reverse

from tasks_app.models import FleetRole
from tests.support.rights import changed_tables, database_state, give, pages_of
from tests.support.route_cases import ensure_row, make_world, member

pytestmark = pytest.mark.django_db
PAGES = sorted(admin.site._registry.values(), key=lambda page: page.opts.label_lower)
# Of django-import-export: it reads, but through a form of its own.
EXPORT = "export_admin_action"


def action_names(page) -> list[str]:
    own = [name if isinstance(name, str) else name.__name__ for name in page.actions or ()]
    return ["delete_selected", *own, EXPORT]


@pytest.fixture
def looker(make_user):
    """Staff that may look at everything and touch nothing."""
    views = [f"{page.opts.app_label}.view_{page.opts.model_name}" for page in PAGES]
    return give(make_user(is_staff=True), *views)


@pytest.fixture
def world(fleet, make_user):
    found = make_world(fleet, member(make_user, fleet, FleetRole.MANAGER))
    for page in PAGES:
        ensure_row(page.model)
    return found


def test_no_action_changes_anything(looker, world):
    client, before = pages_of(looker), database_state()
    for page in PAGES:
        row = page.model._default_manager.first()
        for action in action_names(page):
            data = {"action": action, "_selected_action": [row.pk], "post": "yes", "select_across": "1"}
            answer = client.post(_address(page, "changelist"), data)
            assert answer.status_code < 500, f"{action} of {page}"
            assert changed_tables(before, database_state()) == [], f"{action} of {page}"


def test_no_form_adds_changes_or_deletes(looker, world):
    client, before = pages_of(looker), database_state()
    for page in PAGES:
        row = page.model._default_manager.first()
        for name in ("add", "change", "delete"):
            address = _address(page, name, *([] if name == "add" else [row.pk]))
            if address:
                assert client.post(address, {"post": "yes", "name": "Mine"}).status_code < 500, address
        assert changed_tables(before, database_state()) == [], page


def test_no_page_opens_for_staff_without_permission(make_user, world):
    clerk, before = pages_of(make_user(is_staff=True)), database_state()
    for page in PAGES:
        row = page.model._default_manager.first()
        for name in ("changelist", "add", "change", "delete", "history", "export", "import"):
            address = _address(page, name, *([row.pk] if name in ("change", "delete", "history") else []))
            for ask in (clerk.get, clerk.post) if address else ():
                assert ask(address).status_code in (302, 403, 404, 405), f"{ask.__name__} {address}"
        assert changed_tables(before, database_state()) == [], page


# Every further page of the admin that takes a POST, by its name and what its address needs.
STEPS = [
    ("tasks_app_job_cancel", ["task_id"]),
    ("tasks_app_job_retry", ["task_id"]),
    ("tasks_app_job_run_now", ["task_id"]),
    ("tasks_app_job_priority", ["task_id"]),
    ("tasks_app_job_bulk", [":retry"]),
    ("tasks_app_job_bulk", [":cancel"]),
    ("tasks_app_job_start_task", [":cleanup_old_positions"]),
    ("tasks_app_job_start_check", [":cleanup_old_positions"]),
    ("django_q_schedule_check", ["schedule_id"]),
    *(
        ("django_q_schedule_step", ["schedule_id", f":{verb}"])
        for verb in ("run-now", "enable", "disable", "duplicate")
    ),
    ("tasks_app_queue_step", [":cleanup", ":pause"]),
    ("tasks_app_queue_step", [":cleanup", ":purge"]),
    ("tasks_app_task_step", [":cleanup", ":cleanup_old_positions", ":pause"]),
    ("tasks_app_worker_step", [":host:1:cleanup:0:a", ":stop"]),
    ("tasks_app_cluster_step", [":host:1", ":cleanup", ":grow"]),
    ("tasks_app_command_cancel", ["command_id"]),
    ("tasks_app_command_confirm", ["command_id"]),
    ("tasks_app_command_send", []),
    ("tasks_app_command_send_type", [":position_request"]),
    ("reports_app_report_cancel", ["report_id"]),
    ("reports_app_report_retry", ["report_id"]),
    ("auth_user_password_change", ["user_id"]),
    ("notifications_app_destination_test", ["destination_id"]),
    ("notifications_app_messagetemplate_check", []),
    ("notifications_app_rule_check", []),
    ("notifications_app_rule_dry_run", ["rule_id"]),
    ("notifications_app_rule_try_out", []),
    ("tasks_app_device_import", []),
    ("tasks_app_device_process_import", []),
    ("tasks_app_geofence_import", []),
    ("tasks_app_geofence_process_import", []),
]


@pytest.mark.parametrize("permitted", [True, False], ids=["view only", "nothing"])
def test_no_step_does_anything(permitted, looker, make_user, world):
    client, before = pages_of(looker if permitted else make_user(is_staff=True)), database_state()
    for name, needs in STEPS:
        values = [need[1:] if need.startswith(":") else world[need] for need in needs]
        address = reverse(f"admin:{name}", args=values)
        answer = client.post(address, {"reason": "", "ids": str(world["task_id"])})
        assert answer.status_code < 500, address
        assert changed_tables(before, database_state()) == [], address


def test_every_further_page_of_the_admin_is_tried():
    own = {
        pattern.name
        for page in PAGES
        for pattern in page.get_urls()
        if getattr(pattern, "name", None) and pattern.name not in _usual(page) and pattern.name not in READING
    }
    assert own == {name for name, _needs in STEPS}


READING = {
    "tasks_app_device_export", "tasks_app_event_export", "tasks_app_geofence_export", "tasks_app_job_export",
    "tasks_app_auditentry_export",
    # Views of the list of jobs are one's own.
    "tasks_app_job_complete", "tasks_app_job_save_view", "tasks_app_job_remove_view",
    "tasks_app_job_start", "tasks_app_job_pick", "tasks_app_queues",
    "notifications_app_rule_pick", "notifications_app_rule_dry_run_check",
    "reports_app_report_download", "reports_app_report_as",
}  # fmt: skip


def _usual(page) -> set[str]:
    prefix = f"{page.opts.app_label}_{page.opts.model_name}"
    return {f"{prefix}_{name}" for name in ("changelist", "add", "history", "delete", "change")}


def _address(page, name: str, *values) -> str:
    try:
        return reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_{name}", args=values)
    except NoReverseMatch:
        return ""
