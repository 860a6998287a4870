"""The audit: every changing operation leaves an entry, which says who did what from where."""

from __future__ import annotations

import json
from io import StringIO
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from knox.models import AuthToken

from notifications_app.models import Destination
from reports_app.models import Report, ReportSchedule
from reports_app.services.files import report_link
from tasks_app.models import AuditEntry, Command, Device, Fleet, FleetMembership, FleetRole
from tasks_app.queries.access import SHELL
from tasks_app.services.audit import Subject, record, verb_label
from tasks_app.services.jobs import pause_queue, start_task
from tasks_app.utils.audit_source import CommandSource, changes_of
from tests.integration.accounts.test_lost_access import ready_report_id
from tests.support.rights import api_of, give
from tests.support.route_cases import address, body_of, make_world, member, operations

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"

# --- Every operation of the API ---

DATA = "Fixes come by the thousand; their jobs, and the positions, name the device and who sent them."
LOOKS = "It changes nothing: it says what would be."
# Changing methods that leave no entry, and why.
UNRECORDED = {
    ("POST", "/api/tasks/position/process-batch"): DATA,
    ("POST", "/api/tasks/position/process"): DATA,
    ("POST", "/api/rules/dry-run"): LOOKS,
    ("POST", "/api/tasks/schedules/validate"): LOOKS,
    ("POST", "/api/notifications/mark-read"): "A mark of one's own inbox.",
    ("POST", "/api/notifications/<int:notification_id>/read"): "A mark of one's own inbox.",
    (
        "POST",
        "/api/notifications/<int:notification_id>/acknowledge",
    ): "The notification keeps who acknowledged it, and when.",
    ("POST", "/api/channels/<slug:kind>/test"): "A message to oneself, which the log of deliveries keeps.",
    ("POST", "/api/destinations/<int:destination_id>/test"): "A message to oneself, which the log of deliveries keeps.",
}
# What answers nothing but a refusal here: there is no such job, worker or cluster, or a file is needed.
ELSEWHERE = {
    ("POST", "/api/positions/import"),
    ("POST", "/api/tasks/task/<any_uuid:task_id>/cancel"),
    ("POST", "/api/tasks/task/<any_uuid:task_id>/run-now"),
    ("POST", "/api/tasks/task/<any_uuid:task_id>/priority"),
    ("POST", "/api/auth/logout"),
    ("POST", "/api/auth/logout-everywhere"),
    ("DELETE", "/api/auth/tokens/<str:token_key>"),
    ("DELETE", "/api/auth/sessions/<str:session_id>"),
    *(("POST", f"/api/tasks/workers/<str:name>/{verb}") for verb in ("quiet", "wake", "stop")),
    *(("POST", f"/api/tasks/clusters/<str:name>/<str:queue>/{verb}") for verb in ("grow", "shrink")),
}
BODIES = {
    ("POST", "/api/destinations"): {"kind": "webhook", "name": "Hook", "url": "https://example.org/hook"},
    ("PUT", "/api/devices/<int:device_id>/odometer"): {"odometer_meters": 5000},
}


def make_secret_readable(world) -> None:
    destination = Destination.objects.get(pk=world["destination_id"])
    destination.secrets = {"url": "https://example.org/hook"}
    destination.save()


def make_fleet_empty(world) -> None:
    world["fleet_id"] = Fleet.objects.create(name="Empty").pk


def leave_fleet(world) -> None:
    FleetMembership.objects.filter(fleet_id=world["fleet_id"], user_id=world["user_id"]).delete()


# What the rows of the world are not yet.
PREPARATIONS = {
    ("POST", "/api/fleets/<int:fleet_id>/members"): leave_fleet,
    ("DELETE", "/api/devices/<int:device_id>/key"): lambda world: Device.objects.update(ingest_key_hash="x"),
    ("POST", "/api/destinations/<int:destination_id>/signing-secret"): make_secret_readable,
    ("DELETE", "/api/fleets/<int:fleet_id>"): make_fleet_empty,
    ("POST", "/api/report-schedules/<int:schedule_id>/enable"): lambda world: ReportSchedule.objects.update(
        is_active=False
    ),
    ("POST", "/api/reports/<int:report_id>/cancel"): lambda world: Report.objects.update(state="pending"),
    # One's own is confirmed by nobody.
    ("POST", "/api/commands/<int:command_id>/confirm"): lambda world: Command.objects.update(
        state="awaiting_confirmation", requested_by=None
    ),
    ("POST", "/api/tasks/report/export"): lambda world: Report.objects.update(state="ready"),
}
CHANGING = [one[:2] for one in operations() if one[0] not in ("GET", "HEAD")]


@pytest.fixture
def world(fleet, staff):
    return make_world(fleet, member(lambda: staff, fleet, FleetRole.MANAGER))


def wrong_about(method: str, route: str, world, staff) -> str:
    """Return the flaw of the audit of one operation; empty where there is none."""
    PREPARATIONS.get((method, route), lambda world: None)(world)
    newest = AuditEntry.objects.order_by("id").values_list("id", flat=True).last() or 0
    body = json.dumps(BODIES.get((method, route)) or body_of(method, route, world))
    answer = api_of(staff).generic(method, address(route, world), body, content_type="application/json")
    entries = list(AuditEntry.objects.filter(id__gt=newest))
    if (method, route) in UNRECORDED:
        return f"{len(entries)} entries, and it is said to leave none" if entries else ""
    if answer.status_code >= 300 or not entries:
        return f"{answer.status_code}, {len(entries)} entries: {answer.content!r}"
    who = {(one.username, one.user_id, one.way, one.address, one.origin) for one in entries}
    if who != {("staff", staff.pk, "api", "127.0.0.1", f"{method} {route}")}:
        return f"by {who}"
    return ", ".join(f"the verb {one.verb} has no words" for one in entries if verb_label(one.verb) == one.verb)


def test_every_changing_operation_leaves_an_entry(world, staff):
    found = {}
    for method, route in CHANGING:
        if (method, route) not in ELSEWHERE:
            with transaction.atomic():
                found[f"{method} {route}"] = wrong_about(method, route, dict(world), staff)
                transaction.set_rollback(True)
    assert len(found) > 50
    assert {operation: wrong for operation, wrong in found.items() if wrong} == {}


def test_no_reason_is_left_for_an_operation_that_is_gone():
    assert set(UNRECORDED) | ELSEWHERE <= set(CHANGING) | {("POST", "/api/auth/logout")}


@pytest.mark.parametrize("verb", ["cancel", "run-now", "priority"])
def test_what_is_done_to_a_waiting_job_is_kept_with_its_reason(verb, staff_api, staff, device):
    job_id = start_task(task_name="calculate_device_statistics", args=(device.pk,), user=staff, countdown=3600)
    body = {"reason": "asked by the depot", **({"priority": "high"} if verb == "priority" else {})}
    path = f"/api/tasks/task/{job_id}/{verb}"
    answer = staff_api.post(path, body, format="json")
    entry = AuditEntry.objects.first()
    if answer.status_code == 409:  # A job of a lane has no priority.
        assert entry.verb == "start"
        return
    assert answer.status_code in (200, 202), answer.content
    assert (entry.verb, entry.object_id) == (verb.replace("-", "_"), str(job_id))
    assert entry.reason == "asked by the depot"


# --- What an entry says ---


def test_a_change_keeps_the_fields_that_changed_before_and_after(staff_api, device):
    path = reverse("api:device", args=[device.pk])
    assert staff_api.patch(path, {"name": "Van 2", "kind": device.kind}, format="json").status_code == 200
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.object_type, entry.object_id, entry.object_text) == (
        "change", "tasks_app.device", str(device.pk), "Van 2",
    )  # fmt: skip
    assert entry.changes == {"name": ["Van 1", "Van 2"]}
    staff_api.patch(path, {"name": "Van 2"}, format="json")
    assert AuditEntry.objects.count() == 1, "a save that changes nothing is no change"


def test_a_list_of_rows_keeps_what_was_added_and_removed(client, staff, charlie):
    client.force_login(staff)
    groups = [Group.objects.create(name="Nights"), Group.objects.create(name="Days")]
    charlie.groups.add(groups[1])
    page = reverse("admin:auth_user_change", args=[charlie.pk])
    form = {
        "username": "charlie",
        "is_active": "on",
        "groups": [groups[0].pk],
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00",
    }
    answer = client.post(page, form)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    lists = [entry.changes["groups"] for entry in AuditEntry.objects.filter(verb="change") if "groups" in entry.changes]
    assert {"removed": ["Days"]} in lists
    assert {"added": ["Nights"]} in lists
    assert {entry.way for entry in AuditEntry.objects.all()} == {"admin"}


def test_secrets_are_hidden(staff_api, staff, device, client, operator):
    client.force_login(staff)
    new = "entirely another staple 7"
    page = reverse("admin:auth_user_password_change", args=[operator.pk])
    assert client.post(page, {"password1": new, "password2": new, "usable_password": "true"}).status_code == 302
    with changes_of(CommandSource("device_key")):
        key = StringIO()
        call_command("device_key", device.unique_id, stdout=key)
        token = StringIO()
        call_command("api_token", "staff", stdout=token, stderr=StringIO())
        destination = Destination(user=staff, kind="webhook", name="Mine", address="https://example.org/hook")
        destination.secrets = {"url": "https://example.org/hook?token=abcdef123456"}
        destination.save()
    password = AuditEntry.objects.get(verb="password")
    assert (password.object_text, password.changes["password"]) == ("ana", ["[hidden]", "[hidden]"])
    said = json.dumps(list(AuditEntry.objects.values("changes", "object_id", "object_text")))
    device.refresh_from_db()
    row = AuthToken.objects.get()
    for secret in (
        key.getvalue().strip(),
        token.getvalue().strip(),
        row.digest,
        device.ingest_key_hash,
        new,
        "abcdef123456",
    ):
        assert secret not in said
    assert destination.encrypted_secrets not in said
    assert {entry.verb for entry in AuditEntry.objects.filter(way="command")} == {"device_key", "add"}


def test_a_large_value_is_cut_and_says_so(staff, fleet):
    with changes_of(CommandSource("shell")):
        record(
            "start", Subject("tasks_app.job", uuid4(), "x"), user=staff, given={"ids": list(range(50_000)), "note": "n"}
        )
    (entry,) = AuditEntry.objects.all()
    assert len(json.dumps(entry.changes)) < 2_000
    assert "characters]" in entry.changes["ids"]
    assert entry.way == "shell"


def test_the_entry_of_a_deleted_user_keeps_the_name(staff, device, make_user):
    ana = give(make_user(username="joana", is_staff=True), "tasks_app.change_device")
    api_of(ana).patch(reverse("api:device", args=[device.pk]), {"name": "Van 2"}, format="json")
    number = ana.pk
    client = Client()
    client.force_login(staff)
    client.post(reverse("admin:auth_user_delete", args=[number]), {"post": "yes"})
    assert not User.objects.filter(pk=number).exists()
    changed = AuditEntry.objects.get(object_type="tasks_app.device")
    assert (changed.username, changed.user_id) == ("joana", number)
    deleted = AuditEntry.objects.get(verb="delete", object_type="auth.user")
    assert (deleted.username, deleted.object_id, deleted.object_text) == ("staff", str(number), "joana")


def test_the_address_is_the_clients_and_the_program_is_bounded(staff, device):
    client = api_of(staff)
    headers = {
        "REMOTE_ADDR": "2001:db8::7",
        "HTTP_USER_AGENT": "curl/8 " + "x" * 1000,
        "HTTP_X_FORWARDED_FOR": "9.9.9.9",
    }
    client.patch(reverse("api:device", args=[device.pk]), {"name": "Van 2"}, format="json", **headers)
    entry = AuditEntry.objects.get()
    assert entry.address == "2001:db8::7"
    assert entry.client.startswith("curl/8 xxx")
    assert len(entry.client) == 255


# --- Log-ins ---


def test_logging_in_and_out_and_failing_to_are_kept(staff):
    client = Client()
    login = reverse("pages:login")
    client.post(login, {"username": "staff", "password": "wrong"})
    client.post(login, {"username": "staff", "password": PASSWORD})
    client.post(reverse("pages:logout"))
    rows = (
        AuditEntry.objects.filter(verb__startswith="log").order_by("id").values_list("verb", "username", "object_text")
    )
    assert list(rows) == [("login_failed", "", "staff"), ("login", "staff", "staff"), ("logout", "staff", "staff")]
    assert {entry.way for entry in AuditEntry.objects.all()} == {"pages"}


def test_a_token_made_and_revoked_is_kept_by_its_beginning(client, staff):
    answer = client.post(
        "/api/auth/login", {"username": "staff", "password": PASSWORD}, content_type="application/json"
    )
    token = answer.json()["token"]
    client.generic("POST", "/api/auth/logout", HTTP_AUTHORIZATION=f"Token {token}")
    entries = AuditEntry.objects.order_by("id")
    assert [entry.verb for entry in entries] == ["login", "add", "add", "delete"]
    assert {entry.object_id for entry in entries if entry.verb != "login"} == {token[:15]}


def test_ending_sessions_and_tokens_is_kept(staff):
    client = Client()
    client.force_login(staff)
    AuthToken.objects.create(staff)
    assert client.generic("POST", "/api/auth/logout-everywhere").status_code < 300
    assert not AuthToken.objects.exists()
    assert list(AuditEntry.objects.order_by("id").values_list("verb", flat=True)) == ["end_session", "delete"]


# --- Downloads, exports, commands ---


def test_a_download_of_a_report_is_kept_with_its_format_and_way(api, operator, run_jobs, device):
    report_id = ready_report_id(api, run_jobs, fleet_id=device.fleet_id)
    path = f"/api/reports/{report_id}/download?format=csv"
    assert api.get(path).status_code == 200
    client = Client()
    client.force_login(operator)
    assert client.get(reverse("pages:report_download", args=[report_id, "csv"])).status_code == 200
    report = Report.objects.get(pk=report_id)
    link = report_link(report, operator, "csv")
    assert Client().get(link[link.index("/", 8) :]).status_code == 200
    entries = AuditEntry.objects.filter(verb="download").order_by("id")
    assert {(entry.username, entry.object_id) for entry in entries} == {("ana", str(report_id))}
    assert [entry.way for entry in entries] == ["api", "pages", "pages"]
    assert entries[0].changes == {"format": "csv"}


def test_an_export_of_the_admin_is_kept(client, staff, device):
    client.force_login(staff)
    answer = client.post(reverse("admin:tasks_app_auditentry_export"), {"format": "0", "resource": ""})
    assert answer.status_code == 200
    assert AuditEntry.objects.get(verb="export").object_type == "tasks_app.auditentry"


def test_a_command_that_changes_something_is_kept_with_its_options(db):
    call_command("cleanup", "events", "--days", "30", stdout=StringIO())
    call_command("cleanup", "events", "--dry-run", stdout=StringIO())
    entry = AuditEntry.objects.get(verb="command")
    assert (entry.way, entry.origin, entry.changes["name"], entry.changes["days"]) == (
        "command", "manage.py cleanup", "events", 30,
    )  # fmt: skip
    assert entry.username.startswith("shell: ")


def test_the_shells_own_steps_need_no_source(db):
    pause_queue(name="cleanup", user=SHELL, reason="upgrade", now=timezone.now())
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.object_id, entry.reason, entry.way) == ("pause", "cleanup", "upgrade", "shell")


def test_what_the_system_does_itself_leaves_nothing(fleet, django_assert_num_queries):
    device = Device.objects.create(fleet=fleet, unique_id="a", name="A")
    with django_assert_num_queries(2):  # The update, and what a receiver asks before it.
        device.save(update_fields=["name"])
    assert not AuditEntry.objects.exists()


# --- In the transaction of the change ---


def test_a_change_that_is_rolled_back_leaves_no_entry(fleet):
    with changes_of(CommandSource("shell")), transaction.atomic():
        Device.objects.create(fleet=fleet, unique_id="a", name="A")
        assert AuditEntry.objects.count() == 1
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_change_whose_entry_cannot_be_written_is_not_made(fleet, monkeypatch):
    def fail(*args, **kwargs):
        raise DatabaseError

    monkeypatch.setattr("tasks_app.services.audit.watching.write_entry", fail)
    with changes_of(CommandSource("shell")), pytest.raises(DatabaseError):
        Fleet.objects.create(name="Never")
    assert not Fleet.objects.filter(name="Never").exists()
