"""Deleting in the admin: rows that only the system writes go with what they are about, and are not all named."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifications_app.models import Delivery, Notification
from tasks_app.admin.deletion import MOST_NAMED
from tasks_app.models import (
    Command,
    Device,
    Event,
    EventKind,
    FilterCount,
    FilteredFix,
    MaintenancePlan,
    QuarantinedFix,
)
from tests.integration.site.test_admin_pages import staff_with
from tests.support.notifications import make_rule
from tests.support.route_cases import ensure_row

EVENTS = 40


@pytest.fixture
def used_device(device):
    """A device with rows of every kind that nobody deletes alone."""
    now = timezone.now()
    Event.objects.bulk_create([Event(device=device, kind=EventKind.ALARM, occurred_at=now) for _ in range(EVENTS)])
    for model in (Command, FilterCount, FilteredFix, QuarantinedFix):
        ensure_row(model)
    return device


def delete(client: Client, row: Device | User) -> str:
    """Look at the confirmation, then confirm; return the text of the former."""
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_delete", args=[row.pk])
    page = client.get(address).content.decode()
    client.post(address, {"post": "yes"})
    return page


def test_a_device_goes_with_its_events_and_commands(page, used_device):
    text = delete(page, used_device)
    assert re.search(r"and \d\d more", text)
    assert not Device.objects.exists()
    assert not Event.objects.exists()


def test_so_do_many_devices_at_once(page, used_device):
    address = reverse("admin:tasks_app_device_changelist")
    page.post(address, {"action": "delete_selected", "_selected_action": [used_device.pk], "post": "yes"})
    assert not Device.objects.exists()


@pytest.mark.parametrize("name", ["tasks_app_device", "auth_user", "knox_authtoken", "django_q_schedule"])
@pytest.mark.parametrize("key", ["\\", "inf", "2026-02-31", "9" * 30, "-1", "a\x00b", "x" * 10_000, "😀"])
def test_a_selection_that_is_none_of_the_list_does_nothing(name, key, page, device):
    action = "revoke" if name == "knox_authtoken" else "delete_selected"
    form = {"action": action, "_selected_action": [device.pk, key], "post": "yes"}
    answer = page.post(reverse(f"admin:{name}_changelist"), form, follow=True)
    assert answer.status_code == 200


def test_a_person_goes_with_their_notifications(page, operator):
    notification = Notification.objects.create(user=operator, kind="test")
    Delivery.objects.create(notification=notification, channel="email")
    delete(page, operator)
    assert not Notification.objects.exists()


def test_what_a_person_may_delete_alone_needs_that_permission(make_user, used_device):
    client = staff_with(make_user, "view_device", "delete_device")
    MaintenancePlan.objects.create(device=used_device, name="Oil", every_days=30, last_done_at=timezone.now())
    assert "maintenance plan" in delete(client, used_device)
    assert Device.objects.exists()


def test_of_many_devices_and_of_many_rows_of_one_the_first_are_named_and_the_others_counted(page, device, make_device):
    now = timezone.now()
    events = [Event(device=device, kind=EventKind.ALARM, occurred_at=now) for _ in range(MOST_NAMED + 9)]
    Event.objects.bulk_create(events)
    several = [device, *(make_device() for _ in range(MOST_NAMED + 1))]
    for one in several:
        FilterCount.objects.create(device=one, day=now.date(), reason="jump", count=1)
    chosen = {"action": "delete_selected", "_selected_action": [one.pk for one in several]}
    answer = page.post(reverse("admin:tasks_app_device_changelist"), chosen)
    (tree,) = answer.context["deletable_objects"]
    assert [name for name in tree if isinstance(name, str)][-1] == "and 2 more"
    assert len([name for name in tree if isinstance(name, str)]) == MOST_NAMED + 1
    below = next(names for names in tree if isinstance(names, list))
    assert sum("Event" in name for name in below) == MOST_NAMED
    assert below[-1] == "and 10 more"
    assert dict(answer.context["model_count"])["events"] == MOST_NAMED + 9


def test_rows_that_only_link_two_others_are_not_named(page, device, fleet, operator):
    make_rule(fleet, [operator], devices=[device])
    text = page.get(reverse("admin:tasks_app_device_delete", args=[device.pk])).content.decode()
    assert "relationship" not in text
