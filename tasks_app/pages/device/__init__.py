"""The pages of one device: now, day by day with replay, raw positions, settings."""

from django.urls import path

from tasks_app.pages.device.links import DayLink, DevicePart, PartLine, register_device_link, register_device_part
from tasks_app.pages.device.replay import place, replay
from tasks_app.pages.device.settings import device_settings
from tasks_app.pages.device.views import device, device_day, device_positions, find_device, frame

device_urls = [
    path("devices/<int:device_id>/", device, name="device"),
    path("devices/<int:device_id>/day/", device_day, name="device_day"),
    path("devices/<int:device_id>/day/replay.json", replay, name="device_replay"),
    path("devices/<int:device_id>/day/place.json", place, name="device_place"),
    path("devices/<int:device_id>/positions/", device_positions, name="device_positions"),
    path("devices/<int:device_id>/settings/", device_settings, name="device_settings"),
]

__all__ = [
    "DayLink",
    "DevicePart",
    "PartLine",
    "device_urls",
    "find_device",
    "frame",
    "register_device_link",
    "register_device_part",
]
