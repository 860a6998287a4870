"""Permissions for each verb: who held the one they were split from holds them, and the words of the page of users."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from tasks_app.admin.accounts.permissions import permission_name
from tests.support.rights import give
from trackerproject.staff_groups import give_holders

pytestmark = pytest.mark.django_db
FORMER = {"change_job": ["cancel_job", "retry_job", "run_job_now", "pause_queue"], "delete_job": ["purge_queue"]}


def held(holder) -> set[str]:
    rows = holder.permissions if isinstance(holder, Group) else holder.user_permissions
    return set(rows.values_list("codename", flat=True))


def test_nobody_loses_what_they_had(make_user):
    group = Group.objects.create(name="Night shift")
    group.permissions.add(Permission.objects.get(codename="change_job"))
    clerk = give(make_user(), "tasks_app.delete_job")
    reader = give(make_user(), "tasks_app.view_job")
    give_holders("tasks_app", "job", FORMER)(apps, None)
    give_holders("tasks_app", "job", FORMER)(apps, None)
    assert held(group) == {"change_job", "cancel_job", "retry_job", "run_job_now", "pause_queue"}
    assert held(clerk) == {"delete_job", "purge_queue"}
    assert held(reader) == {"view_job"}


@pytest.mark.parametrize("codename", [*FORMER["change_job"], "purge_queue", "control_workers"])
def test_each_has_words_for_people(codename):
    permission = Permission.objects.select_related("content_type").get(codename=codename)
    assert permission_name(permission) == f"Fleet and tasks | {permission.name}"
