"""Endpoints of devices: their rows and states, jobs about them, events, odometer, maintenance plans."""

from tasks_app.api.devices.access import DeviceAccessView
from tasks_app.api.devices.bulk import DeviceBulkView
from tasks_app.api.devices.events import EventListView
from tasks_app.api.devices.jobs import DeviceStatisticsView, DeviceStatusView
from tasks_app.api.devices.keys import DeviceKeyRotateView, DeviceKeyView
from tasks_app.api.devices.odometer import DeviceOdometerView
from tasks_app.api.devices.servicing import (
    MaintenanceDoneView,
    MaintenanceHistoryView,
    MaintenanceListView,
    MaintenanceView,
)
from tasks_app.api.devices.views import (
    DeviceListView,
    DeviceStateView,
    DeviceView,
    NearestDevicesView,
    PlacedDeviceSerializer,
)

__all__ = [
    "DeviceAccessView",
    "DeviceBulkView",
    "DeviceKeyRotateView",
    "DeviceKeyView",
    "DeviceListView",
    "DeviceOdometerView",
    "DeviceStateView",
    "DeviceStatisticsView",
    "DeviceStatusView",
    "DeviceView",
    "EventListView",
    "MaintenanceDoneView",
    "MaintenanceHistoryView",
    "MaintenanceListView",
    "MaintenanceView",
    "NearestDevicesView",
    "PlacedDeviceSerializer",
]
