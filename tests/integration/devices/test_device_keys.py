"""Keys of devices: shown once, stored as a hash, replaced when asked for; by service, command and admin."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from tasks_app.queries.senders import device_of_key
from tasks_app.services.devices.credentials import KeyExists, issue_key

pytestmark = pytest.mark.django_db
LIST = "admin:tasks_app_device_changelist"


def test_a_key_is_stored_as_a_hash_only(device):
    key = issue_key(device=device)
    device.refresh_from_db()
    assert len(key) >= 32
    assert re.fullmatch(r"[\w-]+", key)
    assert re.fullmatch(r"[0-9a-f]{64}", device.ingest_key_hash)
    assert device_of_key(key) == device


@pytest.mark.parametrize("wrong", ["", "x", "\x00", "\ud800", "é" * 10_000])
def test_nothing_else_is_a_key(device, wrong):
    issue_key(device=device)
    assert device_of_key(wrong) is None


def test_devices_without_a_key_are_nobody_s(make_device):
    make_device()
    make_device()
    assert device_of_key("") is None


def test_a_key_is_replaced_only_when_that_is_asked_for(device):
    first = issue_key(device=device)
    with pytest.raises(KeyExists):
        issue_key(device=device)
    assert device_of_key(first) == device
    second = issue_key(device=device, rotate=True)
    assert (device_of_key(first), device_of_key(second)) == (None, device)


def test_the_command_prints_a_key(device):
    out = StringIO()
    call_command("device_key", "van-1", stdout=out)
    assert device_of_key(out.getvalue().strip()) == device
    with pytest.raises(CommandError, match="--rotate"):
        call_command("device_key", "van-1")
    call_command("device_key", "van-1", "--rotate", stdout=(again := StringIO()))
    assert device_of_key(again.getvalue().strip()) == device
    with pytest.raises(CommandError, match="nobody"):
        call_command("device_key", "nobody")


def click(client: Client, *devices, **more: str):
    data = {"action": "issue_keys", "_selected_action": [device.pk for device in devices], **more}
    return client.post(reverse(LIST), data)


def test_the_admin_asks_and_shows_the_keys_once(staff, make_device):
    client = Client()
    client.force_login(staff)
    new, old = make_device(), make_device()
    former = issue_key(device=old)
    question = click(client, new, old)
    assert question.status_code == 200
    assert "which stops working at once" in question.content.decode()
    assert device_of_key(former) == old
    answer = click(client, new, old, confirmed="1")
    page = answer.content.decode()
    keys = re.findall(r"/ingest/osmand/([\w-]+)<", page)
    assert [device_of_key(key) for key in keys] == [new, old]
    assert "no-store" in answer["Cache-Control"]
    assert device_of_key(former) is None
    later = (
        client.get(reverse(LIST)).content.decode()
        + client.get(reverse("admin:tasks_app_device_change", args=[new.pk])).content.decode()
    )
    assert "Has a key" in later
    assert not any(key in later for key in keys)
    entries = LogEntry.objects.filter(user=staff)
    assert entries.count() == 2
    assert not any(key in entry.change_message for key in keys for entry in entries)


def test_the_admin_s_action_needs_the_right_to_change_devices(make_user, device):
    looker = make_user(is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename="view_device"))
    client = Client()
    client.force_login(looker)
    click(client, device, confirmed="1")
    device.refresh_from_db()
    assert device.ingest_key_hash == ""
    assert "issue_keys" not in client.get(reverse(LIST)).content.decode()
