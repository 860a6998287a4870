"""Signs of life beside everything else that writes a device's state."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from tasks_app.models import DeviceState, DeviceStatus, Event, EventKind
from tasks_app.services.devices.status import hear_from
from tests.support.cluster import allowed


def waiting_for_locks() -> int:
    # Not pg_stat_activity: a transaction sees it as it was when it first looked.
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_a_device_heard_of_while_it_is_being_set_offline_is_online_afterwards(device):
    now = timezone.now()
    DeviceState.objects.create(device=device, status=DeviceStatus.ONLINE, last_seen_at=now - timedelta(hours=1))

    def hear() -> None:
        try:
            hear_from(device_pk=device.pk, now=now)
        finally:
            connection.close()

    hearing = threading.Thread(target=hear)
    with transaction.atomic():
        state = DeviceState.objects.select_for_update().get()
        hearing.start()
        deadline = timezone.now() + timedelta(seconds=allowed(20))
        while not waiting_for_locks() and hearing.is_alive():
            assert timezone.now() < deadline
        state.status, state.offline_since = DeviceStatus.OFFLINE, state.last_seen_at
        state.save()
    hearing.join(allowed(20))
    state.refresh_from_db()
    assert (state.status, state.offline_since, state.last_seen_at) == (DeviceStatus.ONLINE, None, now)
    assert Event.objects.get().kind == EventKind.DEVICE_ONLINE
