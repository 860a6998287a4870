"""The odometer of a device: moved by its roll-ups, so that it counts the distance of reports (docs/adr/), or set by hand."""

from __future__ import annotations

from datetime import date, datetime

from tasks_app.models import Device, DeviceState
from tasks_app.services.audit import record, subject_of_row
from tasks_app.services.devices.days import refresh_days
from tasks_app.services.devices.odometer_moves import save_reading
from tasks_app.services.transactions import run_in_transaction


def set_odometer(device: Device, meters: float, *, now: datetime) -> DeviceState:
    """Set the present reading of the device to `meters`; distance driven from now on is added.

    What came before is rolled up first, or it would be added afterwards.
    """
    refresh_days([device], date(1970, 1, 2), date(2300, 1, 1), now=now)

    def work() -> DeviceState:
        record("odometer", subject_of_row(device), given={"odometer_meters": meters})
        return save_reading(device, meters)

    return run_in_transaction(work)
