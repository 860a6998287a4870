"""The cost of a batch: statements that do not grow with its fixes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from tasks_app.ingest.fix import Fix
from tasks_app.models import FilterSettings
from tasks_app.services.positions.store import store_fixes

pytestmark = pytest.mark.django_db


def statements_of(devices, first: int, count: int) -> list[str]:
    """The statements, beside COPY, that store so many fixes of each device."""
    start = timezone.now() - timedelta(hours=2)
    fixes = [
        Fix(device.unique_id, start + timedelta(seconds=second), -23.5, -46.6)
        for device in devices
        for second in range(first, first + count)
    ]
    sent: list[str] = []

    def note(execute, sql, params, many, context):
        sent.append(str(sql))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert store_fixes(fixes, timezone.now()).stored == len(fixes)
    return [sql for sql in sent if not sql.startswith(("SAVEPOINT", "RELEASE SAVEPOINT"))]


def test_a_batch_costs_five_statements_however_many_fixes_it_has(make_device):
    devices = [make_device() for _ in range(5)]
    statements_of(devices, 0, 1)
    for first, count in ((10, 1), (20, 100)):
        # Devices, states, days, geofences, and the states again; positions are copied.
        assert len(statements_of(devices, first, count)) == 5


def test_filters_are_read_where_a_device_has_any(make_device, fleet):
    devices = [make_device(), make_device()]
    statements_of(devices, 0, 1)
    FilterSettings.objects.create(device=devices[0], max_accuracy_meters=50)
    assert len(statements_of(devices, 10, 1)) == 6
