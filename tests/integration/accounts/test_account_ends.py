"""A new password or a deactivation ends what was open, and a deleted user leaves the records of what they did."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import models, transaction
from django.db.models import ProtectedError
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

from tasks_app.models import Job, JobAction, QueueAction
from tasks_app.queries.retention import days_to_keep
from tasks_app.services.accounts.lifecycle import is_former
from tasks_app.services.cleanup.history import remove_old_history
from tasks_app.websockets.identity import Credential, current_access, session_credential, token_credential
from tests.support.web import session_of

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
NEW = "entirely another staple 7"
# What a user owns goes along; all else that refers to a user says who did something, and stays.
PERSONAL = {
    "tasks_app.IdempotentRequest",
    "tasks_app.LoginSession",
    "otp_static.StaticDevice",
    "otp_totp.TOTPDevice",
    "knox.AuthToken",
    "tasks_app.FleetMembership",
    "tasks_app.SavedJobView",
    "notifications_app.Destination",
    "notifications_app.EmailOptOut",
    "notifications_app.Notification",
    "notifications_app.NotificationPreference",
    "notifications_app.HeldAlert",
    "reports_app.ReportFollower",
    "reports_app.ReportSchedule",
}


def open_everything(user: User) -> tuple[APIClient, Credential, Credential]:
    """A client with a token of this user, and what opens a WebSocket with that token and with a session."""
    _row, token = AuthToken.objects.create(user)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    assert client.get("/api/tasks/").status_code == 200
    by_token, by_session = token_credential(token), session_credential({"sessionid": session_of(user)})
    assert by_token is not None
    assert by_session is not None
    assert set(current_access([by_token, by_session])) == {by_token, by_session}
    return client, by_token, by_session


def on_own_page(user: User) -> None:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    body = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    assert client.post("/admin/password_change/", body).status_code == 302
    assert client.get("/admin/").status_code == 200


def by_an_administrator(user: User) -> None:
    body = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    assert as_administrator().post(f"/admin/auth/user/{user.pk}/password/", body).status_code == 302


def made_unusable(user: User) -> None:
    body = {"password1": "", "password2": "", "usable_password": "false", "unset-password": "1"}
    assert as_administrator().post(f"/admin/auth/user/{user.pk}/password/", body).status_code == 302
    assert not User.objects.get(pk=user.pk).has_usable_password()


def as_administrator() -> Client:
    administrator = User.objects.create_superuser("administrator", password=PASSWORD)
    client = Client()
    client.force_login(administrator, backend="django.contrib.auth.backends.ModelBackend")
    return client


def in_code(user: User) -> None:
    user.set_password(NEW)
    user.save(update_fields=["password"])


def as_a_hash(user: User) -> None:
    user.password = make_password(NEW)
    user.save()


@pytest.mark.parametrize("change", [on_own_page, by_an_administrator, made_unusable, in_code, as_a_hash])
def test_a_new_password_ends_tokens_sessions_and_sockets(change: Callable[[User], None], staff):
    client, by_token, by_session = open_everything(staff)
    change(User.objects.get(pk=staff.pk))
    assert client.get("/api/tasks/").status_code == 401
    assert current_access([by_token, by_session]) == {}


def test_the_command_for_passwords_ends_tokens(staff, monkeypatch):
    client, *_opened = open_everything(staff)
    monkeypatch.setattr("getpass.getpass", lambda *args, **kwargs: NEW)
    call_command("changepassword", staff.username, stdout=io.StringIO())
    assert client.get("/api/tasks/").status_code == 401


def test_a_password_that_is_hashed_anew_at_a_log_in_ends_nothing(staff, settings):
    client, *_opened = open_everything(staff)
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    before = staff.password
    body = {"username": staff.username, "password": PASSWORD}
    assert APIClient().post("/api/auth/login", body, format="json").status_code == 200
    assert User.objects.get(pk=staff.pk).password != before
    assert client.get("/api/tasks/").status_code == 200


def test_other_changes_of_a_user_end_nothing(staff):
    client, *_opened = open_everything(staff)
    staff.first_name, staff.email = "Ana", "ana@example.org"
    staff.save()
    assert client.get("/api/tasks/").status_code == 200


def test_a_deactivated_user_who_comes_back_has_to_log_in_again(staff):
    client, by_token, by_session = open_everything(staff)
    for is_active in (False, True):
        staff.is_active = is_active
        staff.save()
        assert client.get("/api/tasks/").status_code == 401
        assert current_access([by_token, by_session]) == {}


# --- Deleted users ---


def change_something(user: User) -> LogEntry:
    """An entry in the admin's log."""
    kind = ContentType.objects.get_for_model(User)
    return LogEntry.objects.create(user=user, content_type=kind, object_id="1", object_repr="x", action_flag=CHANGE)


def test_the_records_of_a_deleted_user_stay_with_the_name(staff, operator):
    entry = change_something(operator)
    action = JobAction.objects.create(job_id=uuid4(), task="x", verb="cancel", user=operator)
    now = timezone.now()
    job = Job.objects.create(
        id=uuid4(),
        task="x",
        queue="reports",
        state="failed",
        requested_by_id=operator.pk,
        created_at=now,
        finished_at=now,
    )
    name, pk = operator.username, operator.pk
    response = as_administrator().post(f"/admin/auth/user/{pk}/delete/", {"post": "yes"})
    assert response.status_code == 302
    assert not User.objects.filter(pk=pk).exists()
    entry.refresh_from_db()
    action.refresh_from_db()
    job.refresh_from_db()
    assert entry.user.username == f"{name} (deleted {pk})"
    assert action.user == entry.user
    assert job.requested_by_id == entry.user_id
    assert not entry.user.is_active
    assert not entry.user.has_usable_password()


def test_the_page_that_asks_says_nothing_of_records_that_stay(operator):
    entry = change_something(operator)
    page = as_administrator().get(f"/admin/auth/user/{operator.pk}/delete/").content.decode()
    assert "membership" in page.lower()
    assert f"Log entry: {entry}" not in page.replace("&quot;", '"')
    assert "log entries" not in page.lower()


def test_a_user_who_did_nothing_leaves_nothing(charlie):
    charlie.delete()
    assert not User.objects.filter(username__startswith="charlie").exists()


def test_many_users_deleted_at_once_leave_their_records(operator, charlie):
    change_something(operator)
    change_something(charlie)
    User.objects.filter(pk__in=[operator.pk, charlie.pk]).delete()
    assert {entry.user.username.partition(" ")[0] for entry in LogEntry.objects.all()} == {"ana", "charlie"}


def test_a_former_user_stays_as_long_as_their_records(operator):
    change_something(operator)
    operator.delete()
    former = User.objects.get(username__startswith="ana (deleted")
    assert is_former(former)
    administrator = as_administrator()
    administrator.post(f"/admin/auth/user/{former.pk}/delete/", {"post": "yes"})
    selected = {"action": "delete_selected", "_selected_action": [former.pk], "post": "yes"}
    administrator.post("/admin/auth/user/", selected)
    with pytest.raises(ProtectedError), transaction.atomic():
        former.delete()
    assert LogEntry.objects.filter(user=former).exists()
    LogEntry.objects.filter(user=former).update(action_time=timezone.now() - timedelta(days=days_to_keep("audit") + 2))
    remove_old_history(now=timezone.now())
    assert not User.objects.filter(pk=former.pk).exists()


def relations() -> list[models.ForeignKey]:
    """Every foreign key to a user, but for the rows between two tables."""
    found = [
        relation.field
        for relation in User._meta.get_fields(include_hidden=True)
        if relation.is_relation and relation.auto_created
    ]
    keys = [field for field in found if isinstance(field, models.ForeignKey)]
    return [field for field in keys if not field.model._meta.auto_created]


@pytest.mark.parametrize("field", relations(), ids=lambda field: f"{field.model._meta.label}.{field.name}")
def test_it_is_decided_of_every_row_of_a_user_whether_it_stays(field):
    label = field.model._meta.label
    if field.remote_field.on_delete is models.CASCADE:
        assert label in PERSONAL | {"admin.LogEntry"}, f"{label} goes with its user: is it nothing but theirs?"
    else:
        assert field.remote_field.on_delete is models.SET_NULL


def test_the_admin_offers_no_way_to_delete_records():
    assert not {LogEntry, JobAction, QueueAction} & set(admin.site._registry)
