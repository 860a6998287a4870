"""Signs of life of many devices, written together: the same as one by one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tasks_app.models import DeviceState, Event
from tasks_app.services.devices import hear_from_all

pytestmark = pytest.mark.django_db


def test_devices_are_online_and_being_back_is_an_event(make_device, django_assert_max_num_queries):
    now = timezone.now()
    new, online, offline, later = (make_device() for _ in range(4))
    DeviceState.objects.create(device=online, status="online", last_seen_at=now - timedelta(minutes=2), version=7)
    DeviceState.objects.create(device=offline, status="offline", last_seen_at=now - timedelta(hours=1))
    DeviceState.objects.create(device=later, status="online", last_seen_at=now + timedelta(seconds=5))
    with django_assert_max_num_queries(12):
        hear_from_all(device_pks=[new.pk, online.pk, offline.pk, later.pk, 999_999_999], now=now)
    assert set(DeviceState.objects.values_list("status", flat=True)) == {"online"}
    seen = dict(DeviceState.objects.values_list("device_id", "last_seen_at"))
    assert seen == {new.pk: now, online.pk: now, offline.pk: now, later.pk: now + timedelta(seconds=5)}
    assert DeviceState.objects.get(device=online).version == 8
    assert [event.device_id for event in Event.objects.all()] == [offline.pk]
